package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"
)

// gateway stands in for an implementation of the Gateway API with TLS passthrough:
// it reads the host name that a TLS client asks for, never what is inside.
type gateway struct {
	host    *hostCluster
	network *clusterNetwork
	routes  *routeTable
}

// unrecognizedName is the TLS alert for a host name that nobody serves.
var unrecognizedName = []byte{21, 3, 1, 0, 2, 2, 112}

func newGateway(host *hostCluster, network *clusterNetwork) *gateway {
	return &gateway{host: host, network: network, routes: newRouteTable(host)}
}

func (g *gateway) serve(ctx context.Context, listener net.Listener) {
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				slog.Error("gateway", "err", err)
			}
			return
		}
		go g.handle(ctx, conn)
	}
}

func (g *gateway) handle(ctx context.Context, conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	name, hello, err := readServerName(conn)
	if err != nil {
		slog.Debug("gateway: no TLS", "client", conn.RemoteAddr(), "err", err)
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	up, err := g.dial(ctx, name)
	if err == nil {
		_, err = up.Write(hello)
	}
	if err != nil {
		slog.Debug("gateway: refused", "name", name, "err", err)
		_, _ = conn.Write(unrecognizedName)
		_ = conn.Close()
		return
	}
	pipe(conn, up)
}

// dial connects to the first backend of the name's route that answers.
func (g *gateway) dial(ctx context.Context, name string) (net.Conn, error) {
	route := g.routes.forHost(name)
	if route == nil {
		return nil, errors.New("no TLSRoute has this host name")
	}
	err := errors.New("the TLSRoute has no backend")
	for _, backend := range route.backends() {
		var conn net.Conn
		if conn, err = g.network.dial(ctx, route.Namespace, backend.Name, backend.Port); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// errHelloRead ends the handshake that readServerName only begins.
var errHelloRead = errors.New("client hello read")

// readServerName returns the host name that a TLS client asks for and the bytes
// it has sent so far. crypto/tls does the parsing; it never gets to answer.
func readServerName(client io.Reader) (string, []byte, error) {
	var name string
	var hello bytes.Buffer
	err := tls.Server(readOnlyConn{reader: io.TeeReader(client, &hello)}, &tls.Config{
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			name = info.ServerName
			return nil, errHelloRead
		},
	}).Handshake()
	if !errors.Is(err, errHelloRead) {
		return "", nil, err
	}
	if name == "" {
		return "", nil, errors.New("the client names no host (SNI)")
	}
	return name, hello.Bytes(), nil
}

// readOnlyConn is as much of a connection as it takes to read a client hello.
type readOnlyConn struct {
	net.Conn
	reader io.Reader
}

func (c readOnlyConn) Read(p []byte) (int, error)  { return c.reader.Read(p) }
func (c readOnlyConn) Write(p []byte) (int, error) { return len(p), nil }
func (c readOnlyConn) Close() error                { return nil }
