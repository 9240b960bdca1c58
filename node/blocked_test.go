package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/wal"
)

// reply is the next whole reply, flat.
func (c *talker) reply() string {
	c.t.Helper()
	l := c.line()
	n, err := strconv.Atoi(l[1:])
	switch {
	case err != nil || n < 0:
		return l
	case l[0] == '$':
		return c.line()
	case l[0] == '*':
		var all []string
		for range n {
			all = append(all, c.reply())
		}
		return "[" + strings.Join(all, " ") + "]"
	}
	return l
}

func (c *talker) get(line string) string {
	c.t.Helper()
	c.send(line)
	return c.reply()
}

// block sends a command and waits until it blocks.
func (c *talker) block(n *Node, line string) {
	c.t.Helper()
	c.send(line)
	testenv.Eventually(c.t, 10*time.Second, line+" to block", func(context.Context) error {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if s := c.conn(n); s == nil || s.blocked == nil {
			return errors.New("it does not")
		}
		return nil
	})
}

func blockedCount(t *testing.T, n *Node, want int) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, "clients to be blocked", func(context.Context) error {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if got := len(n.engine.waits.waiting); got != want {
			return fmt.Errorf("%d are, want %d", got, want)
		}
		return nil
	})
}

// effects are the effects in the log from seq on, a unit a line.
func effects(t *testing.T, n *Node, from uint64) []string {
	t.Helper()
	var units []string
	to := n.engine.primary.appender.Committed()
	err := n.shard.ReadHead(t.Context(), from, to, func(e *wal.Entry, _ int) error {
		return wal.EachUnit(e.Payload, func(effects []wal.Effect) error {
			var u []string
			for _, f := range effects {
				u = append(u, strings.Trim(fmt.Sprintf("%s", f.Args), "[]"))
			}
			units = append(units, strings.Join(u, "; "))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return units
}

// Invariant 1: what a blocked client is served leaves only once the pop is committed,
// and so does what it is told when its time has passed, if that depends on a write.
func TestServedRepliesWaitForTheirCommit(t *testing.T) {
	n, kv := heldNode(t, nil)
	writer, waiter, late := talk(t, n), talk(t, n), talk(t, n)
	writer.ask("RPUSH last x")
	waiter.block(n, "BLPOP k 0")
	kv.close()
	writer.send("RPUSH k a")
	writer.waits(n, 1)
	waiter.waits(n, 1)
	writer.send("LPOP last")
	writer.waits(n, 2)
	late.send("BLPOP last 0.01")
	late.waits(n, 1)
	kv.release()
	if got := waiter.reply(); got != "[k a]" {
		t.Errorf("served: %q", got)
	}
	if got := late.reply(); got != "*-1" {
		t.Errorf("after its time: %q", got)
	}
	if got := writer.reply() + writer.reply(); got != ":1x" {
		t.Errorf("writer: %q", got)
	}
}

// Invariant 10: a served pop that was not committed is not served, and the element is
// there for the next primary to serve.
func TestServedPopsAreDroppedWithTheTerm(t *testing.T) {
	n, kv := heldNode(t, nil)
	writer, waiter, other := talk(t, n), talk(t, n), talk(t, n)
	waiter.block(n, "BLPOP k 0")
	other.block(n, "BLPOP elsewhere 0")
	kv.close()
	writer.send("RPUSH k a")
	waiter.waits(n, 1)
	if err := n.shard.RevokeLeader(t.Context(), n.cfg.NodeID); err != nil {
		t.Fatal(err)
	}
	if got, err := waiter.r.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("the served client got %q, %v", got, err)
	}
	if got := other.line(); got != "-"+errUnblockedByRole {
		t.Errorf("the waiting client got %q", got)
	}
	if got, err := other.r.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("and then %q, %v", got, err)
	}
	kv.release()
}

// A pop that was served is a unit of its own, right behind the write that woke it.
func TestServedPopsInTheLog(t *testing.T) {
	n := startNode(t, nil)
	w, a, b := talk(t, n), talk(t, n), talk(t, n)
	w.ask("RPUSH seed x") // so that there is a committed seq to count from
	a.block(n, "BLMOVE k l LEFT RIGHT 0")
	b.block(n, "BLMPOP 0 2 other l LEFT COUNT 5")
	from := n.engine.primary.appender.Committed() + 1
	w.send("MULTI\r\nRPUSH k 1 2\r\nSET s v\r\nEXEC\r\nSET after v")
	if got := a.reply() + b.reply(); got != "1[l [1]]" {
		t.Errorf("served %q", got)
	}
	for range 5 {
		w.reply()
	}
	want := []string{"RPUSH k 1 2; SET s v", "LMOVE k l LEFT RIGHT", "LPOP l", "SET after v"}
	if got := effects(t, n, from); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// Whoever leaves is not served, whether it closes its connection or is killed, also
// with commands or bytes that are none behind the one that blocks.
func TestBlockedClientsThatLeave(t *testing.T) {
	n := startNode(t, nil)
	w := talk(t, n)
	for i, more := range []string{"", "\r\nPING", "\r\nPING\r\nPIN", "\r\n*x\r\nrest"} {
		c := talk(t, n)
		c.block(n, "BLPOP k 0"+more)
		c.send("more") // what comes while it waits is read, and waits
		if i == 0 {
			if got := w.ask("CLIENT KILL ID " + c.id); got != ":1" {
				t.Fatal(got)
			}
		} else {
			c.nc.Close()
		}
		blockedCount(t, n, 0)
	}
	w.ask("RPUSH k a")
	if got := w.get("LRANGE k 0 -1"); got != "[a]" {
		t.Errorf("k is %s", got)
	}
	if got := n.engine.gate.unsettled.Load(); got != 0 {
		t.Errorf("%d replies are still to be settled", got)
	}
}

// Commands behind one that blocks run once it is served, those that were read with it
// and those that came later.
func TestPipelineBehindABlockedCommand(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	c.block(n, "PING\r\nBLPOP k 0\r\nSET x 1\r\nRPUSH m \"a b\"\r\nBLPOP nokey m 0")
	c.send("GET x\r\n*x")
	if got := c.reply(); got != "+PONG" {
		t.Fatal(got)
	}
	if got := w.get("EXISTS x m"); got != ":0" {
		t.Fatalf("what is behind a blocked command ran: %s", got)
	}
	w.ask("RPUSH k a")
	var got []string
	for range 6 {
		got = append(got, c.reply())
	}
	want := []string{"[k a]", "+OK", ":1", "[m a b]", "1", "-ERR Protocol error: invalid multibulk length"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil {
		t.Errorf("then %q, %v", b, err)
	}
}

// CLIENT REPLY holds for what is served, too.
func TestBlockedAndSilent(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	c.block(n, "CLIENT REPLY SKIP\r\nBLPOP k 0\r\nPING")
	w.ask("RPUSH k a")
	if got := c.reply(); got != "+PONG" {
		t.Errorf("%q", got)
	}
	if got := w.get("LLEN k"); got != ":0" {
		t.Errorf("k has %s elements", got)
	}
}

func TestBlockedClientsAreShown(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	if got := n.infoField(t, "blocked_clients"); got != 0 {
		t.Errorf("%d blocked", got)
	}
	before, _ := c.conn(n).mem.size()
	c.block(n, "BLPOP "+strings.Repeat("k", 3000)+" 0")
	if got := n.infoField(t, "blocked_clients"); got != 1 {
		t.Errorf("%d blocked", got)
	}
	testenv.Eventually(t, 10*time.Second, "its memory to be counted", func(context.Context) error {
		if now, _ := c.conn(n).mem.size(); now < before+6000 {
			return fmt.Errorf("%d bytes, %d before", now, before)
		}
		return nil
	})
	w.send("CLIENT LIST ID " + c.id)
	w.line()
	if got := w.line(); !strings.Contains(got, " flags=b ") || !strings.Contains(got, " cmd=blpop ") {
		t.Errorf("%q", got)
	}
	w.line()
	if got := w.ask("CLIENT UNBLOCK " + c.id); got != ":1" {
		t.Errorf("unblock: %s", got)
	}
	if got := c.reply(); got != "*-1" {
		t.Errorf("unblocked: %s", got)
	}
}

// A planned hand-over answers those who wait and ends their connections; it does not
// wait for them. What was served before it gets its answer.
func TestHandoverUnblocks(t *testing.T) {
	store := testStore(t)
	first := startNode(t, func(c *Config) { c.Store = store })
	cfg := first.cfg
	cfg.NodeID, cfg.AZ, cfg.Metrics = "n2", "b", nil
	second := runNode(t, cfg)
	waitRole(t, second, RoleReplica)
	testenv.Eventually(t, 10*time.Second, "the replica to be known", func(context.Context) error {
		if len(first.replicas()) == 0 {
			return errors.New("no replica")
		}
		return nil
	})
	w, served, waits := talk(t, first), talk(t, first), talk(t, first)
	served.block(first, "BLPOP k 0")
	waits.block(first, "BLPOP l 0")
	w.ask("RPUSH k a")
	if err := first.shard.RequestHandover(t.Context(), etcdfence.Handover{}); err != nil {
		t.Fatal(err)
	}
	if got := served.reply(); got != "[k a]" {
		t.Errorf("served: %q", got)
	}
	if b, err := io.ReadAll(waits.r); string(b) != "-"+errUnblockedByRole+"\r\n" || err != nil {
		t.Errorf("waiting: %q, %v", b, err)
	}
	waitRole(t, second, RolePrimary)
	c, d := talk(t, second), talk(t, second)
	c.block(second, "BLPOP l 0")
	d.ask("RPUSH l b")
	if got := c.reply(); got != "[l b]" {
		t.Errorf("on the new primary: %q", got)
	}
}

// Many clients wait, time out, leave and are served at once; each element goes to
// exactly one of them.
func TestManyBlockedClients(t *testing.T) {
	n := startNode(t, nil)
	const clients, each = 12, 30
	got := make(chan string, clients*each*2)
	ended := make(chan struct{}, clients)
	for i := range clients {
		c := talk(t, n)
		go func() {
			defer func() { ended <- struct{}{} }()
			for range each {
				timeout := []string{"0", "0.001", "0.005"}[i%3]
				fmt.Fprintf(c.nc, "BLPOP a b %s\r\n", timeout)
				for {
					l, err := c.r.ReadString('\n')
					if err != nil {
						return
					}
					if l = strings.TrimSpace(l); l == "*-1" {
						fmt.Fprintf(c.nc, "BLPOP b a %s\r\n", timeout)
						continue
					}
					for range 4 {
						l, _ = c.r.ReadString('\n')
					}
					got <- strings.TrimSpace(l)
					break
				}
			}
		}()
	}
	w := talk(t, n)
	for i := range clients * each {
		w.ask(fmt.Sprintf("RPUSH %s %d", []string{"a", "b"}[i%2], i))
	}
	for range clients {
		<-ended
	}
	close(got)
	seen := map[string]bool{}
	for e := range got {
		if seen[e] {
			t.Errorf("%s was served twice", e)
		}
		seen[e] = true
	}
	if len(seen) != clients*each {
		t.Errorf("%d elements were served, want %d", len(seen), clients*each)
	}
}

// waitList is a blocking command that only reads, as XREAD is: it answers the length of
// a list as soon as there is one, or with ANY tells also that the key became another.
func waitList(x *command.Ctx) {
	until, ok := x.TimeoutMillis(2)
	if !ok {
		return
	}
	ref, found := x.LookupRead(x.Args[1])
	anyChange := len(x.Args) > 3
	switch {
	case found && ref.List() != nil:
		x.Out.Int(int64(ref.List().Len()))
	case found && anyChange:
		x.WrongType()
	case !x.Block(command.Wait{Keys: x.Args[1:2], Type: keyspace.TypeList, Until: until, AnyChange: anyChange,
		Args: append(x.Args[:3:3], []byte("AGAIN"))}):
		x.Out.NullArray()
	}
}

// knowWaitList gives a node a table with waitList.
func knowWaitList(n *Node) {
	row := &command.Command{Name: "waitlist", Group: "list", Since: "1.0.0", Arity: -3, Flags: command.ReadOnly | command.Blocking,
		KeySpecs: []command.KeySpec{command.Key(1, command.KeyRO)}, Handler: waitList}
	table := command.NewTable(command.Data(), connectionRows(), clientRows(), infoRows(), transactionRows(), []*command.Command{row})
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	n.engine.table = table
}

// Readers wait on replicas, too, are served from what is committed, and wait on when
// the replica becomes the primary. A primary that becomes a replica unblocks them.
func TestReadersWaitOnReplicas(t *testing.T) {
	store := testStore(t)
	first := startNode(t, func(c *Config) { c.Store = store })
	cfg := first.cfg
	cfg.NodeID, cfg.AZ, cfg.Metrics = "n2", "b", nil
	second := runNode(t, cfg)
	knowWaitList(first)
	knowWaitList(second)
	waitRole(t, second, RoleReplica)
	w, onPrimary, a, b := talk(t, first), talk(t, first), talk(t, second), talk(t, second)
	for _, c := range []*talker{a, b} {
		if got := c.ask("WAITLIST k 0"); got != "-"+string(errReplicaRead) {
			t.Errorf("without READONLY: %s", got)
		}
		c.ask("READONLY")
	}
	a.block(second, "WAITLIST k 0")
	b.block(second, "WAITLIST l 0")
	onPrimary.block(first, "WAITLIST l 0")
	w.ask("RPUSH k x y")
	if got := a.reply(); got != ":2" {
		t.Errorf("served on the replica: %s", got)
	}
	if got := a.get("WAITLIST nokey 10"); got != "*-1" {
		t.Errorf("timed out on the replica: %s", got)
	}
	testenv.Eventually(t, 10*time.Second, "the replica to be known", func(context.Context) error {
		if len(first.replicas()) == 0 {
			return errors.New("no replica")
		}
		return nil
	})
	if err := first.shard.RequestHandover(t.Context(), etcdfence.Handover{}); err != nil {
		t.Fatal(err)
	}
	if got := onPrimary.line(); got != "-"+errUnblockedByRole {
		t.Errorf("on the primary that was: %s", got)
	}
	waitRole(t, second, RolePrimary)
	a.ask("RPUSH l x")
	if got := b.reply(); got != ":1" {
		t.Errorf("on the primary that is: %s", got)
	}
}

// A command may ask to hear of any change of its keys, and to be run again with other
// arguments.
func TestAnyChangeWakes(t *testing.T) {
	n := startNode(t, nil)
	knowWaitList(n)
	w, c, d := talk(t, n), talk(t, n), talk(t, n)
	d.block(n, "WAITLIST k 0")
	c.block(n, "WAITLIST k 0 ANY")
	w.ask("SET other v")
	w.ask("MULTI")
	w.ask("SET k v")
	w.ask("DEL k")
	w.send("EXEC") // at its end k is as it was, and c waits on
	w.reply()
	w.ask("SET k v")
	if got := c.reply(); !strings.HasPrefix(got, "-WRONGTYPE") {
		t.Errorf("told %s", got)
	}
	n.engine.mu.Lock()
	if b := d.conn(n).blocked; b == nil || string(b.args[3]) != "AGAIN" {
		t.Errorf("it is run again with %q", b.args)
	}
	n.engine.mu.Unlock()
	w.ask("DEL k")
	w.ask("RPUSH k x")
	if got := d.reply(); got != ":1" {
		t.Errorf("served %s", got)
	}
}

// A wait is one call, counted when it ends, however it does.
func TestWaitsAreCountedWhenTheyEnd(t *testing.T) {
	n := startNode(t, nil)
	w, c := talk(t, n), talk(t, n)
	w.ask("CONFIG RESETSTAT")
	numbers := func() (calls, failed, told uint64) {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		if s := n.engine.stats.known(n.engine.table.Find([]byte("blpop"))); s != nil {
			calls, failed = s.calls, s.failed
		}
		return calls, failed, n.engine.stats.errors["UNBLOCKED"]
	}
	check := func(what string, wantCalls, wantFailed, wantTold uint64) {
		t.Helper()
		if calls, failed, told := numbers(); calls != wantCalls || failed != wantFailed || told != wantTold {
			t.Errorf("%s: %d calls, %d failed, %d told UNBLOCKED; want %d, %d, %d", what, calls, failed, told, wantCalls, wantFailed, wantTold)
		}
	}
	c.block(n, "BLPOP k 0")
	check("waiting", 0, 0, 0)
	w.ask("CLIENT UNBLOCK " + c.id + " ERROR")
	c.reply()
	check("unblocked with an error", 1, 1, 1)
	c.block(n, "BLPOP k 0")
	w.ask("CLIENT UNBLOCK " + c.id)
	c.reply()
	check("unblocked", 2, 1, 1)
	c.get("BLPOP k 0.01")
	check("timed out", 3, 1, 1)
	c.block(n, "BLPOP k 0")
	w.ask("RPUSH k a")
	c.reply()
	check("served", 4, 1, 1)
}
