package node

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// TestMonitorEqualsRedis compares every line that a connection is sent that monitors
// another one, but for times and ports.
func TestMonitorEqualsRedis(t *testing.T) {
	redis, n := testenv.StartRedis(t, "--enable-debug-command", "local"), startNode(t, nil)
	personal := regexp.MustCompile(`\+[0-9]+\.[0-9]{6} \[(\d+) 127\.0\.0\.1:[0-9]+\]`)
	var told [2][]string
	for i, addr := range []string{redis.Addr, n.Addr()} {
		monitor, c, waiting := commandtest.Dial(t, addr), commandtest.Dial(t, addr), commandtest.Dial(t, addr)
		if got := string(monitor.Do("MONITOR")); got != "+OK\r\n" {
			t.Fatalf("MONITOR: %q", got)
		}
		for _, request := range [][]string{
			{"SET", "k", "a\"b\\c\n\r\t\a\b\x00\x7f\xff'"}, {"get", "k"}, {"nosuch"}, {"GET"}, {"SELECT", "3"}, {"INCR", "n"}, {"SET", ""},
			{"SELECT", "0"}, {"LPUSH", "k", "wrong type"}, {"AUTH", "x"}, {"AUTH", "x", "y"}, {"HELLO", "2", "AUTH", "x", "y", "SETNAME", "z"},
			{"CONFIG", "GET", "maxclients"}, {"CLIENT", "ID"}, {"PING"}, {"DEBUG", "POPULATE", "2"}, {"COMMAND", "COUNT"},
			{"MULTI"}, {"SET", "a", "1"}, {"GET", "a"}, {"EXEC"}, {"MULTI"}, {"SET", "a", "1"}, {"DISCARD"},
			{"MULTI"}, {"MONITOR"}, {"EXEC"}, {"EXEC"}, {"RESET"}, {"FLUSHALL"},
		} {
			c.Do(request...)
		}
		waiting.Send([]byte("BLPOP"), []byte("q"), []byte("0"))
		waiting.Flush()
		testenv.Eventually(t, 10*time.Second, "the client waits", func(context.Context) error {
			if info := string(c.Do("INFO", "clients")); !strings.Contains(info, "blocked_clients:1") {
				return fmt.Errorf("%s", info)
			}
			return nil
		})
		c.Do("RPUSH", "q", "x")
		waiting.Receive()
		c.Do("ECHO", "last")
		for last := false; !last; {
			line := string(monitor.Receive())
			last = strings.Contains(line, `"last"`)
			if line = personal.ReplaceAllString(line, "<$1>"); !strings.Contains(line, `"INFO"`) {
				told[i] = append(told[i], line)
			}
		}
		// What it runs itself.
		for _, request := range [][]string{{"PING"}, {"CLIENT", "LIST"}, {"MONITOR"}} {
			monitor.Send(bytesOf(request)...)
		}
		monitor.Flush()
		told[i] = append(told[i], string(monitor.Receive()), personal.ReplaceAllString(string(monitor.Receive()), "<$1>"))
		list := string(monitor.Receive())
		told[i] = append(told[i], fmt.Sprint(strings.Count(list, "flags=O ")))
		told[i] = append(told[i], string(monitor.Do("RESET")), string(monitor.Do("PING")))
		c.Do("GET", "k")
		told[i] = append(told[i], string(monitor.Do("PING")))
	}
	if want, got := strings.Join(told[0], ""), strings.Join(told[1], ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func bytesOf(words []string) (args [][]byte) {
	for _, w := range words {
		args = append(args, []byte(w))
	}
	return args
}

// TestMonitorThatDoesNotRead: who monitors and does not read is held to the limit of
// output buffers, and costs nothing once it is gone.
func TestMonitorThatDoesNotRead(t *testing.T) {
	n := startNode(t, nil)
	monitor, c := commandtest.Dial(t, n.Addr()), commandtest.Dial(t, n.Addr())
	monitor.Do("MONITOR")
	c.Do("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")
	value := strings.Repeat("x", 64<<10)
	testenv.Eventually(t, 20*time.Second, "the monitor is cut off", func(context.Context) error {
		for range 50 {
			c.Do("ECHO", value)
		}
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if len(n.engine.monitors) > 0 {
			return fmt.Errorf("it monitors on")
		}
		return nil
	})
}

// TestMonitorWaitsForTheCommit: a line tells of nothing that could still be lost, also
// when it is about a read of what is not committed.
func TestMonitorWaitsForTheCommit(t *testing.T) {
	n, kv := heldNode(t, nil)
	monitor, c, other := talk(t, n), talk(t, n), talk(t, n)
	if got := monitor.ask("MONITOR"); got != "+OK" {
		t.Fatal(got)
	}
	kv.close()
	c.send("SET k 1")
	monitor.waits(n, 1)
	other.send("GET k")
	monitor.waits(n, 2)
	kv.release()
	for _, want := range []string{`"SET" "k" "1"`, `"GET" "k"`} {
		if got := monitor.line(); !strings.HasSuffix(got, want) {
			t.Errorf("told %s, want %s", got, want)
		}
	}
}
