package keyspace

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// streamModel is the specification of a stream: plain slices and maps.
type streamModel struct {
	entries    []modelEntry
	lastID     StreamID
	maxDeleted StreamID
	added      uint64
	groups     map[string]*modelGroup
}

type modelEntry struct {
	id     StreamID
	fields []string
}

type modelGroup struct {
	lastID    StreamID
	read      int64
	consumers map[string]bool
	pending   map[StreamID]modelPending
}

type modelPending struct {
	consumer    string
	time, count int64
}

func (m *streamModel) find(id StreamID) (int, bool) {
	return slices.BinarySearchFunc(m.entries, id, func(e modelEntry, id StreamID) int { return e.id.Compare(id) })
}

func entryOf(e *StreamEntry) modelEntry {
	out := modelEntry{id: e.ID}
	e.Each(func(f, v []byte) { out.fields = append(out.fields, string(f), string(v)) })
	return out
}

func sameEntries(a, b []modelEntry) bool {
	return slices.EqualFunc(a, b, func(a, b modelEntry) bool { return a.id == b.id && slices.Equal(a.fields, b.fields) })
}

// weighStream is the size of a stream counted anew.
func weighStream(s *Stream) int64 {
	mem := allocSize(int(unsafe.Sizeof(*s))) + allocSize(cap(s.key)) + int(s.blocks.mem+s.groups.mem)
	s.blocks.each(func(_ StreamID, b *streamBlock) bool {
		mem += allocSize(cap(*b))
		return true
	})
	s.EachGroup(func(g *StreamGroup) bool {
		mem += int(g.own() + g.pending.mem + g.consumers.mem)
		g.EachConsumer(func(c *StreamConsumer) bool {
			mem += int(c.own() + c.pending.mem)
			return true
		})
		return true
	})
	return int64(mem)
}

// checkStream verifies what the code of streams relies on.
func checkStream(t failer, s *Stream) {
	t.Helper()
	checkOrdered(t, &s.blocks)
	checkOrdered(t, &s.groups)
	if s.size != weighStream(s) {
		t.Fatalf("account says %d bytes, the stream has %d", s.size, weighStream(s))
	}
	fresh := New(Config{}).NewStream()
	s.EachBlock(func(id StreamID, b []byte) bool {
		if err := fresh.AddBlock(id, b); err != nil {
			t.Fatalf("%v", err)
		}
		return true
	})
	if fresh.Len() != s.Len() || fresh.first != s.first || s.lastID.Less(fresh.lastID) {
		t.Fatalf("%d entries from %v to %v, blocks have %d from %v to %v", s.Len(), s.first, s.lastID, fresh.Len(), fresh.first, fresh.lastID)
	}
	s.EachGroup(func(g *StreamGroup) bool {
		checkOrdered(t, &g.pending)
		checkOrdered(t, &g.consumers)
		pending := 0
		g.EachConsumer(func(c *StreamConsumer) bool {
			checkOrdered(t, &c.pending)
			pending += c.PendingLen()
			c.EachPending(StreamID{}, func(id StreamID) bool {
				if _, owner, ok := g.Pending(id); !ok || owner != c {
					t.Fatalf("%v is pending for %q and another, or not in the group", id, c.name)
				}
				return true
			})
			return true
		})
		if pending != g.PendingLen() || len(g.free) != len(g.numbers)-g.Consumers() {
			t.Fatalf("group %q: %d pending entries, of consumers %d", g.name, g.PendingLen(), pending)
		}
		return true
	})
}

func (m *streamModel) check(t failer, s *Stream) {
	t.Helper()
	checkStream(t, s)
	var all []modelEntry
	s.Range(StreamID{}, MaxStreamID, func(e *StreamEntry) bool {
		all = append(all, entryOf(e))
		return true
	})
	if !sameEntries(all, m.entries) || s.Len() != len(m.entries) {
		t.Fatalf("entries %v, want %v", all, m.entries)
	}
	first, last := StreamID{}, StreamID{}
	if len(all) > 0 {
		first, last = all[0].id, all[len(all)-1].id
	}
	if got, ok := s.LastEntryID(); got != last || ok != (len(all) > 0) || s.FirstID() != first {
		t.Fatalf("ends %v and %v, want %v and %v", s.FirstID(), got, first, last)
	}
	if s.LastID() != m.lastID || s.MaxDeletedID() != m.maxDeleted || s.EntriesAdded() != m.added {
		t.Fatalf("last %v, deleted %v, added %d; want %v, %v, %d", s.LastID(), s.MaxDeletedID(), s.EntriesAdded(), m.lastID, m.maxDeleted, m.added)
	}
	var names []string
	s.EachGroup(func(g *StreamGroup) bool {
		names = append(names, string(g.name))
		m.groups[string(g.name)].check(t, g)
		return true
	})
	if !slices.Equal(names, slices.Sorted(maps.Keys(m.groups))) {
		t.Fatalf("groups %q", names)
	}
}

func (m *modelGroup) check(t failer, g *StreamGroup) {
	t.Helper()
	if m == nil || g.LastID() != m.lastID || g.EntriesRead() != m.read {
		t.Fatalf("group %q at %v, read %d; want %+v", g.name, g.LastID(), g.EntriesRead(), m)
	}
	pending := map[StreamID]modelPending{}
	g.PendingFrom(StreamID{}, func(id StreamID, p StreamPending, c *StreamConsumer) bool {
		pending[id] = modelPending{string(c.name), p.Time, p.Count}
		return true
	})
	if !maps.Equal(pending, m.pending) || g.PendingLen() != len(m.pending) {
		t.Fatalf("pending %v, want %v", pending, m.pending)
	}
	names := map[string]bool{}
	g.EachConsumer(func(c *StreamConsumer) bool {
		names[string(c.name)] = true
		return true
	})
	if !maps.Equal(names, m.consumers) || g.Consumers() != len(names) {
		t.Fatalf("consumers %v, want %v", names, m.consumers)
	}
}

// rebuild makes a stream of the same logical state in other blocks.
func (m *streamModel) rebuild(ks *Keyspace) *Stream {
	ks.Config().StreamNodeMaxEntries = 2
	s := ks.NewStream()
	for _, e := range m.entries {
		if err := s.Add(e.id, asArgs(e.fields)); err != nil {
			panic(err)
		}
	}
	s.SetLastID(m.lastID)
	s.SetMaxDeletedID(m.maxDeleted)
	s.SetEntriesAdded(m.added)
	for name, g := range m.groups {
		group, _ := s.CreateGroup([]byte(name), g.lastID, g.read)
		for c := range g.consumers {
			group.CreateConsumer([]byte(c), 77)
		}
		for id, p := range g.pending {
			group.Assign(id, group.Consumer([]byte(p.consumer)), p.time, p.count)
		}
	}
	return s
}

func asArgs(s []string) [][]byte {
	out := make([][]byte, len(s))
	for i := range s {
		out[i] = []byte(s[i])
	}
	return out
}

// streamMachine runs the same changes on a stream and on the model.
type streamMachine struct {
	ks *Keyspace
	s  *Stream
	m  *streamModel
}

var streamKey = []byte("stream")

func TestStreamAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ks := New(Config{
			StreamNodeMaxEntries: rapid.SampledFrom([]int{1, 3, 10, 100}).Draw(t, "entries"),
			StreamNodeMaxBytes:   rapid.SampledFrom([]int{60, 200, 4096, -1}).Draw(t, "bytes"),
		})
		s, err := ks.DB(0).StreamForWrite(streamKey)
		if err != nil {
			t.Fatal(err)
		}
		x := &streamMachine{ks: ks, s: s, m: &streamModel{groups: map[string]*modelGroup{}}}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				x.m.check(t, x.s)
				checkKeyspace(t, x.ks)
			},
			"add": x.add, "delete": x.delete, "trim": x.trim, "trim blocks": x.trimBlocks, "range": x.ranges, "set": x.set,
			"group": x.group, "consumer": x.consumer, "assign": x.assign, "ack": x.ack, "copy": x.copy, "digest": x.digest,
		})
	})
}

// id draws IDs around those that there are.
func (x *streamMachine) id(t *rapid.T) StreamID {
	switch n := rapid.IntRange(0, 9).Draw(t, "kind of id"); {
	case n == 0:
		return rapid.SampledFrom([]StreamID{{}, MaxStreamID, {0, 1}, {1, 0}, {1, 1<<64 - 1}}).Draw(t, "id")
	case n < 7 && len(x.m.entries) > 0:
		return rapid.SampledFrom(x.m.entries).Draw(t, "entry").id
	}
	return StreamID{rapid.Uint64Range(0, min(x.m.lastID.MS, 1<<60)+2).Draw(t, "ms"), rapid.Uint64Range(0, 5).Draw(t, "seq")}
}

func (x *streamMachine) add(t *rapid.T) {
	for range rapid.IntRange(1, 20).Draw(t, "n") {
		id, _ := x.m.lastID.Next()
		switch rapid.IntRange(0, 5).Draw(t, "step") {
		case 0:
			id = StreamID{id.MS + rapid.Uint64Range(1, 1<<40).Draw(t, "far"), rapid.Uint64Range(0, 1<<50).Draw(t, "seq")}
		case 1:
			id = StreamID{id.MS + 1, 0}
		case 2:
			if id = x.id(t); id == MaxStreamID && rapid.IntRange(0, 20).Draw(t, "end") > 0 {
				continue
			}
		}
		fields := []string{"name", "1", "other", "value"}
		switch rapid.IntRange(0, 5).Draw(t, "fields") {
		case 0:
			fields = fields[:2]
		case 1:
			fields = []string{"name", "x", "Other", string(genVal.Draw(t, "value"))}
		case 2:
			fields[1] = fmt.Sprint(rapid.Int64().Draw(t, "number"))
		}
		switch err := x.s.Add(id, asArgs(fields)); {
		case !x.m.lastID.Less(id):
			if !errors.Is(err, ErrStreamOrder) {
				t.Fatalf("%v behind %v: %v", id, x.m.lastID, err)
			}
			continue
		case err != nil:
			t.Fatalf("%v: %v", id, err)
		}
		x.m.entries = append(x.m.entries, modelEntry{id, fields})
		x.m.lastID = id
		x.m.added++
	}
}

func (x *streamMachine) delete(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "n") {
		id := x.id(t)
		at, found := x.m.find(id)
		if x.s.Delete(id) != found {
			t.Fatalf("delete of %v: there %v", id, found)
		}
		if found {
			x.m.entries = slices.Delete(x.m.entries, at, at+1)
			if x.m.maxDeleted.Less(id) {
				x.m.maxDeleted = id
			}
		}
	}
}

func (x *streamMachine) trim(t *rapid.T) {
	trim := StreamTrim{MaxLen: rapid.Uint64Range(0, uint64(len(x.m.entries))+1).Draw(t, "len")}
	keep := len(x.m.entries) - int(min(trim.MaxLen, uint64(len(x.m.entries))))
	if rapid.Bool().Draw(t, "by id") {
		trim = StreamTrim{ByID: true, MinID: x.id(t)}
		keep, _ = x.m.find(trim.MinID)
	}
	if got := x.s.Trim(trim); got != int64(keep) {
		t.Fatalf("%+v removed %d, want %d", trim, got, keep)
	}
	x.m.entries = slices.Clone(x.m.entries[keep:])
}

// trimBlocks: whole blocks from the beginning, no more than allowed, as many as
// possible.
func (x *streamMachine) trimBlocks(t *rapid.T) {
	trim := StreamTrim{Approximate: true, MaxLen: rapid.Uint64Range(0, uint64(len(x.m.entries))+1).Draw(t, "len"), Limit: rapid.Int64Range(0, 30).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "by id") {
		trim.ByID, trim.MinID = true, x.id(t)
	}
	allowed := func(n int) bool {
		if trim.ByID {
			at, _ := x.m.find(trim.MinID)
			return n <= at
		}
		return len(x.m.entries)-n >= int(trim.MaxLen)
	}
	got := int(x.s.Trim(trim))
	if got > 0 && !allowed(got) || trim.Limit > 0 && got > int(trim.Limit) {
		t.Fatalf("%+v removed %d of %d", trim, got, len(x.m.entries))
	}
	x.m.entries = slices.Clone(x.m.entries[got:])
	if _, b, ok := x.s.blocks.first(); ok && (trim.ByID || len(x.m.entries) > int(trim.MaxLen)) {
		live, deleted := b.counts()
		if allowed := allowed(int(live)) && (trim.Limit == 0 || got+int(live) <= int(trim.Limit)); allowed && deleted == 0 {
			t.Fatalf("%+v removed %d and could remove %d more", trim, got, live)
		}
	}
}

func (x *streamMachine) ranges(t *rapid.T) {
	from, to, count := x.id(t), x.id(t), rapid.IntRange(1, 30).Draw(t, "count")
	var want []modelEntry
	for _, e := range x.m.entries {
		if !e.id.Less(from) && !to.Less(e.id) {
			want = append(want, e)
		}
	}
	walk := func(walk func(fn func(e *StreamEntry) bool)) (got []modelEntry) {
		walk(func(e *StreamEntry) bool {
			got = append(got, entryOf(e))
			return len(got) < count
		})
		return got
	}
	up := walk(func(fn func(*StreamEntry) bool) { x.s.Range(from, to, fn) })
	down := walk(func(fn func(*StreamEntry) bool) { x.s.RangeDown(to, from, fn) })
	n := min(len(want), count)
	slices.Reverse(down)
	if !sameEntries(up, want[:n]) || !sameEntries(down, want[len(want)-n:]) {
		t.Fatalf("from %v to %v: %v and %v, want of %v", from, to, up, down, want)
	}
	if id := x.id(t); x.s.Has(id) != slices.ContainsFunc(x.m.entries, func(e modelEntry) bool { return e.id == id }) {
		t.Fatalf("has %v: %v", id, x.s.Has(id))
	}
}

func (x *streamMachine) set(t *rapid.T) {
	id, ok := x.m.lastID.Next()
	if !ok {
		id = MaxStreamID
	}
	x.m.lastID, x.m.maxDeleted, x.m.added = id, x.id(t), rapid.Uint64().Draw(t, "added")
	x.s.SetLastID(x.m.lastID)
	x.s.SetMaxDeletedID(x.m.maxDeleted)
	x.s.SetEntriesAdded(x.m.added)
}

var genName = rapid.SampledFrom([]string{"", "a", "b", "group", "z"})

func (x *streamMachine) group(t *rapid.T) {
	name := genName.Draw(t, "group")
	_, there := x.m.groups[name]
	if rapid.IntRange(0, 3).Draw(t, "destroy") == 0 {
		if x.s.DestroyGroup([]byte(name)) != there {
			t.Fatalf("destroy of %q: there %v", name, there)
		}
		delete(x.m.groups, name)
		return
	}
	m := &modelGroup{x.id(t), rapid.Int64Range(-1, 9).Draw(t, "read"), map[string]bool{}, map[StreamID]modelPending{}}
	g, created := x.s.CreateGroup([]byte(name), m.lastID, m.read)
	if created == there || g != x.s.Group([]byte(name)) {
		t.Fatalf("create of %q: there %v", name, there)
	}
	if there {
		x.m.groups[name].lastID, x.m.groups[name].read = m.lastID, m.read
		g.SetLastID(m.lastID, m.read)
	} else {
		x.m.groups[name] = m
	}
}

// some is a group and its model, nil when there is none.
func (x *streamMachine) some(t *rapid.T) (*StreamGroup, *modelGroup) {
	name := genName.Draw(t, "group")
	g := x.s.Group([]byte(name))
	if (g != nil) != (x.m.groups[name] != nil) {
		t.Fatalf("group %q: %v", name, g)
	}
	return g, x.m.groups[name]
}

func (x *streamMachine) consumer(t *rapid.T) {
	g, m := x.some(t)
	if g == nil {
		return
	}
	name := genName.Draw(t, "consumer")
	if rapid.IntRange(0, 2).Draw(t, "delete") > 0 {
		if _, created := g.CreateConsumer([]byte(name), 5); created == m.consumers[name] {
			t.Fatalf("create of %q: there %v", name, !created)
		}
		m.consumers[name] = true
		return
	}
	want := 0
	for id, p := range m.pending {
		if p.consumer == name {
			want++
			delete(m.pending, id)
		}
	}
	if n, found := g.DeleteConsumer([]byte(name)); n != want || found != m.consumers[name] {
		t.Fatalf("delete of %q: %d pending, want %d", name, n, want)
	}
	delete(m.consumers, name)
}

func (x *streamMachine) assign(t *rapid.T) {
	g, m := x.some(t)
	if g == nil || len(m.consumers) == 0 {
		return
	}
	for range rapid.IntRange(1, 40).Draw(t, "n") {
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.consumers))).Draw(t, "consumer")
		p := modelPending{name, rapid.Int64Range(0, 9).Draw(t, "time"), rapid.Int64Range(0, 9).Draw(t, "count")}
		id := x.id(t)
		g.Assign(id, g.Consumer([]byte(name)), p.time, p.count)
		m.pending[id] = p
	}
}

func (x *streamMachine) ack(t *rapid.T) {
	g, m := x.some(t)
	if g == nil {
		return
	}
	id := x.id(t)
	if len(m.pending) > 0 && rapid.Bool().Draw(t, "pending") {
		ids := slices.SortedFunc(maps.Keys(m.pending), StreamID.Compare)
		id = rapid.SampledFrom(ids).Draw(t, "id")
	}
	_, there := m.pending[id]
	if g.Ack(id) != there {
		t.Fatalf("ack of %v: there %v", id, there)
	}
	delete(m.pending, id)
	last, ok := g.LastPending()
	if ok != (len(m.pending) > 0) || ok && last != slices.MaxFunc(slices.Collect(maps.Keys(m.pending)), StreamID.Compare) {
		t.Fatalf("last pending %v", last)
	}
}

// copy goes on with a copy in the place of the stream.
func (x *streamMachine) copy(t *rapid.T) {
	db := x.ks.DB(0)
	before := x.ks.MemoryUsed()
	db.CopyTo(x.ks.DB(1), streamKey, streamKey)
	want, _ := db.KeyDigest(streamKey)
	db.Delete(streamKey)
	if !x.ks.DB(1).Move(db, streamKey) {
		t.Fatal("the copy is not there")
	}
	ref, _ := db.Lookup(streamKey)
	x.s = ref.Stream()
	if got, _ := db.KeyDigest(streamKey); got != want || before <= 0 {
		t.Fatalf("digest of a copy %v, want %v", got, want)
	}
}

func (x *streamMachine) digest(t *rapid.T) {
	other := New(Config{})
	other.DB(0).SetObject(streamKey, x.m.rebuild(other))
	if a, b := x.ks.Digest(), other.Digest(); a != b {
		t.Fatalf("digest %v, of the same data %v", a, b)
	}
	if a, b := x.ks.RedisDigest(), other.RedisDigest(); !bytes.Equal(a[:], b[:]) {
		t.Fatalf("Redis digest %x, of the same data %x", a, b)
	}
}
