package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A group's reader that waits is told, as since Redis 7.2, when what it reads is gone.
func TestBlockedReadersOfGroupsThatGo(t *testing.T) {
	n := startNode(t, nil)
	w := talk(t, n)
	const gone = "-NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option"
	for _, c := range []struct{ request, want string }{
		{"XGROUP DESTROY k g", gone},
		{"DEL k", gone},
		{"RENAME k l", gone},
		{"FLUSHALL", gone},
		{"PEXPIREAT k 1", gone},
		{"SET k v", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
	} {
		w.get("DEL k")
		w.ask("XGROUP CREATE k g $ MKSTREAM")
		reader := talk(t, n)
		reader.block(n, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >")
		w.get("XGROUP CREATE k h $")
		w.send(c.request)
		if got := reader.reply(); got != c.want {
			t.Errorf("%s: the reader got %q", c.request, got)
		}
		w.reply()
	}
}

// XREAD waits on while its key is gone or another type, and is served once it is a
// stream again.
func TestXReadWaitsForAStreamToComeBack(t *testing.T) {
	n := startNode(t, nil)
	w := talk(t, n)
	for _, request := range []string{"DEL k", "SET k v", "RENAME k l", "FLUSHALL", "PEXPIREAT k 1"} {
		w.get("DEL k")
		w.get("XADD k 666 f v")
		reader := talk(t, n)
		reader.block(n, "XREAD BLOCK 0 STREAMS k $")
		w.get(request)
		w.get("DEL k")
		w.get("XADD k 667 f w")
		if got, want := reader.reply(), "[[k [[667-0 [f w]]]]]"; got != want {
			t.Errorf("%s: the reader got %q, want %q", request, got, want)
		}
	}
}

// What groups do with a stream gives nobody more to read: it wakes nobody.
func TestAcknowledgingWakesNobody(t *testing.T) {
	n := startNode(t, nil)
	w, reader, group := talk(t, n), talk(t, n), talk(t, n)
	w.get("XADD k 1 f v")
	w.ask("XGROUP CREATE k g 0")
	w.get("XREADGROUP GROUP g c STREAMS k >")
	reader.block(n, "XREAD BLOCK 0 STREAMS k $")
	group.block(n, "XREADGROUP GROUP g d BLOCK 0 STREAMS k >")
	commands := func() uint64 {
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		return uint64(n.engine.stats.commands)
	}
	requests := []string{
		"XCLAIM k g d 0 1", "XAUTOCLAIM k g c 0 0", "XREADGROUP GROUP g c STREAMS k 0", "XACK k g 1", "XGROUP CREATECONSUMER k g e",
		"XGROUP DELCONSUMER k g e", "XSETID k 5", "XDEL k 1", "XTRIM k MAXLEN 0",
	}
	before := commands()
	for _, r := range requests {
		if got := w.get(r); strings.HasPrefix(got, "-") {
			t.Errorf("%s: %s", r, got)
		}
	}
	if got := commands() - before; got != uint64(len(requests)) {
		t.Errorf("%d commands ran for %d", got, len(requests))
	}
	from := n.engine.primary.appender.Committed() + 1
	w.get("XADD k 6 f v")
	if a, b := reader.reply(), group.reply(); a != "[[k [[6-0 [f v]]]]]" || b != a {
		t.Errorf("served %s and %s", a, b)
	}
	log := effects(t, n, from)
	i := slices.IndexFunc(log, func(u string) bool { return strings.HasPrefix(u, "XCLAIM") })
	if i != 1 || !strings.HasPrefix(log[1], "XCLAIM k g d 0 6-0 TIME ") || !strings.HasSuffix(log[1], " RETRYCOUNT 1 FORCE JUSTID; XGROUP SETID k g 6-0 ENTRIESREAD 2") {
		t.Errorf("the log has %q", log)
	}
}

// XREAD BLOCK on a replica waits for what comes by the log.
func TestStreamsBlockOnReplicas(t *testing.T) {
	store := testStore(t)
	first := startNode(t, func(c *Config) { c.Store = store })
	cfg := first.cfg
	cfg.NodeID, cfg.AZ, cfg.Metrics = "n2", "b", nil
	second := runNode(t, cfg)
	waitRole(t, second, RoleReplica)
	w, r := talk(t, first), talk(t, second)
	w.get("XADD k 1 f v")
	r.ask("READONLY")
	r.block(second, "XREAD BLOCK 0 STREAMS k 1-0")
	w.get("XADD k 2 f w")
	if got, want := r.reply(), "[[k [[2-0 [f w]]]]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := r.get("XREADGROUP GROUP g c BLOCK 0 STREAMS k >"); !strings.HasPrefix(got, "-READONLY") {
		t.Error(fmt.Sprint("XREADGROUP on a replica: ", got))
	}
}
