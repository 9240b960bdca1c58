package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestVictims(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int64
		back  int64
		want  []int64
	}{
		{"the largest is enough", []int64{3, 50, 10}, 20, []int64{50}},
		{"exactly enough", []int64{3, 50, 10}, 60, []int64{50, 10}},
		{"as many as it takes", []int64{3, 50, 10}, 61, []int64{50, 10, 3}},
		{"more than there is", []int64{3, 50, 10}, 1000, []int64{50, 10, 3}},
		{"nobody", nil, 10, nil},
		{"nothing to give back", []int64{3, 50}, 0, nil},
	} {
		var all []candidate
		for _, n := range c.sizes {
			all = append(all, candidate{bytes: n})
		}
		var got []int64
		for _, v := range victims(all, c.back) {
			got = append(got, v.bytes)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever a connection does before and after it is evicted, the sums are of
// those that are left.
func TestFootprintsAddUp(t *testing.T) {
	var m clientMemory
	a, b := footprint{all: &m}, footprint{all: &m}
	a.add(100)
	b.add(10)
	if got := a.doom(); got != 100 {
		t.Errorf("evicting gave %d back, want 100", got)
	}
	if got := a.doom(); got != 0 {
		t.Errorf("evicting twice gave %d back again", got)
	}
	a.add(50) // it runs on until it finds out
	b.add(5)
	if total, live := m.total.Load(), m.live.Load(); total != 165 || live != 15 {
		t.Errorf("total %d, live %d; want 165, 15", total, live)
	}
	a.end()
	b.end()
	if total, live := m.total.Load(), m.live.Load(); total != 0 || live != 0 {
		t.Errorf("after both ended: total %d, live %d", total, live)
	}
}

// A client that has closed its connection by itself, and waits for the engine to
// forget it, is no reason to evict others.
func TestNobodyGoesForWhoIsLeaving(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxMemoryClients = "4mb" })
	leaving, stays := talk(t, n), talk(t, n)
	send := func(c *talker, size int) {
		if _, err := fmt.Fprintf(c.nc, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s", size, strings.Repeat("x", size-1)); err != nil {
			t.Fatal(err)
		}
	}
	held := func(what string, c *conn, atLeast int64) {
		t.Helper()
		testenv.Eventually(t, 10*time.Second, what, func(context.Context) error {
			if bytes, _ := c.mem.size(); bytes < atLeast {
				return fmt.Errorf("it holds %d bytes", bytes)
			}
			return nil
		})
	}
	leaving.ask("WATCH k") // the engine has something to forget
	left, other := leaving.conn(n), stays.conn(n)
	n.engine.mu.Lock()
	send(leaving, 3_000_000)
	held("the first to hold what it sent", left, 3_000_000)
	leaving.nc.Close()
	testenv.Eventually(t, 10*time.Second, "the first to leave", func(context.Context) error {
		if got := n.server.clients(); got != 1 {
			return fmt.Errorf("%d connections", got)
		}
		return nil
	})
	send(stays, 1_500_000)
	held("the second to hold what it sent", other, 1_500_000)
	n.engine.mu.Unlock()
	stays.send("x")
	if got := stays.line(); got != "$1500000" {
		t.Errorf("the client that stayed got %.40q", got)
	}
	if got := n.server.memory.evicted.Load(); got != 0 {
		t.Errorf("%d were evicted", got)
	}
}

// While evicted connections hold more than the limit, nobody takes more.
func TestWaitForTheEvictedToGo(t *testing.T) {
	var m clientMemory
	a, b := footprint{all: &m}, footprint{all: &m}
	a.add(100)
	b.add(100)
	a.doom()
	if err := m.waitGone(t.Context(), 100); err != nil {
		t.Errorf("no more than the limit is held: %v", err)
	}
	b.doom()
	waited := make(chan error)
	go func() { waited <- m.waitGone(t.Context(), 50) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() { cancelled <- m.waitGone(ctx, 50) }()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("a connection that ends while it waits: %v", err)
	}
	a.end()
	select {
	case err := <-waited:
		t.Errorf("went on while 100 bytes are held: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	b.end()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// Making a reply is bounded like the reply: LCS needs a table of the product of
// both lengths, CLIENT LIST is as long as the names that clients give themselves.
func TestMakingOfRepliesIsBounded(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxMemoryClients = "4mb" })
	c := talk(t, n)
	c.ask("SET k " + strings.Repeat("k", 1000))
	if got := c.ask("LCS k k LEN"); !strings.HasPrefix(got, "-ERR Insufficient memory") {
		t.Errorf("LCS with a table of 4 MB: %q", got)
	}
	c.ask("SET k " + strings.Repeat("k", 500))
	if got := c.ask("LCS k k LEN"); got != ":500" {
		t.Errorf("LCS with a table of 1 MB: %q", got)
	}
	for range 13 {
		named := talk(t, n)
		for _, what := range []string{"SETNAME ", "SETINFO LIB-NAME ", "SETINFO LIB-VER "} {
			if got := named.ask("CLIENT " + what + strings.Repeat("n", 60_000)); got != "+OK" {
				t.Fatal(got)
			}
		}
	}
	c.send("CLIENT LIST")
	if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil && !isReset(err) {
		t.Errorf("CLIENT LIST of 2.3 MB: %d bytes (%v), want the connection closed", len(b), err)
	}
}

// conn is the server's end of c.
func (c *talker) conn(n *Node) *conn {
	var found *conn
	n.server.each(func(other *conn) {
		if fmt.Sprint(other.id) == c.id {
			found = other
		}
	})
	return found
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

func (n *Node) infoField(t *testing.T, name string) int64 {
	t.Helper()
	c := talk(t, n)
	c.send("INFO")
	c.line()
	for {
		if v, ok := strings.CutPrefix(c.line(), name+":"); ok {
			i, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			c.nc.Close()
			return i
		}
	}
}

// Past maxmemory-clients those go that hold most, what they hold being what
// they sent, and nobody else notices.
func TestEvictionOfWhoHoldsMost(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxMemoryClients = "8mb" })
	small, pinned := talk(t, n), talk(t, n)
	pinned.ask("CLIENT NO-EVICT ON")
	half := "*2\r\n$4\r\nECHO\r\n$2000000\r\n" + strings.Repeat("x", 1_500_000)
	send := func(c *talker, s string) {
		if _, err := io.WriteString(c.nc, s); err != nil {
			t.Fatal(err)
		}
	}
	send(pinned, half)
	var others []*talker
	for range 8 {
		others = append(others, talk(t, n))
		if _, err := io.WriteString(others[len(others)-1].nc, half); err != nil && !isReset(err) {
			t.Fatal(err)
		}
	}
	testenv.Eventually(t, 10*time.Second, "clients to be evicted", func(context.Context) error {
		if live := n.server.memory.live.Load(); live > 8<<20 || n.server.memory.evicted.Load() == 0 {
			return fmt.Errorf("%d bytes are held, %d were evicted", live, n.server.memory.evicted.Load())
		}
		return nil
	})
	send(pinned, strings.Repeat("x", 500_000)+"\r\n")
	if got := pinned.line(); got != "$2000000" {
		t.Errorf("the client that must not be evicted got %.80q", got)
	}
	if got := small.ask("PING"); got != "+PONG" {
		t.Errorf("a small client got %q", got)
	}
	for _, c := range others {
		c.nc.Close()
	}
	pinned.nc.Close()
	testenv.Eventually(t, 10*time.Second, "memory to be given back", func(context.Context) error {
		if held := n.infoField(t, "mem_clients_normal"); held > 100<<10 {
			return fmt.Errorf("mem_clients_normal is %d", held)
		}
		return nil
	})
	if evicted := n.infoField(t, "evicted_clients"); evicted < 1 || evicted > 8 {
		t.Errorf("evicted_clients is %d", evicted)
	}
}

// What sessions hold counts, however it came there.
func TestSessionMemoryCounts(t *testing.T) {
	n := startNode(t, nil)
	for _, c := range []struct {
		name    string
		fill    []string
		replies int
		atLeast int64
		clear   string
	}{
		{"empty arguments of a queued command", []string{"MULTI", "MGET" + strings.Repeat(` ""`, 10_000)}, 2, 240_000, "DISCARD"},
		{"queued commands", slices.Concat([]string{"MULTI"}, slices.Repeat([]string{"GET a"}, 3_000)), 3001, 300_000, "RESET"},
		{"watched keys", []string{"WATCH" + manyKeys(2_000)}, 1, 400_000, "UNWATCH"},
		{"a name", []string{"CLIENT SETNAME " + strings.Repeat("n", 60_000)}, 1, 60_000, "RESET"},
	} {
		talker := talk(t, n)
		size := func() int64 { bytes, _ := talker.conn(n).mem.size(); return bytes }
		before := size()
		for _, l := range c.fill {
			talker.send(l)
		}
		for range c.replies {
			if got := talker.line(); got[0] == '-' {
				t.Fatalf("%s: %q", c.name, got)
			}
		}
		if grown := size() - before; grown < c.atLeast {
			t.Errorf("%s: counted as %d bytes, want at least %d", c.name, grown, c.atLeast)
		}
		talker.ask(c.clear)
		testenv.Eventually(t, 10*time.Second, c.name+" to count no more", func(context.Context) error {
			talker.ask("PING")
			if left := size() - before; left > 150<<10 { // the read buffer and the chunk may be larger now
				return fmt.Errorf("%d bytes more than before", left)
			}
			return nil
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " %d", i)
	}
	return b.String()
}

// A transaction of many short arguments is refused when it would take more than
// client-query-buffer-limit, although it has few bytes.
func TestTransactionMemoryIsBounded(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	c.ask("CONFIG SET client-query-buffer-limit 1mb")
	c.ask("MULTI")
	line := "MGET" + strings.Repeat(` ""`, 10_000)
	for range 10 {
		if got := c.ask(line); got != "+QUEUED" {
			t.Fatalf("queueing: %q", got)
		}
	}
	if got := c.ask("EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
		t.Fatalf("EXEC of 2.4 MB of arguments: %.80q", got)
	}
}

// A short request cannot make the server build a reply of any size: the client
// is closed. What it had written is written, and logged.
func TestReplyIsBounded(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxMemoryClients = "4mb" })
	c := talk(t, n)
	c.ask("SET big " + strings.Repeat("b", 60_000))
	c.ask("HSET h f " + strings.Repeat("b", 60_000))
	for _, script := range [][]string{
		{"MGET" + strings.Repeat(" big", 1000)},
		{"HRANDFIELD h -9000000000000000000 WITHVALUES", "HRANDFIELD h -4000000000000000000"},
		{"MULTI", "SET written 1", "MGET" + strings.Repeat(" big", 1000), "SET written 2", "EXEC"},
	} {
		greedy := talk(t, n)
		for _, l := range script {
			greedy.send(l)
		}
		b, err := io.ReadAll(greedy.r)
		if len(b) > 1<<10 || err != nil && !isReset(err) {
			t.Errorf("%.40q: got %d bytes (%v), want the connection closed", script[0], len(b), err)
		}
	}
	if got := c.ask("GET written") + c.line(); got != "$12" {
		t.Errorf("what the closed client had written is %q", got)
	}
	if p := n.engine.primary; p.executed != p.appender.Executed() {
		t.Errorf("executed up to %d, logged up to %d", p.executed, p.appender.Executed())
	}
	if cut := n.infoField(t, "client_output_buffer_limit_disconnections"); cut != 3 {
		t.Errorf("client_output_buffer_limit_disconnections is %d, want 3", cut)
	}
}

// A pipeline of slow commands does not keep the others waiting for all of it.
func TestOthersRunBetweenSlowCommands(t *testing.T) {
	n := startNode(t, nil)
	slow, other := talk(t, n), talk(t, n)
	const commands = 40
	start := time.Now()
	slow.send(strings.Repeat("DEBUG SLEEP 0.05\r\n", commands-1) + "DEBUG SLEEP 0.05")
	slow.line() // the pipeline is running now
	other.ask("GET k")
	waited := time.Since(start)
	for range commands - 1 {
		slow.line()
	}
	if whole := time.Since(start); waited > whole/2 {
		t.Errorf("another client waited %v for a pipeline that took %v", waited, whole)
	}
}

// What waits to be committed is bounded to one command, however many
// connections write at once; and a client that is closed while it waits for room
// is gone.
func TestQueueIsBounded(t *testing.T) {
	n, kv := heldNode(t, func(c *Config) { c.HeadLimit = 512 << 20; c.MaxMemoryClients = "0" })
	kv.close()
	const size = 700_000
	set := fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n", size, strings.Repeat("v", size))
	write := func(c *talker) {
		if _, err := io.WriteString(c.nc, set); err != nil {
			t.Error(err)
		}
	}
	queue := func(above int64) {
		t.Helper()
		testenv.Eventually(t, 20*time.Second, "the queue to fill", func(context.Context) error {
			n.engine.mu.Lock()
			defer n.engine.mu.Unlock()
			got := n.engine.primary.appender.QueuedBytes()
			if got > maxQueue+size+100 {
				t.Fatalf("%d bytes wait to be committed, want at most %d and one command", got, maxQueue)
			}
			if got <= above {
				return fmt.Errorf("%d bytes", got)
			}
			return nil
		})
	}
	const fit = maxQueue / size // so many are within the bound, one more is not
	first := talk(t, n)
	for range fit {
		write(first)
	}
	queue(fit * size)
	// Those that follow all see room for one more, and wait for their turn.
	const writers = 8
	n.engine.mu.Lock()
	read := n.engine.stats.netInput.Load()
	for range writers {
		nc, err := net.Dial("tcp", n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		write(&talker{t: t, nc: nc})
	}
	testenv.Eventually(t, 20*time.Second, "all to have arrived", func(context.Context) error {
		if got := n.engine.stats.netInput.Load() - read; got < writers*size {
			return fmt.Errorf("%d bytes", got)
		}
		return nil
	})
	n.engine.mu.Unlock()
	queue(maxQueue)
	for range 100 { // in turn with those that wait for the lock
		queue(maxQueue)
	}
	n.server.each(func(c *conn) { c.out.end(errEvicted) })
	testenv.Eventually(t, 10*time.Second, "closed clients to be gone", func(context.Context) error {
		if got := n.server.clients(); got > 0 {
			return fmt.Errorf("%d connections", got)
		}
		return nil
	})
}
