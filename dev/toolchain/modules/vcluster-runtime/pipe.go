package main

import (
	"io"
	"net"
	"sync"
)

// pipe joins two connections until both directions have ended, and closes both.
func pipe(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { copyOneWay(a, b) })
	both.Go(func() { copyOneWay(b, a) })
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}

// copyOneWay tells the reader at the end that no more comes, as TCP would.
func copyOneWay(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok {
		// Broken: the other direction cannot be of use to anyone either.
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = half.CloseWrite()
}
