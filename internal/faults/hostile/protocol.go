package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

func protocolAttackers() []Attacker {
	return []Attacker{
		{Name: "noise", About: "random bytes", Family: Protocol, Hands: 6, Attack: noise},
		{Name: "truncate", About: "commands cut off at any byte, then closed or held open", Family: Protocol, Hands: 6, Attack: truncate},
		{Name: "frames", About: "counts and lengths that are too large, negative or no numbers", Family: Protocol, Hands: 6, Attack: oddFrames},
		{Name: "types", About: "replies, nested arrays, RESP3 types and HTTP in the place of commands", Family: Protocol, Hands: 4, Attack: oddTypes},
		{Name: "lines", About: "inline commands that are huge, without an end, or full of NULs and quotes", Family: Protocol, Hands: 4, Attack: oddLines},
		{Name: "flip", About: "pipelines of valid commands with some bits flipped", Family: Protocol, Hands: 6, Attack: flip},
	}
}

func noise(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	for range h.Between(1, 20) {
		b := h.Bytes(h.Between(1, 1<<uint(h.Between(1, 16))))
		if h.Rand.IntN(2) == 0 {
			// Begin like a command now and then, to get further into the parser.
			b = append([]byte(OneOf(h, "*", "*3\r\n", "*1\r\n$", "$", "*2\r\n$3\r\nGET\r\n$", "\r\n", "+")), b...)
		}
		if !c.Send(b) || !h.Pause(ctx, 2*time.Millisecond) {
			break
		}
	}
	return nil
}

// pipeline is some valid commands, each of which is harmless.
func (h *Hand) pipeline(n int) []byte {
	var b []byte
	for range n {
		k := h.Key()
		switch h.Rand.IntN(10) {
		case 0:
			b = AppendRequest(b, "SET", k, fmt.Sprint(h.Rand.Int64()))
		case 1:
			b = AppendRequest(b, "MSET", k, "1", h.Key(), strings.Repeat("v", h.Between(0, 2000)))
		case 2:
			b = AppendRequest(b, "HSET", "h"+k, fmt.Sprint("f", h.Rand.IntN(200)), "value")
		case 3:
			b = AppendRequest(b, "MULTI")
			b = AppendRequest(b, "INCR", "n"+k)
			b = AppendRequest(b, "GET", "n"+k)
			b = AppendRequest(b, "EXEC")
		case 4:
			b = AppendRequest(b, "SCAN", "0", "MATCH", "evil*", "COUNT", "20")
		case 5:
			b = append(b, "GET "+k+"\r\n"...)
		case 6:
			b = AppendRequest(b, "HGETALL", "h"+k)
		case 7:
			b = AppendRequest(b, "EXPIRE", k, "1000000000")
		case 8:
			b = AppendRequest(b, "HELLO", OneOf(h, "2", "3"))
		default:
			b = AppendRequest(b, "MGET", k, h.Key(), h.Key())
		}
	}
	return b
}

func truncate(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	b := h.pipeline(h.Between(1, 4))
	if c.Send(b[:h.Rand.IntN(len(b))]) && h.Rand.IntN(2) == 0 {
		h.Pause(ctx, time.Second)
	}
	return nil
}

func flip(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	for range h.Between(1, 50) {
		b := h.pipeline(h.Between(1, 40))
		for range 1 + len(b)/(64<<h.Rand.IntN(6)) {
			b[h.Rand.IntN(len(b))] ^= 1 << h.Rand.IntN(8)
		}
		if !c.Send(b) || !h.Pause(ctx, 2*time.Millisecond) {
			break
		}
	}
	return nil
}

// frame is the beginning of a command, and how Redis answers it: with an error
// and the end of the connection, or, where the answer is "", not at all.
type frame struct{ send, answer string }

const (
	badCount  = "-ERR Protocol error: invalid multibulk length"
	badLength = "-ERR Protocol error: invalid bulk length"
)

var oddFrameList = []frame{
	{"*2147483647\r\n", badCount},
	{"*1048577\r\n", badCount},
	{"*99999999999999999999\r\n", badCount},
	{"*9223372036854775807\r\n", badCount},
	{"*-9223372036854775809\r\n", badCount},
	{"*0x10\r\n", badCount},
	{"* 3\r\n", badCount},
	{"*+1\r\n", badCount},
	{"*\r\n", badCount},
	{"*1\r\n$9223372036854775807\r\n", badLength},
	{"*1\r\n$536870913\r\n", badLength},
	{"*1\r\n$-1\r\n", badLength},
	{"*1\r\n$-1000\r\n", badLength},
	{"*3\r\n$3\r\nSET\r\n$-9223372036854775808\r\n", badLength},
	{"*2\r\n$3\r\nGET\r\n$18446744073709551616\r\n", badLength},
	{"*2\r\n$3\r\nGET\r\n$1e3\r\n", badLength},
	{"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'"},
	{"*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'"},
	{"*1\r\n\r\n", "-ERR Protocol error: expected '$', got '\r'"},
	{"GET \"half\r\n", "-ERR Protocol error: unbalanced quotes in request"},
	{strings.Repeat("x", 64<<10+1), "-ERR Protocol error: too big inline request"},
	{"*" + strings.Repeat("1", 64<<10+1), "-ERR Protocol error: too big mbulk count string"},
	{"*1\r\n$" + strings.Repeat("1", 64<<10+1), "-ERR Protocol error: too big bulk count string"},
	{"*-5\r\n*-1\r\n*0\r\n\r\n\n", ""},
	{"*1048576\r\n", ""},
	{"*1\r\n$536870912\r\n", ""},
	{"*1\r\n$4\nPING\r\n", ""}, // a bare LF ends no header
	{"*1\n$4\nPING\n", ""},
	{"PI\x00NG\r\n", ""},
	{"*1\x00\r\n", ""},
}

// oddFrames sends a frame and checks how it is answered: a server that reads on
// behind a broken one would take data for commands.
func oddFrames(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	f := OneOf(h, oddFrameList...)
	if !c.Send([]byte(f.send)) {
		return nil
	}
	if f.answer == "" {
		c.Drain()
		h.Pause(ctx, 300*time.Millisecond)
		return nil
	}
	line, err := c.Line()
	if ctx.Err() != nil || err != nil && len(f.send) > 1<<10 {
		// What is still on its way when the server closes makes its kernel
		// reset the connection, and the answer may be lost.
		return nil
	}
	if want := strings.ReplaceAll(f.answer, "\r", " "); line != want {
		return fmt.Errorf("%.40q was answered %q (%v), want %q", f.send, line, err, want)
	}
	if line, err := c.Line(); err == nil {
		return fmt.Errorf("%.40q: after the protocol error came %q", f.send, line)
	}
	return nil
}

var oddTypeList = []string{
	"+OK\r\n", "-ERR no\r\n", ":1\r\n", "$3\r\nfoo\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(123456789012345678901\r\n",
	"!5\r\nERR x\r\n", "=7\r\ntxt:foo\r\n", "%1\r\n+a\r\n:1\r\n", "~2\r\n:1\r\n:2\r\n", ">2\r\n+a\r\n+b\r\n", "|1\r\n+a\r\n+b\r\n",
	"*1\r\n*1\r\n*1\r\n*1\r\n", "*2\r\n$3\r\nGET\r\n*1\r\n$1\r\na\r\n", "*?\r\n", "$?\r\n;4\r\nPING\r\n;0\r\n",
	"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nSET evil:00 posted\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-2.0-OpenSSH_9.2\r\n", "\x00\x00\x00\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

func oddTypes(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	if h.Rand.IntN(2) == 0 {
		c.Request("HELLO", "3")
	}
	for range h.Between(1, 6) {
		if !c.Send([]byte(OneOf(h, oddTypeList...))) || !h.Pause(ctx, 2*time.Millisecond) {
			break
		}
	}
	return nil
}

func oddLines(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	var b []byte
	switch h.Rand.IntN(6) {
	case 0: // just within the limit, many arguments
		b = append(bytes.Repeat([]byte("a "), 32<<10-1), "\r\n"...)
	case 1: // no end
		b = bytes.Repeat([]byte("abcdefgh"), 1<<17)
	case 2:
		b = bytes.Repeat([]byte{0}, h.Between(1, 1<<17))
	case 3: // lines of nothing
		b = bytes.Repeat([]byte(OneOf(h, "\n", "\r\n", " \n", "\r\r\n", "\x00\n")), 1<<14)
	case 4:
		b = bytes.Repeat([]byte(`"\x00\xff\n" '\'' `), 1<<10)
		b = append(b, "\r\n"...)
	default: // lines of one byte, answered each
		b = bytes.Repeat([]byte("q\n"), 1<<14)
	}
	c.Send(b)
	h.Pause(ctx, 20*time.Millisecond)
	return nil
}
