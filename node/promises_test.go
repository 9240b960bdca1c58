package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/wal"
)

// heldKV is etcd as seen through a link that can be held: transactions that put
// log entries then wait, in the order of arrival, until release.
type heldKV struct {
	clientv3.KV
	mu   sync.Mutex
	hold chan struct{} // nil: open
}

func (k *heldKV) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hold = make(chan struct{})
}

func (k *heldKV) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hold != nil {
		close(k.hold)
		k.hold = nil
	}
}

func (k *heldKV) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	if err := k.wait(ctx, op); err != nil {
		return clientv3.OpResponse{}, err
	}
	return k.KV.Do(ctx, op)
}

func (k *heldKV) wait(ctx context.Context, op clientv3.Op) error {
	_, then, _ := op.Txn()
	for _, o := range then {
		if !o.IsPut() || !strings.Contains(string(o.KeyBytes()), "/log/") {
			continue
		}
		k.mu.Lock()
		hold := k.hold
		k.mu.Unlock()
		if hold == nil {
			return nil
		}
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// heldNode is a primary whose appends can be held.
func heldNode(t *testing.T, change func(*Config)) (*Node, *heldKV) {
	t.Helper()
	cli := v3client.New(member.Server)
	t.Cleanup(func() { cli.Close() })
	kv := &heldKV{KV: cli.KV}
	cli.KV = kv
	n := startNode(t, func(c *Config) {
		c.Etcd = cli
		c.LeaseTTL = 10 * time.Second
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(kv.release)
	return n, kv
}

// talker is a client that can look whether a reply has come.
type talker struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
	id string
}

func talk(t *testing.T, n *Node) *talker {
	t.Helper()
	c := dial(t, n)
	c.id = strings.TrimPrefix(c.ask("CLIENT ID"), ":")
	return c
}

// dial is talk for a client that has to authenticate first.
func dial(t *testing.T, n *Node) *talker {
	t.Helper()
	return talkTo(t, n.Addr())
}

func talkTo(t *testing.T, addr string) *talker {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &talker{t: t, nc: nc, r: bufio.NewReader(nc)}
}

func (c *talker) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// line is the next line of a reply.
func (c *talker) line() string {
	c.t.Helper()
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reply: %v", err)
	}
	return strings.TrimSpace(s)
}

func (c *talker) ask(line string) string {
	c.t.Helper()
	c.send(line)
	return c.line()
}

// waits checks that so many of c's replies are held by the server.
func (c *talker) waits(n *Node, replies int) {
	c.t.Helper()
	testenv.Eventually(c.t, 10*time.Second, "replies to be held", func(context.Context) error {
		held := -1
		n.server.each(func(other *conn) {
			if fmt.Sprint(other.id) == c.id {
				_, held = other.out.size()
			}
		})
		if held != replies {
			return fmt.Errorf("%d held, want %d", held, replies)
		}
		return nil
	})
}

// Invariant 1, on the whole node: a write's reply waits for its commit, and so
// does a read that saw it; a read that did not see it answers at once.
func TestReadsOfUncommittedKeysWait(t *testing.T) {
	n, kv := heldNode(t, nil)
	writer, reader, other := talk(t, n), talk(t, n), talk(t, n)
	writer.ask("SET k old")
	writer.ask("SET unrelated 1")

	kv.close()
	writer.send("SET k new")
	writer.waits(n, 1)
	reader.send("GET k")
	reader.waits(n, 1)
	reader.send("PING") // replies of one connection keep their order
	reader.waits(n, 2)
	if got := other.ask("GET unrelated"); got != "$1" {
		t.Fatalf("read of a committed key: %q", got)
	}
	other.line()
	for _, whole := range []string{"DBSIZE", "SCAN 0", "KEYS *", "RANDOMKEY"} {
		c := talk(t, n)
		c.send(whole)
		c.waits(n, 1)
	}
	for _, noChange := range []string{"SETNX k other", "HGET k f", "STRLEN k", "EXISTS unrelated k"} {
		c := talk(t, n)
		c.send(noChange)
		c.waits(n, 1)
	}
	kv.release()
	if got := writer.line(); got != "+OK" {
		t.Fatalf("write: %q", got)
	}
	if got := reader.line() + reader.line() + reader.line(); got != "$3new+PONG" {
		t.Fatalf("read after the commit: %q", got)
	}
}

// Invariant 10: when the term ends before the commit, what was executed is not
// served by anybody: those who wait are cut and the value is the old one.
func TestUncommittedWritesAreDroppedWithTheTerm(t *testing.T) {
	n, kv := heldNode(t, nil)
	writer, reader := talk(t, n), talk(t, n)
	writer.ask("SET k old")
	before := n.engine.position().Epoch
	kv.close()
	writer.send("SET k new")
	writer.waits(n, 1)
	reader.send("GET k")
	reader.waits(n, 1)
	if err := n.shard.RevokeLeader(t.Context(), n.cfg.NodeID); err != nil {
		t.Fatal(err)
	}
	// Appends stay held, the next epoch's opening entry too: it is the end of
	// the term that cuts them, not the beginning of another.
	for name, c := range map[string]*talker{"writer": writer, "reader": reader} {
		if got, err := c.r.ReadString('\n'); !errors.Is(err, io.EOF) {
			t.Fatalf("the %s of an uncommitted value got %q, %v", name, got, err)
		}
	}
	kv.release()
	testenv.Eventually(t, 20*time.Second, "a new term", func(context.Context) error {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if p := n.engine.primary; p == nil || p.term.Epoch() <= before {
			return errors.New("not yet")
		}
		return nil
	})
	again := talk(t, n)
	if got := again.ask("GET k") + again.line(); got != "$3old" {
		t.Fatalf("after the new epoch k is %q", got)
	}
}

// Invariant 6: a transaction is one unit of one entry.
func TestTransactionIsOneUnit(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	for _, l := range []string{"MULTI", "SET a 1", "HSET h f 1", "INCR a"} {
		c.ask(l)
	}
	from := n.engine.primary.appender.Committed() + 1
	c.send("EXEC")
	for range 4 {
		c.line()
	}
	var units [][]string
	err := n.shard.ReadHead(t.Context(), from, from, func(e *wal.Entry, _ int) error {
		return wal.EachUnit(e.Payload, func(effects []wal.Effect) error {
			var u []string
			for _, f := range effects {
				u = append(u, string(f.Args[0]))
			}
			units = append(units, u)
			return nil
		})
	})
	if err != nil || len(units) != 1 || len(units[0]) != 3 {
		t.Fatalf("the transaction is in the log as %v (%v)", units, err)
	}
}

// Invariants 4 and 5: after a planned hand-over the other node has everything,
// its epoch's opening entry is in the log, and both hold the same data.
func TestHandover(t *testing.T) {
	store := testStore(t)
	first := startNode(t, func(c *Config) { c.Store = store })
	cfg := first.cfg
	cfg.NodeID, cfg.AZ, cfg.Metrics = "n2", "b", nil
	second := runNode(t, cfg)
	waitRole(t, second, RoleReplica)
	c := talk(t, first)
	for i := range 100 {
		c.ask(fmt.Sprintf("SET k%d %d", i, i))
	}
	testenv.Eventually(t, 10*time.Second, "the replica to be known", func(context.Context) error {
		if len(first.replicas()) == 0 {
			return errors.New("no replica")
		}
		return nil
	})
	// A replica that has everything has no lag, however long ago it said so.
	testenv.Eventually(t, 10*time.Second, "the replica to have everything", func(context.Context) error {
		peer := talk(t, first)
		peer.send("INFO replication\r\nQUIT")
		text, err := io.ReadAll(peer.r)
		if err != nil || !strings.Contains(string(text), ",lag=0,") || !strings.Contains(string(text), "behind_entries=0") {
			return fmt.Errorf("%s, %v", text, err)
		}
		return nil
	})
	if err := first.shard.RequestHandover(t.Context(), etcdfence.Handover{}); err != nil {
		t.Fatal(err)
	}
	waitRole(t, second, RolePrimary)
	waitRole(t, first, RoleReplica)
	if got := c.ask("SET k0 x"); got != "-"+string(errReadOnly) {
		t.Fatalf("the old primary answers a write with %q", got)
	}
	d := talk(t, second)
	if got := d.ask("GET k99") + d.line(); got != "$299" {
		t.Fatalf("the new primary has k99 = %q", got)
	}
	d.ask("SET after 1")
	seq := second.engine.position().Seq
	opened := false
	err := second.shard.ReadHead(t.Context(), seq, seq, func(e *wal.Entry, _ int) error {
		opened = e.Kind == wal.KindEpochOpened && string(e.Payload) == "n2"
		return nil
	})
	if err != nil || !opened {
		t.Fatalf("entry %d does not open n2's epoch (%v)", seq, err)
	}
	testenv.Eventually(t, 10*time.Second, "both to hold the same", func(context.Context) error {
		first.engine.mu.Lock()
		a := first.engine.ks.Digest()
		first.engine.mu.Unlock()
		second.engine.mu.Lock()
		b := second.engine.ks.Digest()
		second.engine.mu.Unlock()
		if a != b {
			return fmt.Errorf("%v and %v", a, b)
		}
		return nil
	})
}

// The data comes back from object storage and etcd alone, and the expiry of keys
// is in the log.
func TestRestartAndExpiry(t *testing.T) {
	store := testStore(t)
	sealEarly := func(c *Config) { c.Store, c.SegmentSize, c.SegmentAge = store, 4096, 50*time.Millisecond }
	first := startNode(t, sealEarly)
	c := talk(t, first)
	c.ask("SET gone 1 PX 1")
	for i := range 200 {
		c.ask(fmt.Sprintf("SET k%d %s", i, strings.Repeat("x", 100)))
	}
	testenv.Eventually(t, 10*time.Second, "sealing and active expiry", func(context.Context) error {
		first.engine.mu.Lock()
		defer first.engine.mu.Unlock()
		if n := first.engine.ks.Len(); n != 200 {
			return fmt.Errorf("%d keys", n)
		}
		if s := first.engine.primary.sealedSeq(); s < 200 {
			return fmt.Errorf("sealed up to %d", s)
		}
		return nil
	})
	cfg := first.cfg
	cfg.NodeID, cfg.Metrics = "n2", nil
	second := runNode(t, cfg)
	waitRole(t, second, RoleReplica)
	first.engine.mu.Lock()
	want := first.engine.ks.Digest()
	first.engine.mu.Unlock()
	second.engine.mu.Lock()
	got := second.engine.ks.Digest()
	second.engine.mu.Unlock()
	if got != want {
		t.Fatalf("from segments and head: digest %v, the primary's is %v", got, want)
	}
}

// A shard that etcd has forgotten is not begun anew over its own data.
func TestForgottenShardIsRefused(t *testing.T) {
	store := testStore(t)
	n := startNode(t, func(c *Config) { c.Store, c.SegmentSize, c.SegmentAge = store, 4096, 50*time.Millisecond })
	c := talk(t, n)
	c.ask("SET k v")
	testenv.Eventually(t, 10*time.Second, "a segment", func(context.Context) error {
		infos, err := n.segments.List(t.Context())
		if err == nil && len(infos) == 0 {
			err = errors.New("none")
		}
		return err
	})
	cfg := n.cfg
	cfg.Cluster, cfg.Metrics = "another", nil
	cfg.Listen = "127.0.0.1:0"
	forgotten, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer forgotten.Close()
	if err := forgotten.Run(t.Context()); !errors.Is(err, snapshot.ErrDataLeft) {
		t.Fatalf("got %v", err)
	}
}

func TestRequirePass(t *testing.T) {
	n := startNode(t, func(c *Config) { c.RequirePass = "secret" })
	c := dial(t, n)
	for _, step := range [][2]string{
		{"GET k", "-NOAUTH Authentication required."},
		{"AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled."},
		{"AUTH other secret", "-WRONGPASS invalid username-password pair or user is disabled."},
		{"AUTH secret", "+OK"},
		{"GET k", "$-1"},
		{"RESET", "+RESET"},
		{"GET k", "-NOAUTH Authentication required."},
		{"AUTH default secret", "+OK"},
		{"GET k", "$-1"},
	} {
		if got := c.ask(step[0]); got != step[1] {
			t.Fatalf("%s: %q, want %q", step[0], got, step[1])
		}
	}
}

func TestClientReply(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	c.send("CLIENT REPLY SKIP\r\nSET a 1\r\nGET a")
	if got := c.line() + c.line(); got != "$11" {
		t.Fatalf("after SKIP: %q", got)
	}
	c.send("CLIENT REPLY OFF\r\nSET a 2\r\nGET a\r\nCLIENT REPLY ON\r\nGET a")
	if got := c.line() + c.line() + c.line(); got != "+OK$12" {
		t.Fatalf("after OFF and ON: %q", got)
	}
}

func TestClientKill(t *testing.T) {
	n := startNode(t, nil)
	a, b := talk(t, n), talk(t, n)
	if got := a.ask("CLIENT KILL ID " + b.id); got != ":1" {
		t.Fatalf("kill: %q", got)
	}
	if got := a.ask("CLIENT KILL ID " + b.id); got != ":0" {
		t.Fatalf("kill again: %q", got)
	}
	if _, err := b.r.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Fatalf("the killed client got %v", err)
	}
	if got := a.ask("CLIENT KILL TYPE normal SKIPME no"); got != ":1" {
		t.Fatalf("kill of itself: %q", got)
	}
	if _, err := a.r.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Fatalf("the client that killed itself got %v", err)
	}
}

// A client that was killed is gone for others before its goroutine has cleaned up.
func TestKilledClientIsNotListed(t *testing.T) {
	s := &server{conns: map[*conn]struct{}{}}
	mine, theirs := net.Pipe()
	defer theirs.Close()
	c := &conn{nc: mine, out: newOutput(mine, func() outputLimit { return outputLimit{} })}
	s.conns[c] = struct{}{}
	if got := s.sorted(); len(got) != 1 {
		t.Fatalf("%d clients, want 1", len(got))
	}
	if !c.out.end(net.ErrClosed) || c.out.end(net.ErrClosed) {
		t.Error("the first end counts, and no other")
	}
	if got := s.sorted(); len(got) != 0 {
		t.Errorf("%d clients after the end of the only one", len(got))
	}
}

func TestQuitAndProtocolErrorsClose(t *testing.T) {
	n := startNode(t, nil)
	for line, want := range map[string]string{
		"PING\r\nQUIT\r\nPING":    "+PONG\r\n+OK\r\n",
		"PING\r\nPOST / HTTP/1.1": "+PONG\r\n",
		"PING\r\n*x":              "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
	} {
		c := talk(t, n)
		c.send(line)
		if b, err := io.ReadAll(c.r); string(b) != want {
			t.Errorf("%q: %q, %v", line, b, err)
		}
	}
}

func TestMaxClients(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxClients = 1 })
	talk(t, n)
	nc, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(nc)
	if string(b) != "-ERR max number of clients reached\r\n" {
		t.Fatalf("%q, %v", b, err)
	}
}
