package node

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

// listeners are where clients are accepted: plain, over TLS, or both.
type listeners struct {
	plain, tls net.Listener // nil: not served
	files      *tlsfiles.Keeper
}

// listen opens what the configuration names.
func listen(c *Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if c.TLS.Listen != "" {
		if l.files, err = tlsfiles.Keep(c.TLS.Files, c.TLS.LookEvery, c.Logger.With("node", c.NodeID)); err != nil {
			return l, err
		}
		if l.tls, err = net.Listen("tcp", c.TLS.Listen); err != nil {
			return l, err
		}
	}
	if c.Listen != "" {
		l.plain, err = net.Listen("tcp", c.Listen)
	}
	return l, err
}

// stop ends the accepting.
func (l listeners) stop() error {
	var errs []error
	for _, ln := range []net.Listener{l.plain, l.tls} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}

// close is stop, and ends the looking at files.
func (l listeners) close() error {
	err := l.stop()
	if l.files != nil {
		err = errors.Join(err, l.files.Close())
	}
	return err
}

// address is where a listener is, "" for one that is not there.
func address(ln net.Listener) string {
	if ln == nil {
		return ""
	}
	return ln.Addr().String()
}

// port is a listener's port, 0 for one that is not there.
func port(ln net.Listener) int {
	_, text := splitAddress(address(ln))
	n, _ := strconv.Atoi(text)
	return n
}

// bind is the address that clients are accepted on, without a port.
func (l listeners) bind() string {
	if l.plain != nil {
		host, _ := splitAddress(address(l.plain))
		return host
	}
	host, _ := splitAddress(address(l.tls))
	return host
}

// addresses are what others are told of a node. When it serves TLS alone, both
// are the same.
type addresses struct {
	any string // where clients reach it
	tls string // where they reach it over TLS; "": nowhere
}

// announced decides what others are told, given where the node listens.
func (c *Config) announced(plain, tls string) addresses {
	switch {
	case tls == "":
		return addresses{any: firstOf(c.Announce, plain)}
	case plain == "":
		at := firstOf(c.TLS.Announce, c.Announce, tls)
		return addresses{any: at, tls: at}
	}
	a := addresses{any: firstOf(c.Announce, plain), tls: firstOf(c.TLS.Announce, tls)}
	if c.TLS.Announce == "" && c.Announce != "" {
		host, _ := splitAddress(c.Announce)
		_, port := splitAddress(tls)
		a.tls = net.JoinHostPort(host, port)
	}
	return a
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// reached is the address of another node for a client that is connected as c is:
// who came over TLS goes on over TLS.
func (c *conn) reached(any, tls string) (host, port string) {
	if _, ok := c.nc.(*tlsConn); ok && tls != "" {
		return splitAddress(tls)
	}
	return splitAddress(any)
}
