package main

import (
	"bufio"
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestLoad(t *testing.T) {
	ctx := testContext(t)
	r := testenv.StartRedis(t)
	const keys = 500
	base := load{addr: r.Addr, clients: 4, pipeline: 8, keys: keys, size: 10}

	missing := base
	missing.requests = 8
	if _, err := missing.run(ctx); err == nil || !strings.Contains(err.Error(), "a key of the load is not there") {
		t.Errorf("GET of an empty server: %v", err)
	}

	fill := base
	fill.requests, fill.writes, fill.fill = keys, allWrites, true
	if _, err := fill.run(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := do(ctx, r.Addr, "DBSIZE"); err != nil || got.n != keys {
		t.Fatalf("%d keys after the fill, %v, want %d", got.n, err, keys)
	}

	mix := base
	mix.requests, mix.writes = 4000, 1
	before := calls(t, ctx, r.Addr)
	s, err := mix.run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests != 4000 || s.Ops <= 0 || s.P50 <= 0 || s.P99 < s.P50 {
		t.Errorf("sample %+v", s)
	}
	after := calls(t, ctx, r.Addr)
	if gets, sets := after["get"]-before["get"], after["set"]-before["set"]; gets != 3200 || sets != 800 {
		t.Errorf("the server saw %d GET and %d SET, want 3200 and 800", gets, sets)
	}

	stopped, stop := context.WithCancel(ctx)
	r.Process().Stop()
	time.AfterFunc(20*time.Millisecond, stop)
	if _, err := mix.run(stopped); err == nil {
		t.Error("a cancelled load succeeded")
	}
	r.Process().Cont()
}

// calls counts the GET and SET a server has executed.
func calls(t *testing.T, ctx context.Context, addr string) map[string]int {
	t.Helper()
	_, port, _ := strings.Cut(addr, ":")
	text, err := exec.CommandContext(ctx, testenv.Tool(t, "redis-cli"), "-p", port, "info", "commandstats").Output()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int)
	for _, name := range []string{"get", "set"} {
		if _, rest, ok := strings.Cut(string(text), "cmdstat_"+name+":calls="); ok {
			digits, _, _ := strings.Cut(rest, ",")
			if out[name], err = strconv.Atoi(digits); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

func TestExpect(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind byte
		err  string // empty: none
	}{
		{"+OK\r\n", '+', ""},
		{"$1\r\nv\r\n", '$', ""},
		{":2\r\n", ':', ""},
		{":1\r\n", ':', "WAIT reached 1 replicas, want 2"},
		{"$-1\r\n", '$', "a key of the load is not there"},
		{"-LOGFULL full\r\n", '+', "the server answered LOGFULL full"},
		{"+OK\r\n", '$', "an answer of kind"},
	} {
		client := &loadClient{load: load{wait: 2}, r: bufio.NewReader(strings.NewReader(c.in))}
		err := client.expect(c.kind)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("expect(%q) of %q: %v, want %q", c.kind, c.in, err, c.err)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, c := range []struct {
		in   string
		want answer
		ok   bool
	}{
		{"+OK\r\n", answer{kind: '+', text: "OK"}, true},
		{"-ERR no\r\n", answer{kind: '-', text: "ERR no"}, true},
		{":2\r\n", answer{kind: ':', n: 2}, true},
		{"$3\r\nabc\r\n", answer{kind: '$', n: 3}, true},
		{"$-1\r\n", answer{kind: '$', n: -1}, true},
		{"$3\r\nab", answer{}, false},
		{"$x\r\n", answer{}, false},
		{"*1\r\n", answer{}, false},
		{"\r\n", answer{}, false},
		{"", answer{}, false},
	} {
		got, err := readAnswer(bufio.NewReader(strings.NewReader(c.in)))
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("readAnswer(%q) = %+v, %v", c.in, got, err)
		}
	}
}

func TestAppendCommand(t *testing.T) {
	got := string(appendCommand(nil, "SET", keyName(42), []byte("v")))
	if want := "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$1\r\nv\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
