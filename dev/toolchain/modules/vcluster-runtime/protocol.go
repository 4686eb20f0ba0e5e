package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// The runtime and the first process of a sandbox talk over a pair of connected
// sockets: one JSON message a packet, one answer a request, in turn. Sockets of
// the sandbox's network travel the same way. There is no path to agree on, and
// when either side dies the other reads the end of the stream.

// sandboxSpec says what a sandbox holds and runs. It goes in on standard input:
// arguments and environments of processes can be read by others.
type sandboxSpec struct {
	Root     string // an empty folder to mount the root on
	Hostname string
	Address  string // the pod's IP address
	Binds    []bind
	Files    []file
	Dirs     []string
	Args     []string // what to run; none: only try whether a sandbox can be made
	Env      []string
	Dir      string // where to run it
}

// bind makes a file or folder of the host visible in the sandbox.
type bind struct {
	Source, Target string
	ReadOnly       bool
}

// file is a small file that exists in the sandbox's memory only.
type file struct {
	Path    string
	Content []byte
}

// request asks the first process of a sandbox for one thing.
type request struct {
	Dial  int   `json:",omitempty"` // connect to this port inside and hand over the connection
	Write *file `json:",omitempty"` // replace a file, all at once
}

// answer says how it went; a socket may travel with it.
type answer struct {
	Error string `json:",omitempty"`
}

func (a answer) err() error {
	if a.Error == "" {
		return nil
	}
	return errors.New(a.Error)
}

// maxMessage is well above the largest message: a service account token.
const maxMessage = 64 << 10

// send writes one message, with a socket if there is one.
func send(conn *net.UnixConn, message any, socket syscall.Conn) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if socket == nil {
		_, err := conn.Write(data)
		return err
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := raw.Control(func(fd uintptr) {
		_, _, sendErr = conn.WriteMsgUnix(data, syscall.UnixRights(int(fd)), nil)
	}); err != nil {
		return err
	}
	return sendErr
}

// receive reads one message and the socket that came with it, or nil.
func receive(conn *net.UnixConn, message any) (*os.File, error) {
	data := make([]byte, maxMessage)
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	socket, err := parseSocket(oob[:oobn])
	if err != nil {
		return nil, err
	}
	return socket, json.Unmarshal(data[:n], message)
}

func parseSocket(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, fmt.Errorf("%d control messages in one packet", len(messages))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "socket"), nil
}

// unixConn turns one end of a socket pair into a connection; it takes the file over.
func unixConn(end *os.File) (*net.UnixConn, error) {
	conn, err := net.FileConn(end)
	_ = end.Close()
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
