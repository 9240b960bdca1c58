package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Bounds on how long an attacker waits for the network.
const (
	dialTimeout = 5 * time.Second
	lineTimeout = 20 * time.Second
)

// errCut: the server, or the end of the attack, closed the connection.
var errCut = errors.New("the connection was closed")

// Conn is an attacker's connection. All its calls return soon after the attack's
// context has ended.
type Conn struct {
	h       *Hand
	ctx     context.Context // of the attack
	nc      *net.TCPConn
	replies *bufio.Reader
	unhook  func() bool
	drain   sync.WaitGroup
}

// Dial connects without a word; false when the server is not to be had.
func (h *Hand) Dial(ctx context.Context) (*Conn, bool) {
	if !h.budget.spend(ctx, costDial) {
		return nil, false
	}
	// Each address of 127/8 has ports of its own: a storm of connections from
	// one would use them up.
	from := net.IPv4(127, byte(h.Between(1, 250)), byte(h.Between(1, 250)), byte(h.Between(1, 250)))
	d := net.Dialer{Timeout: dialTimeout, LocalAddr: &net.TCPAddr{IP: from}}
	nc, err := d.DialContext(ctx, "tcp", h.target.Addr)
	if err != nil {
		h.tally.Refused.Add(1)
		h.Pause(ctx, 20*time.Millisecond)
		return nil, false
	}
	h.tally.Connections.Add(1)
	c := &Conn{h: h, ctx: ctx, nc: nc.(*net.TCPConn)}
	c.unhook = context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	return c, true
}

// Login is Dial and AUTH.
func (h *Hand) Login(ctx context.Context) (*Conn, bool) {
	c, ok := h.Dial(ctx)
	if !ok || h.target.Password == "" {
		return c, ok
	}
	if c.Request("AUTH", h.target.Password) {
		if line, err := c.Line(); err == nil && line == "+OK" {
			return c, true
		}
	}
	c.Close()
	h.Pause(ctx, 20*time.Millisecond)
	return nil, false
}

// Close ends the connection and waits for the goroutine of Drain. Most
// connections are reset, which leaves nothing behind on this side; some say
// goodbye.
func (c *Conn) Close() {
	if c.h.Rand.IntN(8) > 0 {
		c.nc.SetLinger(0)
	}
	c.unhook()
	c.nc.Close()
	c.drain.Wait()
}

// Send sends bytes, as the budget allows; false when the connection is no more.
func (c *Conn) Send(b []byte) bool { return c.SendWithin(0, b) }

// SendWithin is Send to somebody who may not read; it gives up after d, unless
// that is 0.
func (c *Conn) SendWithin(d time.Duration, b []byte) bool {
	if !c.h.budget.spend(c.ctx, costSend+len(b)) {
		return false
	}
	if d > 0 {
		timer := time.AfterFunc(d, func() { c.nc.SetWriteDeadline(time.Unix(1, 0)) })
		defer timer.Stop()
	}
	n, err := c.nc.Write(b)
	c.h.tally.Sent.Add(int64(n))
	return err == nil
}

// Request sends a command.
func (c *Conn) Request(args ...string) bool { return c.Send(Request(args...)) }

// Line is the next line that the server sends, without its end.
func (c *Conn) Line() (string, error) {
	if c.replies == nil {
		c.replies = bufio.NewReaderSize(c.nc, 256)
	}
	timer := time.AfterFunc(lineTimeout, func() { c.nc.SetReadDeadline(time.Unix(1, 0)) })
	defer timer.Stop()
	line, err := c.replies.ReadString('\n')
	c.h.tally.Received.Add(int64(len(line)))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errCut, err)
	}
	if line[0] == '-' {
		c.h.tally.ErrorReplies.Add(1)
	}
	return string(bytes.TrimRight([]byte(line), "\r\n")), nil
}

// Drain reads and counts everything that the server sends from now on, without
// waiting for it.
func (c *Conn) Drain() {
	c.drain.Go(func() {
		b := make([]byte, 16<<10)
		last := byte('\n')
		for {
			n, err := c.nc.Read(b)
			c.h.tally.Received.Add(int64(n))
			if n > 0 {
				c.h.tally.ErrorReplies.Add(errorReplies(last, b[:n]))
				last = b[n-1]
			}
			if err != nil {
				return
			}
		}
	})
}

// errorReplies counts lines of b that begin with '-', last being the byte
// before b. No value of the attackers' has such a line.
func errorReplies(last byte, b []byte) int64 {
	n := int64(bytes.Count(b, []byte("\n-")))
	if last == '\n' && b[0] == '-' {
		n++
	}
	return n
}

// Request is a command as clients send it.
func Request(args ...string) []byte { return AppendRequest(nil, args...) }

// AppendRequest appends a command to b.
func AppendRequest(b []byte, args ...string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}
