package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
)

func tlsAttackers() []Attacker {
	return []Attacker{
		{Name: "handshakes", About: "as many handshakes as there is time for, and hardly a word after them", Family: TLS, Hands: 8, Attack: handshakes},
		{Name: "half handshakes", About: "a hundred handshakes that end in the middle, and wait there", Family: TLS, Hands: 4, Attack: halfHandshakes},
		{Name: "not TLS", About: "commands, HTTP and noise where TLS is spoken", Family: TLS, Hands: 4, Attack: notTLS},
		{Name: "broken records", About: "noise inside of a connection that began well", Family: TLS, Hands: 4, Attack: brokenRecords},
		{Name: "long hello", About: "a first message that is announced as long and comes in pieces", Family: TLS, Hands: 4, Attack: longHello},
	}
}

// costHandshake is what a handshake costs in bytes: both sides compute.
const costHandshake = 64 << 10

// DialTLS is Dial where the node speaks TLS, without a handshake.
func (h *Hand) DialTLS(ctx context.Context) (*Conn, bool) {
	there := *h
	there.target.Addr = h.target.TLSAddr
	return there.Dial(ctx)
}

// attackerTLS trusts whatever is shown: attackers do not care.
var attackerTLS = &tls.Config{InsecureSkipVerify: true}

// over does the handshake; false when the node does not.
func (c *Conn) over(ctx context.Context) (*tls.Conn, bool) {
	if !c.h.budget.spend(ctx, costHandshake) {
		return nil, false
	}
	t := tls.Client(c.nc, attackerTLS)
	return t, t.HandshakeContext(ctx) == nil
}

func handshakes(ctx context.Context, h *Hand) error {
	for range h.Between(1, 50) {
		c, ok := h.DialTLS(ctx)
		if !ok {
			return nil
		}
		t, ok := c.over(ctx)
		if ok && h.Rand.IntN(2) == 0 {
			if err := stranger(t); err != nil {
				c.Close()
				return err
			}
		}
		c.Close()
	}
	return nil
}

// stranger asks for data without a password, which must be refused.
func stranger(t *tls.Conn) error {
	if t.SetDeadline(time.Now().Add(lineTimeout)) != nil {
		return nil
	}
	if _, err := t.Write(Request("GET", "evil:00")); err != nil {
		return nil
	}
	b := make([]byte, 7)
	n, err := t.Read(b)
	if err == nil && string(b[:n]) != "-NOAUTH" && n == len(b) {
		return fmt.Errorf("GET without a password over TLS is answered %q", b[:n])
	}
	return nil
}

// hello is the beginning of a client's first message, or all of it.
func hello(h *Hand) []byte {
	var s recorder
	_ = tls.Client(&s, attackerTLS).Handshake()
	return s.sent[:h.Between(1, len(s.sent))]
}

// recorder is a connection that keeps what it is sent and says nothing.
type recorder struct {
	net.Conn
	sent []byte
}

func (r *recorder) Write(b []byte) (int, error) { r.sent = append(r.sent, b...); return len(b), nil }
func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *recorder) Close() error                { return nil }

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func halfHandshakes(ctx context.Context, h *Hand) error {
	var crowd Crowd
	defer func() { crowd.Close() }()
	for range h.Between(10, 100) {
		c, ok := h.DialTLS(ctx)
		if !ok {
			break
		}
		crowd = append(crowd, c)
		c.Send(hello(h))
	}
	h.Pause(ctx, 2*time.Second)
	return nil
}

func notTLS(ctx context.Context, h *Hand) error {
	c, ok := h.DialTLS(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Send(OneOf(h, Request("PING"), []byte("GET / HTTP/1.1\r\n\r\n"), h.Bytes(h.Between(1, 4096)),
		append([]byte{22, 3, byte(h.Between(0, 4)), byte(h.Between(0, 255)), byte(h.Between(0, 255))}, h.Bytes(h.Between(0, 20000))...)))
	h.Pause(ctx, 20*time.Millisecond)
	return nil
}

func brokenRecords(ctx context.Context, h *Hand) error {
	c, ok := h.DialTLS(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	if t, ok := c.over(ctx); ok {
		if _, err := t.Write(Request("PING")); err == nil {
			c.Send(append([]byte{23, 3, 3, byte(h.Between(0, 70)), byte(h.Between(0, 255))}, h.Bytes(h.Between(0, 20000))...))
		}
	}
	h.Pause(ctx, 20*time.Millisecond)
	return nil
}

func longHello(ctx context.Context, h *Hand) error {
	var crowd Crowd
	defer func() { crowd.Close() }()
	for range h.Between(1, 50) {
		c, ok := h.DialTLS(ctx)
		if !ok {
			break
		}
		crowd = append(crowd, c)
		first := []byte{22, 3, 1, 0x3e, 0x80, 1, 0, 0xff, 0xff} // a record of 16,000 bytes of a message of 65,535
		c.Send(append(first, h.Bytes(16000-4)...))
		if h.Rand.IntN(2) == 0 {
			c.Send(append([]byte{22, 3, 1, 0x3e, 0x80}, h.Bytes(16000)...))
		}
	}
	h.Pause(ctx, time.Second)
	return nil
}
