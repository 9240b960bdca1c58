// Package commandtest compares commands with the real redis-server: rows of the
// command table with what it says of itself, replies with its replies.
package commandtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// Client is a connection to a Redis-compatible server that returns replies as they
// are on the wire. Everything that goes wrong fails the test.
type Client struct {
	t    testenv.TB
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

// replyTimeout bounds the wait for one reply.
const replyTimeout = 30 * time.Second

// Dial connects to addr until Close or the end of the test.
func Dial(t testenv.TB, addr string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, replyTimeout)
	if err != nil {
		t.Fatalf("connect to redis: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Client{t: t, conn: conn, r: bufio.NewReaderSize(conn, 1<<16), w: bufio.NewWriterSize(conn, 1<<16)}
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// Send queues a request.
func (c *Client) Send(args ...[]byte) {
	c.t.Helper()
	fmt.Fprintf(c.w, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(c.w, "$%d\r\n", len(a))
		c.w.Write(a)
		c.w.WriteString("\r\n")
	}
}

// Flush sends what is queued.
func (c *Client) Flush() {
	c.t.Helper()
	if err := c.w.Flush(); err != nil {
		c.t.Fatalf("send to redis: %v", err)
	}
}

// Receive returns the next reply.
func (c *Client) Receive() []byte {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		c.t.Fatalf("%v", err)
	}
	reply, err := readReply(c.r, nil)
	if err != nil {
		c.t.Fatalf("read a reply of redis: %v", err)
	}
	return reply
}

// Do sends a request and returns its reply.
func (c *Client) Do(args ...string) []byte {
	c.t.Helper()
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	c.Send(raw...)
	c.Flush()
	return c.Receive()
}

// readReply appends one whole reply to dst.
func readReply(r *bufio.Reader, dst []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	dst = append(dst, line...)
	switch line[0] {
	case '$', '=', '*', '~', '>', '%', '|':
	default:
		return dst, nil
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	if err != nil {
		return nil, err
	}
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return dst, nil
		}
		start := len(dst)
		dst = append(dst, make([]byte, n+2)...)
		_, err := io.ReadFull(r, dst[start:])
		return dst, err
	case '%', '|':
		n *= 2
	}
	for ; n > 0 && err == nil; n-- {
		dst, err = readReply(r, dst)
	}
	return dst, err
}

// Value is a parsed reply.
type Value struct {
	Type  byte   // the first byte of the reply
	Text  string // of everything but aggregates
	Null  bool
	Elems []Value // of an aggregate; a map's keys and values alternate
}

// Parse reads one reply.
func Parse(reply []byte) (Value, error) {
	v, rest, err := parse(reply)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the reply", len(rest))
	}
	return v, err
}

func parse(b []byte) (v Value, rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) == 0 {
		return v, nil, fmt.Errorf("no reply: %q", b)
	}
	v.Type, v.Text = line[0], string(line[1:])
	n := 0
	switch v.Type {
	case '$', '=', '*', '~', '>', '%':
		if n, err = strconv.Atoi(v.Text); err != nil {
			return v, nil, err
		}
		v.Text = ""
		v.Null = n < 0
	}
	switch v.Type {
	case '_':
		v.Null = true
	case '$', '=':
		if v.Null {
			return v, rest, nil
		}
		if len(rest) < n+2 {
			return v, nil, fmt.Errorf("bulk of %d bytes has %d", n, len(rest))
		}
		v.Text, rest = string(rest[:n]), rest[n+2:]
	case '%':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for ; n > 0; n-- {
			var e Value
			if e, rest, err = parse(rest); err != nil {
				return v, nil, err
			}
			v.Elems = append(v.Elems, e)
		}
	}
	return v, rest, nil
}
