package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func commandAttackers() []Attacker {
	return []Attacker{
		{Name: "many", About: "commands with a hundred thousand arguments, replies of gigabytes", Family: Commands, Hands: 3, Attack: many},
		{Name: "numbers", About: "offsets, counts and times at the ends of what a number can be", Family: Commands, Hands: 6, Attack: numbers},
		{Name: "patterns", About: "patterns that make a naive matcher try for ever", Family: Commands, Hands: 2, Attack: patterns},
		{Name: "long", About: "keys, fields and values as long as they may be, and longer", Family: Commands, Hands: 3, Attack: long},
		{Name: "admin", About: "CONFIG SET nonsense, CLIENT LIST and CLIENT KILL spam, INFO", Family: Commands, Hands: 4, Attack: admin},
		{Name: "slowcommands", About: "pipelines of the commands that take longest", Family: Commands, Hands: 2, Attack: slowCommands},
	}
}

// ask sends commands and reads what comes back for about d, or until the end of
// the connection.
func ask(ctx context.Context, h *Hand, d time.Duration, requests ...[]string) error {
	c, ok := h.Login(ctx)
	if !ok {
		return nil
	}
	defer c.Close()
	c.Drain()
	for _, r := range requests {
		if !c.Request(r...) {
			return nil
		}
	}
	h.Pause(ctx, d)
	return nil
}

const hundredThousand = 100_000

func many(ctx context.Context, h *Hand) error {
	args := make([]string, 0, 2*hundredThousand+1)
	switch h.Rand.IntN(8) {
	case 0: // 64 KiB each: 6 GiB of reply
		args = append(args, "MGET")
		args = append(args, repeat(KnownLarge, hundredThousand)...)
	case 1:
		args = append(args, OneOf(h, "DEL", "UNLINK", "EXISTS", "TOUCH", "MGET"))
		for i := range hundredThousand {
			args = append(args, fmt.Sprintf("evil:%d", i+100))
		}
	case 2: // few enough bytes to be accepted
		args = append(args, "MSET")
		for i := range hundredThousand / 8 {
			args = append(args, fmt.Sprintf("evil:%d", i%64), "v")
		}
	case 3: // too many
		args = append(args, "MSET")
		for i := range hundredThousand {
			args = append(args, fmt.Sprintf("evil:%d", i), "value")
		}
	case 4:
		args = append(args, "HSET", "hevil:many")
		for i := range hundredThousand / 4 {
			args = append(args, strconv.Itoa(i), "v")
		}
	case 5:
		args = append(args, "HMGET", "hevil:many")
		args = append(args, repeat("1", hundredThousand)...)
	case 6:
		args = append(args, "COMMAND", "INFO")
		args = append(args, repeat("set", hundredThousand)...)
	default:
		args = append(args, repeat("", hundredThousand)...)
	}
	return ask(ctx, h, 200*time.Millisecond, args)
}

// extremes are numbers where arithmetic goes wrong.
var extremes = []string{
	"0", "-1", "1", "2147483647", "2147483648", "-2147483648", "4294967295", "4294967296", "536870911", "536870912",
	"4611686018427387904", "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808",
	"18446744073709551615", "18446744073709551616", "99999999999999999999999", "1e400", "-1e400", "nan", "inf", "0x7f", "", " 1", "1 ", "1.5",
}

func numbers(ctx context.Context, h *Hand) error {
	var all [][]string
	for range h.Between(10, 200) {
		k, n, m := h.Key(), OneOf(h, extremes...), OneOf(h, extremes...)
		all = append(all, OneOf(h,
			[]string{"SCAN", n, "COUNT", m},
			[]string{"HSCAN", "h" + k, n, "COUNT", m},
			[]string{"GETRANGE", k, n, m},
			[]string{"INCRBY", "n" + k, n},
			[]string{"DECRBY", "n" + k, n},
			[]string{"INCRBYFLOAT", "f" + k, n},
			[]string{"HINCRBY", "hn" + k, "f", n},
			[]string{"HINCRBYFLOAT", "hf" + k, "f", n},
			[]string{OneOf(h, "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"), "x" + k, n},
			[]string{"SET", "x" + k, "v", OneOf(h, "EX", "PX", "EXAT", "PXAT"), n},
			[]string{"GETEX", "x" + k, OneOf(h, "EX", "PX", "EXAT", "PXAT"), n},
			[]string{"SETRANGE", "r" + k, OneOf(h, "-1", "536870912", "2147483647", "4294967295", "9223372036854775807", "1000000"), "x"},
			[]string{"HRANDFIELD", "h" + k, n},
			[]string{"LCS", k, k, "MINMATCHLEN", n, "IDX"},
			[]string{"SELECT", OneOf(h, "-1", "16", "2147483648", "9223372036854775807", "x")},
			[]string{"MOVE", k, n},
			[]string{"HELLO", n},
			[]string{"CLIENT", "KILL", "ID", "-" + n},
			[]string{"OBJECT", "FREQ", k},
			[]string{"SETEX", "x" + k, n, "v"},
			[]string{"COPY", k, "c" + k, "DB", n},
		))
	}
	return ask(ctx, h, 50*time.Millisecond, all...)
}

func patterns(ctx context.Context, h *Hand) error {
	long := strings.Repeat("a", 4000)
	stars := strings.Repeat("a*", h.Between(5, 1000)) + "b"
	all := [][]string{
		{"SET", "evil:" + long, "v"},
		OneOf(h, []string{"KEYS", "*" + stars}, []string{"KEYS", "evil:" + stars},
			[]string{"KEYS", "*" + strings.Repeat("[a-z]*", 500) + "!"},
			[]string{"KEYS", strings.Repeat("?", 4000) + "*[^a]"},
			[]string{"KEYS", strings.Repeat("[", 10000)},
			[]string{"KEYS", "*" + strings.Repeat("\\a", 1000)},
			[]string{"SCAN", "0", "MATCH", "*" + stars, "COUNT", "4611686018427387904"},
			[]string{"CONFIG", "GET", stars},
			[]string{"CONFIG", "GET", strings.Repeat("*", 10000) + "x"},
			[]string{"HSCAN", "hevil:many", "0", "MATCH", stars, "COUNT", "2147483647"},
		),
	}
	return ask(ctx, h, 50*time.Millisecond, all...)
}

func long(ctx context.Context, h *Hand) error {
	n := OneOf(h, 100_000, 700_000, 1<<20, 4<<20)
	name := "evil:" + strings.Repeat(OneOf(h, "k", "\x00", "\xff"), n)
	v := strings.Repeat("v", n)
	return ask(ctx, h, 50*time.Millisecond,
		OneOf(h,
			[]string{"SET", "evil:long", v},
			[]string{"GET", name},
			[]string{"SET", name[:100_000], "v"},
			[]string{"HSET", "hevil:long", "f", v},
			[]string{"RENAME", name, "evil:00"},
			[]string{name, name, name},
			[]string{"CLIENT", name},
			[]string{"CONFIG", "SET", "save", v},
			[]string{"AUTH", v},
			[]string{"ECHO", v},
			[]string{"OBJECT", "ENCODING", name},
		),
		[]string{"DEL", "evil:long", "hevil:long", name[:100_000]},
	)
}

func admin(ctx context.Context, h *Hand) error {
	var all [][]string
	for range h.Between(1, 30) {
		all = append(all, OneOf(h,
			[]string{"CONFIG", "SET", "maxclients", OneOf(h, "0", "-1", "x", "99999999999999999999", "4294967296")},
			[]string{"CONFIG", "SET", "timeout", OneOf(h, "-1", "1.5", "9999999999")},
			[]string{"CONFIG", "SET", "client-query-buffer-limit", OneOf(h, "1", "-1gb", "9999999999gb")},
			[]string{"CONFIG", "SET", "maxmemory-clients", OneOf(h, "-1", "101%", "%", "lots", "99999999999gb")},
			[]string{"CONFIG", "SET", "client-output-buffer-limit", OneOf(h, "normal", "normal 1 1", "normal -1 0 0", "x 1 1 1", "normal 0 0 -1")},
			[]string{"CONFIG", "SET", "proto-max-bulk-len", OneOf(h, "1", "99gb", "-1")},
			[]string{"CONFIG", "SET", "no-such-parameter", "1"},
			[]string{"CONFIG", "SET", "maxclients"},
			[]string{"CONFIG", "REWRITE"},
			[]string{"CONFIG", "GET", "*"},
			[]string{"CLIENT", "LIST"},
			[]string{"CLIENT", "LIST", "ID", "1", "2", "3"},
			[]string{"CLIENT", "KILL", "ID", strconv.Itoa(1_000_000_000 + h.Rand.IntN(1000))},
			[]string{"CLIENT", "KILL", "127.0.0.1:1"},
			[]string{"CLIENT", "KILL", "TYPE", "pubsub"},
			[]string{"CLIENT", "NO-EVICT", "maybe"},
			[]string{"CLIENT", "REPLY", OneOf(h, "OFF", "SKIP", "ON")},
			[]string{"INFO"},
			[]string{"COMMAND", "DOCS"},
			[]string{"DEBUG", "NOTHING"},
			[]string{"ROLE"},
			[]string{"RESET"},
		))
	}
	return ask(ctx, h, 50*time.Millisecond, all...)
}

// slowCommands are pipelined, so that they would hold up everybody if the
// server ran a pipeline in one go.
func slowCommands(ctx context.Context, h *Hand) error {
	key := "evil:lcs"
	r := OneOf(h,
		[]string{"LCS", key, key, "LEN"},
		[]string{"HGETALL", "hevil:many"},
		[]string{"KEYS", "no*such*key"},
		[]string{"CLIENT", "LIST"},
		[]string{"HRANDFIELD", "hevil:many", "-100000"},
	)
	all := [][]string{{"SET", key, strings.Repeat("lcs!", 1000)}}
	for range h.Between(10, 100) {
		all = append(all, r)
	}
	return ask(ctx, h, 200*time.Millisecond, all...)
}
