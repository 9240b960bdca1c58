package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

func strangers() []Attacker {
	return []Attacker{
		{Name: "guess", About: "try passwords", Family: Strangers, Hands: 4, Attack: guess},
		{Name: "intrude", About: "ask for data without the password", Family: Strangers, Hands: 4, Attack: intrude},
		{Name: "unauthenticated frames", About: "send what only clients with the password may: large and many arguments", Family: Strangers, Hands: 4, Attack: strangerFrames},
		{Name: "flood", About: "pipeline requests without the password and read no reply", Family: Strangers, Hands: 24, Attack: flood},
	}
}

func guess(ctx context.Context, h *Hand) error {
	c, ok := h.Dial(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	for range h.Between(1, 20) {
		password := string(h.Bytes(h.Between(0, 16<<10)))
		r := OneOf(h, []string{"AUTH", password}, []string{"AUTH", "default", password}, []string{"AUTH", "root", h.target.Password},
			[]string{"HELLO", "3", "AUTH", "default", password}, []string{"AUTH", h.target.Password + "\x00"})
		if !c.Request(r...) {
			return nil
		}
		line, err := c.Line()
		if err != nil || line == full {
			return nil
		}
		if !strings.HasPrefix(line, "-WRONGPASS") {
			return fmt.Errorf("%.40q was answered %q", r, line)
		}
	}
	return nil
}

func intrude(ctx context.Context, h *Hand) error {
	c, ok := h.Dial(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	for range h.Between(1, 50) {
		r := OneOf(h, []string{"GET", KnownLarge}, []string{"KEYS", "*"}, []string{"CONFIG", "GET", "*"}, []string{"INFO"},
			[]string{"CLIENT", "LIST"}, []string{"DEBUG", "DIGEST"}, []string{"MULTI"}, []string{"EXEC"}, []string{"SUBSCRIBE", "x"},
			[]string{"FLUSHALL"}, []string{"SET", "evil:00", "intruder"}, []string{"HELLO"}, []string{"SELECT", "1"}, []string{"PING"})
		if !c.Request(r...) {
			return nil
		}
		line, err := c.Line()
		if err != nil || line == full {
			return nil
		}
		refused := strings.Contains(line, "NOAUTH") || strings.HasPrefix(line, "-ERR unknown command")
		if line[0] != '-' || !refused {
			return fmt.Errorf("without the password, %q was answered %q", r, line)
		}
	}
	return nil
}

var strangerFrameList = []frame{
	{"*11\r\n", "-ERR Protocol error: unauthenticated multibulk length"},
	{"*1048576\r\n", "-ERR Protocol error: unauthenticated multibulk length"},
	{"*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length"},
	{"*2\r\n$4\r\nAUTH\r\n$536870912\r\n", "-ERR Protocol error: unauthenticated bulk length"},
}

func strangerFrames(ctx context.Context, h *Hand) error {
	c, ok := h.Dial(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	f := OneOf(h, strangerFrameList...)
	if !c.Send([]byte(f.send)) {
		return nil
	}
	line, err := c.Line()
	if ctx.Err() != nil || line == full {
		return nil
	}
	if line != f.answer {
		return fmt.Errorf("without the password, %q was answered %q (%v), want %q", f.send, line, err, f.answer)
	}
	return nil
}

func flood(ctx context.Context, h *Hand) error {
	c, ok := h.Dial(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	b := slices.Concat(Request("GET", KnownLarge), []byte("x\n"), Request("AUTH", strings.Repeat("p", 16<<10)))
	for range h.Between(1, 200) {
		if !c.SendWithin(time.Second, b) {
			break
		}
	}
	return nil
}
