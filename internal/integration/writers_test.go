package integration

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// writers write without pause and record what was acknowledged. Each has its own
// keys, so that what must be there is known exactly:
//
//	set:<w>:<n>    = n, for every acknowledged n
//	count:<w>      an INCR for every attempt: between the number of acknowledged
//	               ones and that plus those of unknown outcome
//	a:<w>, b:<w>   set to the same n by one MULTI, always equal
type writers struct {
	t     *testing.T
	addrs func() []string
	dial  func(addr string) *redis.Client
	list  []*writer
	stop  context.CancelFunc
	wg    sync.WaitGroup
	acked atomic.Int64
}

type writer struct {
	id  int
	all *writers
	db  *redis.Client
	at  int // index of the address in use

	mu       sync.Mutex
	sets     []int // acknowledged n of set:<w>:<n>
	counted  int   // acknowledged INCRs
	unknown  int   // INCRs of unknown outcome
	lastPair int   // newest acknowledged n of a and b
}

func startWriters(t *testing.T, n int, addrs func() []string) *writers {
	return startWritersBy(t, n, addrs, dial)
}

// startWritersBy is startWriters with a way to connect.
func startWritersBy(t *testing.T, n int, addrs func() []string, dial func(string) *redis.Client) *writers {
	ctx, cancel := context.WithCancel(context.Background())
	ws := &writers{t: t, addrs: addrs, dial: dial, stop: cancel}
	for i := range n {
		w := &writer{id: i, all: ws}
		ws.list = append(ws.list, w)
		ws.wg.Add(1)
		go func() { defer ws.wg.Done(); w.run(ctx) }()
	}
	t.Cleanup(ws.end)
	return ws
}

// end stops the writers and waits for what they have in flight.
func (ws *writers) end() {
	ws.stop()
	ws.wg.Wait()
}

// waitAcks blocks until so many more operations were acknowledged.
func (ws *writers) waitAcks(n int64) {
	ws.t.Helper()
	want := ws.acked.Load() + n
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ws.acked.Load() < want {
		select {
		case <-tick.C:
		case <-deadline.C:
			ws.t.Fatalf("no progress: %d of %d operations acknowledged within a minute", ws.acked.Load(), want)
		}
	}
}

func (w *writer) run(ctx context.Context) {
	defer func() {
		if w.db != nil {
			w.db.Close()
		}
	}()
	for n := 1; ctx.Err() == nil; n++ {
		if w.db == nil {
			addrs := w.all.addrs()
			w.db = w.all.dial(addrs[w.at%len(addrs)])
		}
		// Not ctx: what is in flight when the writers stop is still recorded.
		if err := w.step(context.Background(), n); err != nil {
			w.db.Close()
			w.db = nil
			w.at++
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// step does one operation of each kind.
func (w *writer) step(ctx context.Context, n int) error {
	if err := w.db.Set(ctx, fmt.Sprintf("set:%d:%d", w.id, n), n, 0).Err(); err != nil {
		return err
	}
	w.record(func() { w.sets = append(w.sets, n) })

	err := w.db.Incr(ctx, fmt.Sprintf("count:%d", w.id)).Err()
	switch {
	case err == nil:
		w.record(func() { w.counted++ })
	case refused(err):
		return err
	default:
		w.record(func() { w.unknown++ })
		return err
	}

	_, err = w.db.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, fmt.Sprintf("a:%d", w.id), n, 0)
		p.Set(ctx, fmt.Sprintf("b:%d", w.id), n, 0)
		return nil
	})
	if err == nil {
		w.record(func() { w.lastPair = n })
	}
	return err
}

// refused reports whether the server said that it did nothing.
func refused(err error) bool {
	for _, code := range []string{"READONLY", "LOADING", "LOGFULL", "EXECABORT"} {
		if strings.HasPrefix(err.Error(), code) {
			return true
		}
	}
	return strings.Contains(err.Error(), "connection refused")
}

func (w *writer) record(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
	w.all.acked.Add(1)
}

// verify checks against db that every acknowledged write is there, none twice,
// and no transaction half. It may run while the writers go on.
func (ws *writers) verify(db *redis.Client) {
	ws.t.Helper()
	for _, w := range ws.list {
		w.mu.Lock()
		sets := append([]int(nil), w.sets...)
		counted, pair := w.counted, w.lastPair
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		w.check(ctx, db, sets, counted, pair)
		cancel()
	}
}

func (w *writer) check(ctx context.Context, db *redis.Client, sets []int, counted, pair int) {
	t := w.all.t
	t.Helper()
	for len(sets) > 0 {
		part := sets[:min(1000, len(sets))]
		sets = sets[len(part):]
		keys := make([]string, len(part))
		for i, n := range part {
			keys[i] = fmt.Sprintf("set:%d:%d", w.id, n)
		}
		values, err := db.MGet(ctx, keys...).Result()
		if err != nil {
			t.Fatalf("writer %d: read back: %v", w.id, err)
		}
		for i, v := range values {
			if v != fmt.Sprint(part[i]) {
				t.Errorf("writer %d: acknowledged write of %s is lost: it holds %v", w.id, keys[i], v)
			}
		}
	}
	pairs, err := db.MGet(ctx, fmt.Sprintf("a:%d", w.id), fmt.Sprintf("b:%d", w.id), fmt.Sprintf("count:%d", w.id)).Result()
	if err != nil {
		t.Fatalf("writer %d: read back: %v", w.id, err)
	}
	if pairs[0] != pairs[1] {
		t.Errorf("writer %d: half a transaction: a=%v b=%v", w.id, pairs[0], pairs[1])
	}
	if got := number(pairs[0]); got < pair {
		t.Errorf("writer %d: acknowledged transaction %d is lost: a=%v", w.id, pair, pairs[0])
	}
	w.mu.Lock()
	most := w.counted + w.unknown + 1 // one may be in flight
	w.mu.Unlock()
	if got := number(pairs[2]); got < counted || got > most {
		t.Errorf("writer %d: count is %d, must be between %d acknowledged and %d attempted", w.id, got, counted, most)
	}
}

func number(v any) int {
	n := 0
	if v != nil {
		fmt.Sscan(v.(string), &n)
	}
	return n
}
