package keyspace

import (
	"math/bits"
	"unsafe"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// failer is the part of testing.T and rapid.T that the checks below need.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkTable verifies what the table's code relies on.
func checkTable(t failer, tb *table) {
	t.Helper()
	if tb.n == 0 {
		if tb.count != 0 || tb.segments != nil {
			t.Fatalf("table without buckets has %d records", tb.count)
		}
		return
	}
	if half := tb.mask>>1 + 1; tb.n < half || tb.n > tb.mask || bits.OnesCount64(tb.mask+1) != 1 {
		t.Fatalf("%d buckets under mask %#x", tb.n, tb.mask)
	}
	count, overflows := 0, 0
	for i := range tb.n {
		for b := tb.at(i); b != nil; b = b.next() {
			if b != tb.at(i) {
				overflows++
				if b.used() < 2 {
					t.Fatalf("overflow bucket with %d records", b.used())
				}
			}
			count += b.used()
			checkBucket(t, tb, i, b)
		}
	}
	if count != tb.count || overflows != tb.overflows {
		t.Fatalf("table has %d records and %d overflows, counts %d and %d", count, overflows, tb.count, tb.overflows)
	}
	if tb.n > 1 && 2*count < shrinkLoad*(int(tb.n)-1) || 2*count > growLoad*int(tb.n) {
		t.Fatalf("%d records in %d buckets", count, tb.n)
	}
	for i := tb.n; i < uint64(len(tb.segments)-1)*segmentBuckets+uint64(len(tb.segments[0])); i++ {
		if *tb.at(i) != (bucket{}) {
			t.Fatalf("bucket %d of %d is not empty", i, tb.n)
		}
	}
}

func checkBucket(t failer, tb *table, i uint64, b *bucket) {
	t.Helper()
	for j := range slotsPerBucket {
		switch h := b.slots[j]; {
		case j >= b.used():
			if b.tag(j) != 0 || h != nil && b.next() == nil {
				t.Fatalf("bucket %d: slot %d should be empty", i, j)
			}
		case h == nil:
			t.Fatalf("bucket %d: slot %d is empty", i, j)
		default:
			hash := hashOf(h.keyBytes())
			if tb.bucketOf(hash) != tb.at(i) || b.tag(j) != tagOf(hash) {
				t.Fatalf("bucket %d: slot %d has a record of another bucket or tag", i, j)
			}
		}
	}
}

// checkKeyspace verifies tables, the index of expiries and all accounts from scratch.
func checkKeyspace(t failer, ks *Keyspace) {
	t.Helper()
	ks.Reclaim()
	inArenas := int64(0)
	for _, db := range ks.dbs {
		checkTable(t, &db.keys)
		checkTable(t, &db.expires)
		checkPins(t, db)
		if db.arena != nil {
			inArenas += int64(arena.Size(bucketSize)) * int64(db.keys.overflows+db.expires.overflows)
		}
		var mem int64
		expiring := 0
		db.keys.each(func(h *header) bool {
			if h.hasExpire() {
				expiring++
				if slot := db.expires.find(hashOf(h.keyBytes()), h.keyBytes()); slot == nil || *slot != h {
					t.Fatalf("db %d: %q is not in the index of expiries", db.id, h.keyBytes())
				}
			}
			if h.boxed() && h.box().home != &db.account {
				t.Fatalf("db %d: %q is accounted elsewhere", db.id, h.keyBytes())
			}
			if h.typ() == TypeSet {
				checkSetForm(t, h.object().(*Set))
			}
			mem += weigh(h)
			if !h.boxed() {
				if !h.inArena() {
					t.Fatalf("db %d: record of %d bytes is not in the arena", db.id, h.inlineLen())
				}
				inArenas += int64(h.memory())
			}
			return true
		})
		if expiring != db.expires.count {
			t.Fatalf("db %d: %d keys expire, %d are in the index", db.id, expiring, db.expires.count)
		}
		if mem != db.mem {
			t.Fatalf("db %d: account says %d bytes, records are %d", db.id, db.mem, mem)
		}
	}
	if s := ks.ArenaStats(); s.Allocated != inArenas || s.Active < s.Allocated || s.Resident < s.Active || s.Mapped < s.Resident {
		t.Fatalf("records in arenas are %d bytes, arenas say %+v", inArenas, s)
	}
}

// checkPins verifies that all boxes of a database are pinned, and nothing else.
func checkPins(t failer, db *DB) {
	t.Helper()
	n := 0
	db.keys.each(func(h *header) bool {
		if h.boxed() {
			n++
			if b := h.box(); int(b.pin) >= db.pins.n || *db.pins.at(int(b.pin)) != b {
				t.Fatalf("db %d: %q is not pinned", db.id, b.key)
			}
		}
		return true
	})
	if n != db.pins.n {
		t.Fatalf("db %d: %d boxes, %d pins", db.id, n, db.pins.n)
	}
}

// weigh is the size of a record counted anew.
func weigh(h *header) int64 {
	if !h.boxed() {
		if h.inArena() {
			return int64(arena.Size(h.inlineLen()))
		}
		return int64(allocSize(h.inlineLen()))
	}
	if h.typ() == TypeString {
		s := h.bigString()
		return int64(allocSize(int(unsafe.Sizeof(*s))) + allocSize(cap(s.b)) + allocSize(cap(s.key)))
	}
	switch o := h.object().(type) {
	case *Hash:
		return int64(allocSize(int(unsafe.Sizeof(*o)))+allocSize(cap(o.key))+allocSize(cap(o.packed))) + weighFields(o.fields)
	case *Set:
		return int64(allocSize(int(unsafe.Sizeof(*o)))+allocSize(cap(o.key))+allocSize(cap(o.packed))) + weighFields(o.members)
	case *List:
		return weighList(o)
	case *ZSet:
		return weighZSet(o)
	case *Stream:
		return weighStream(o)
	}
	panic("weigh: unknown type")
}

func weighFields(f *fields) int64 {
	if f == nil {
		return 0
	}
	mem := int64(allocSize(int(unsafe.Sizeof(*f)))) + f.memory()
	f.each(func(r *header) bool {
		mem += weigh(r)
		return true
	})
	return mem
}

func weighZSet(z *ZSet) int64 {
	mem := int64(allocSize(int(unsafe.Sizeof(*z))) + allocSize(cap(z.key)) + allocSize(cap(z.packed)))
	if l := z.large; l != nil {
		mem += int64(allocSize(int(unsafe.Sizeof(*l)))) + l.table.memory() + weighTable(&l.table) + weighTree(l.tree.root)
	}
	return mem
}

func weighTree(n *zNode) int64 {
	if n == nil {
		return 0
	}
	mem := int64(allocSize(int(unsafe.Sizeof(*n))))
	if n.kids != nil {
		mem += int64(allocSize(int(unsafe.Sizeof(*n.kids))))
		for i := range n.n {
			mem += weighTree(n.kids[i].node)
		}
	}
	return mem
}

// weighTable is the size of a table's records.
func weighTable(tb *table) (mem int64) {
	tb.each(func(r *header) bool {
		mem += weigh(r)
		return true
	})
	return mem
}
