package node

import (
	"container/list"
	"slices"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// waitTable knows who waits for which keys, and in which order they are served:
// keys in the order in which they became ready, and at each key those who have
// waited longest first. The engine's lock guards it.
type waitTable struct {
	queues   map[watchKey]*waitQueue
	waiting  map[*waiter]struct{}
	ready    []watchKey // each once, first come first served
	arrivals uint64
}

// waitQueue is who waits for one key, the longest in front.
type waitQueue struct {
	list.List
	types     [8]int // how many wait for a value of each type
	anyChange int    // and how many for any change at all
	ready     bool   // the key is in ready
}

// waiter is one client's wait.
type waiter struct {
	keys      []watchKey
	typ       keyspace.Type
	anyChange bool
	client    *blockedClient

	arrival uint64
	places  []*list.Element // in the queues of keys
}

// content is what a key holds.
type content struct {
	found bool
	typ   keyspace.Type
}

func newWaitTable() *waitTable {
	return &waitTable{queues: map[watchKey]*waitQueue{}, waiting: map[*waiter]struct{}{}}
}

// wakes reports whether what a key holds is a reason to run w's command again.
func (w *waiter) wakes(c content) bool { return w.anyChange || c.found && c.typ == w.typ }

// wakes reports whether anybody in the queue has a reason to be run again.
func (q *waitQueue) wakes(c content) bool { return q.anyChange > 0 || c.found && q.types[c.typ] > 0 }

func (q *waitQueue) count(w *waiter, n int) {
	q.types[w.typ] += n
	if w.anyChange {
		q.anyChange += n
	}
}

// add puts w at the end of the queues of its keys. A key named twice counts once.
func (t *waitTable) add(w *waiter) {
	t.arrivals++
	w.arrival = t.arrivals
	keys := w.keys
	w.keys, w.places = keys[:0], make([]*list.Element, 0, len(keys))
	for _, k := range keys {
		q := t.queues[k]
		if q == nil {
			q = &waitQueue{}
			t.queues[k] = q
		}
		if last := q.Back(); last != nil && last.Value == w {
			continue
		}
		w.keys, w.places = append(w.keys, k), append(w.places, q.PushBack(w))
		q.count(w, 1)
	}
	t.waiting[w] = struct{}{}
}

// remove takes w out of all queues.
func (t *waitTable) remove(w *waiter) {
	if _, there := t.waiting[w]; !there {
		return
	}
	delete(t.waiting, w)
	for i, k := range w.keys {
		q := t.queues[k]
		q.Remove(w.places[i])
		q.count(w, -1)
		if q.Len() == 0 && !q.ready {
			delete(t.queues, k)
		}
	}
}

// touched hears that a key has changed and now holds c.
func (t *waitTable) touched(k watchKey, c content) {
	if q := t.queues[k]; q != nil && !q.ready && q.wakes(c) {
		q.ready = true
		t.ready = append(t.ready, k)
	}
}

// keysOf are the keys of a database that somebody waits for, those first whose
// waiters have come first.
func (t *waitTable) keysOf(db int) []watchKey {
	var keys []watchKey
	for k, q := range t.queues {
		if k.db == db && q.Len() > 0 {
			keys = append(keys, k)
		}
	}
	first := func(k watchKey) uint64 { return t.queues[k].Front().Value.(*waiter).arrival }
	slices.SortFunc(keys, func(a, b watchKey) int { return int(int64(first(a) - first(b))) })
	return keys
}

// serve calls try for whoever is to be run again because of the keys that are
// ready, in order. What a key holds is looked up anew each time: try changes it.
// It may make further keys ready, and take the waiter it is called for out of
// the table, but no other. An error ends it.
func (t *waitTable) serve(holds func(watchKey) content, try func(*waiter) error) error {
	for len(t.ready) > 0 {
		k := t.ready[0]
		if t.ready = t.ready[1:]; len(t.ready) == 0 {
			t.ready = nil
		}
		q := t.queues[k]
		q.ready = false // try may make it ready again
		if err := q.serve(func() content { return holds(k) }, try); err != nil {
			return err
		}
		if q.Len() == 0 && !q.ready {
			delete(t.queues, k)
		}
	}
	return nil
}

// serve goes once through those who are in the queue now.
func (q *waitQueue) serve(holds func() content, try func(*waiter) error) error {
	last := q.Back()
	for at := q.Front(); at != nil; {
		c := holds()
		if !q.wakes(c) {
			return nil
		}
		w, end := at.Value.(*waiter), at == last
		next := at.Next()
		if w.wakes(c) {
			if err := try(w); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
		at = next
	}
	return nil
}

// all are those who wait, the longest first.
func (t *waitTable) all() []*waiter {
	all := make([]*waiter, 0, len(t.waiting))
	for w := range t.waiting {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *waiter) int { return int(int64(a.arrival - b.arrival)) })
	return all
}
