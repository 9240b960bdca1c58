package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestHeapLimit(t *testing.T) {
	const limit = 64 << 20 // steps of 1 MiB
	for _, c := range []struct{ limit, arenas, want int64 }{
		{limit, 0, limit},
		{limit, 1, limit - 1<<20},
		{limit, 16 << 20, 48 << 20},
		{limit, 48 << 20, 16 << 20},
		{limit, 60 << 20, 16 << 20}, // the heap keeps a quarter
		{limit, 1 << 40, 16 << 20},
		{10, 5, 10},
	} {
		if got := heapLimit(c.limit, c.arenas); got != c.want {
			t.Errorf("%d bytes with %d in arenas: %d for the heap, want %d", c.limit, c.arenas, got, c.want)
		}
	}
}

// ask returns the reply to a request, which must be no error.
func ask(t *testing.T, client *commandtest.Client, args ...string) string {
	t.Helper()
	reply := string(client.Do(args...))
	if strings.HasPrefix(reply, "-") {
		t.Fatalf("%s: %s", args[0], reply)
	}
	return reply
}

// infoMemoryOf reads INFO memory.
func infoMemoryOf(t *testing.T, ask func(...string) string) map[string]int64 {
	t.Helper()
	fields := map[string]int64{}
	for line := range strings.Lines(ask("INFO", "memory")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			fields[name] = n
		}
	}
	return fields
}

// TestMemoryOfDataIsTold: what data takes is in used_memory wherever it is, and after
// FLUSHALL and DEBUG RELOAD nothing of the old data stays.
func TestMemoryOfDataIsTold(t *testing.T) {
	const keys, size = 20_000, 1000
	n := startNode(t, nil)
	client := commandtest.Dial(t, n.Addr())
	ask := func(args ...string) string { return ask(t, client, args...) }
	before := infoMemoryOf(t, ask)
	fill := func() {
		for i := range keys / 100 {
			args := []string{"MSET"}
			for j := range 100 {
				args = append(args, fmt.Sprint("key", i, "-", j), strings.Repeat("v", size))
			}
			ask(args...)
		}
	}
	fill()
	ask("MEMORY", "PURGE")
	heap := heapBytes()
	after := infoMemoryOf(t, ask)
	// Go's heap is that of the whole process, etcd's among it, and may shrink meanwhile.
	heap = max(heap, heapBytes())
	for _, name := range []string{"used_memory", "allocator_allocated"} {
		if got := after[name] - int64(heap); got < keys*size*9/10 {
			t.Errorf("%s tells of %d bytes beside the heap, for %d", name, got, keys*size)
		}
	}
	if grown := after["used_memory_dataset"] - before["used_memory_dataset"]; grown < keys*size {
		t.Errorf("used_memory_dataset grew by %d for %d bytes", grown, keys*size)
	}
	if after["allocator_active"] < after["allocator_allocated"] || after["allocator_resident"] < after["allocator_active"] {
		t.Errorf("%v", after)
	}
	small := func(what string, most int64) {
		t.Helper()
		testenv.Eventually(t, 20*time.Second, what, func(context.Context) error {
			n.engine.mu.Lock()
			defer n.engine.mu.Unlock()
			s := n.engine.ks.ArenaStats()
			if s.Mapped > most || len(n.engine.retired) > 0 {
				return fmt.Errorf("arenas: %+v, %d retired", s, len(n.engine.retired))
			}
			return nil
		})
	}
	const whole = keys * size * 9 / 8
	ask("DEBUG", "RELOAD")
	small("the data once", whole)
	ask("FLUSHALL")
	small("nothing after FLUSHALL", 1<<20)
	fill()
	for i := range keys / 100 {
		args := []string{"DEL"}
		for j := range 100 {
			args = append(args, fmt.Sprint("key", i, "-", j))
		}
		ask(args...)
	}
	small("nothing after DEL", 1<<20)
}
