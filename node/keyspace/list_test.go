package keyspace

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/redoubtdb/redoubt/internal/listpack"
)

// checkList verifies what the list's code relies on.
func checkList(t failer, l *List) {
	t.Helper()
	count, blobs := 0, int64(0)
	for i := range l.nodes() {
		nd := l.node(i)
		n := 0
		for at := 0; at < len(nd.b); n++ {
			at = listpack.Next(nd.b, at)
		}
		if n != nd.n || n == 0 && l.quick != nil {
			t.Fatalf("node %d has %d elements, says %d", i, n, nd.n)
		}
		if c := cap(nd.b); allocSize(c) != c {
			t.Fatalf("node %d has an allocation of %d bytes, which is no class", i, c)
		}
		if len(nd.b) <= exactGrowth && cap(nd.b) > 2*allocSize(exactGrowth) {
			t.Fatalf("node %d: %d bytes in %d", i, len(nd.b), cap(nd.b))
		}
		blobs += int64(allocSize(cap(nd.b)))
		count += n
	}
	if count != l.Len() || blobs != l.blobs {
		t.Fatalf("%d elements in %d bytes, says %d in %d", count, blobs, l.Len(), l.blobs)
	}
	if q := l.quick; q != nil {
		for i := range q.buf {
			if (i < q.first || i >= q.first+q.n) && (q.buf[i].b != nil || q.buf[i].n != 0) {
				t.Fatalf("slot %d outside of [%d, %d) is not empty", i, q.first, q.first+q.n)
			}
		}
		if l.one.b != nil || l.one.n != 0 {
			t.Fatalf("a quicklist has a listpack, too")
		}
	}
}

// weighList is the size of a list counted anew.
func weighList(l *List) int64 {
	mem := int64(allocSize(int(unsafe.Sizeof(*l))) + allocSize(cap(l.key)))
	for i := range l.nodes() {
		mem += int64(allocSize(cap(l.node(i).b)))
	}
	if q := l.quick; q != nil {
		mem += int64(allocSize(int(unsafe.Sizeof(*q)))) + int64(allocSize(cap(q.buf)*int(unsafe.Sizeof(listNode{}))))
	}
	return mem
}

func elements(l *List, forward bool) []string {
	all := []string{}
	it := l.Iterate(forward)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		all = append(all, string(e))
	}
	return all
}

// compareList checks that l has the elements want, however they are asked for.
func compareList(t failer, l *List, want []string) {
	t.Helper()
	checkList(t, l)
	if got := elements(l, true); !slices.Equal(got, want) {
		t.Fatalf("elements %.300q, want %.300q", got, want)
	}
	reverse := slices.Clone(want)
	slices.Reverse(reverse)
	if got := elements(l, false); !slices.Equal(got, reverse) {
		t.Fatalf("from the end %.300q, want %.300q", got, reverse)
	}
	for i := range want {
		it := l.From(i)
		if e, ok := it.Next(); !ok || string(e) != want[i] {
			t.Fatalf("element %d is %.100q, want %.100q", i, e, want[i])
		}
		if i > 100 {
			break
		}
	}
}

var (
	genListSize = rapid.SampledFrom([]int{-2, -1, -5, 0, 1, 2, 3, 5, 128, math.MaxInt32, math.MinInt32})
	genElement  = rapid.Custom(func(t *rapid.T) []byte {
		switch rapid.IntRange(0, 20).Draw(t, "kind") {
		case 0:
			n := rapid.SampledFrom([]int{63, 64, 127, 128, 2000, 4080, 4090, 4096, 8180, 9000}).Draw(t, "length")
			return bytes.Repeat([]byte{'x'}, n)
		case 1, 2, 3:
			return fmt.Append(nil, rapid.Int64().Draw(t, "int")>>rapid.IntRange(0, 63).Draw(t, "shift"))
		}
		return rapid.SampledFrom([][]byte{{}, []byte("a"), []byte("b"), []byte("cc"), []byte("1"), []byte("-1"), []byte("01")}).Draw(t, "word")
	})
)

// listMachine runs the same changes on a List and on a slice of strings.
type listMachine struct {
	ks   *Keyspace
	l    *List
	want []string
}

func (m *listMachine) push(t *rapid.T) {
	front := rapid.Bool().Draw(t, "front")
	es := rapid.SliceOfN(genElement, 1, 5).Draw(t, "elements")
	if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
		for i := range rapid.IntRange(1, 300).Draw(t, "more") {
			es = append(es, fmt.Append(nil, "element ", i))
		}
	}
	m.l.Push(front, es...)
	for _, e := range es {
		if front {
			m.want = slices.Insert(m.want, 0, string(e))
		} else {
			m.want = append(m.want, string(e))
		}
	}
}

func (m *listMachine) drop(t *rapid.T) {
	front, n := rapid.Bool().Draw(t, "front"), rapid.IntRange(0, len(m.want)).Draw(t, "n")
	m.l.Drop(front, n)
	if front {
		m.want = m.want[n:]
	} else {
		m.want = m.want[:len(m.want)-n]
	}
}

func (m *listMachine) trim(t *rapid.T) {
	if len(m.want) == 0 || rapid.IntRange(0, 4).Draw(t, "seldom") > 0 {
		return
	}
	start := rapid.IntRange(0, len(m.want)).Draw(t, "start")
	n := rapid.IntRange(0, len(m.want)-start).Draw(t, "n")
	m.l.Trim(start, n)
	m.want = m.want[start : start+n]
}

func (m *listMachine) set(t *rapid.T) {
	if len(m.want) == 0 {
		return
	}
	i, e := rapid.IntRange(0, len(m.want)-1).Draw(t, "i"), genElement.Draw(t, "element")
	m.l.Set(i, e)
	m.want[i] = string(e)
}

func (m *listMachine) insert(t *rapid.T) {
	before, pivot, e := rapid.Bool().Draw(t, "before"), genElement.Draw(t, "pivot"), genElement.Draw(t, "element")
	if len(m.want) > 0 && rapid.Bool().Draw(t, "a pivot that is there") {
		pivot = []byte(rapid.SampledFrom(m.want).Draw(t, "pivot"))
	}
	i := slices.Index(m.want, string(pivot))
	if got := m.l.Insert(before, pivot, e); got != (i >= 0) {
		t.Fatalf("inserted %v, pivot at %d", got, i)
	}
	if i >= 0 {
		if !before {
			i++
		}
		m.want = slices.Insert(m.want, i, string(e))
	}
}

func (m *listMachine) remove(t *rapid.T) {
	count, e := rapid.IntRange(-3, 3).Draw(t, "count"), genElement.Draw(t, "element")
	if rapid.IntRange(0, 20).Draw(t, "smallest") == 0 {
		count = math.MinInt
	}
	var at []int
	for i, w := range m.want {
		if w == string(e) {
			at = append(at, i)
		}
	}
	switch {
	case count > 0:
		at = at[:min(count, len(at))]
	case count < 0 && count > math.MinInt:
		at = at[max(0, len(at)+count):]
	}
	for _, i := range slices.Backward(at) {
		m.want = slices.Delete(m.want, i, i+1)
	}
	if got := m.l.Remove(count, e); got != len(at) {
		t.Fatalf("removed %d, want %d", got, len(at))
	}
}

func (m *listMachine) rotate(t *rapid.T) {
	if len(m.want) == 0 {
		return
	}
	from, to := rapid.Bool().Draw(t, "from"), rapid.Bool().Draw(t, "to")
	i := 0
	if !from {
		i = len(m.want) - 1
	}
	e := m.want[i]
	m.want = slices.Delete(m.want, i, i+1)
	if to {
		m.want = slices.Insert(m.want, 0, e)
	} else {
		m.want = append(m.want, e)
	}
	if got := m.l.Rotate(from, to); string(got) != e {
		t.Fatalf("rotated %q, want %q", got, e)
	}
}

func (m *listMachine) search(t *rapid.T) {
	e, forward, most := genElement.Draw(t, "element"), rapid.Bool().Draw(t, "forward"), rapid.IntRange(0, 10).Draw(t, "most")
	var got, want []int
	m.l.Search(e, forward, most, func(i int) bool { got = append(got, i); return len(got) < 3 })
	for seen := range m.want {
		i := seen
		if !forward {
			i = len(m.want) - 1 - seen
		}
		if most > 0 && seen >= most || len(want) == 3 {
			break
		}
		if m.want[i] == string(e) {
			want = append(want, i)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("found at %v, want %v", got, want)
	}
}

// check compares; a copy and a list put together from scratch are the same value.
func (m *listMachine) check(t *rapid.T) {
	compareList(t, m.l, m.want)
	if weighList(m.l) != m.l.MemoryUsed() {
		t.Fatalf("account says %d bytes, it has %d", m.l.MemoryUsed(), weighList(m.l))
	}
	c := m.l.clone(&m.ks.detached).(*List)
	compareList(t, c, m.want)
	if c.Encoding() != m.l.Encoding() || weighList(c) != c.MemoryUsed() {
		t.Fatalf("the copy is a %s of %d bytes, counted %d", c.Encoding(), c.MemoryUsed(), weighList(c))
	}
	other := New(Config{}).NewList()
	for _, e := range m.want {
		other.Push(false, []byte(e))
	}
	d := newDigester()
	if m.l.content(d) != other.content(d) {
		t.Fatalf("two digests of the same list")
	}
}

func TestListAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &listMachine{ks: New(Config{ListMaxListpackSize: -2})}
		m.ks.cfg.ListMaxListpackSize = genListSize.Draw(t, "list-max-listpack-size")
		m.l = m.ks.NewList()
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "push": m.push, "push more": m.push, "drop": m.drop, "trim": m.trim, "set": m.set, "insert": m.insert,
			"insert more": m.insert, "remove": m.remove, "rotate": m.rotate, "search": m.search,
		})
	})
}

// When a list changes its form, as in redis-server 7.2.
func TestListForms(t *testing.T) {
	long := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for _, c := range []struct {
		name string
		size int
		run  func(l *List)
		want string
	}{
		{"empty", -2, func(*List) {}, "listpack"},
		{"by size, just within", -1, func(l *List) { l.Push(false, long(4096-7)) }, "listpack"}, // 7: a listpack without entries
		{"by size, beyond", -1, func(l *List) { l.Push(false, long(4096-6)) }, "quicklist"},
		{"by size, what is there counts as encoded", -1, func(l *List) {
			l.Push(false, long(2000)) // an entry of 2004
			l.Push(false, long(4096-7-2004))
		}, "listpack"},
		{"by size, one byte more", -1, func(l *List) {
			l.Push(false, long(2000))
			l.Push(false, long(4096-7-2003))
		}, "quicklist"},
		{"by number, just within", 3, func(l *List) { l.Push(false, long(1), long(1), long(1)) }, "listpack"},
		{"by number, beyond", 3, func(l *List) { l.Push(false, long(1), long(1), long(1), long(1)) }, "quicklist"},
		{"by number, too large", 3, func(l *List) { l.Push(false, long(8192-6)) }, "quicklist"},
		{"0 is 1", 0, func(l *List) { l.Push(false, long(1)) }, "listpack"},
		{"shrunk, but not to half", 8, func(l *List) { fillList(l, 9); l.Drop(false, 4) }, "quicklist"},
		{"shrunk to half", 8, func(l *List) { fillList(l, 9); l.Drop(false, 5) }, "listpack"},
		{"shrunk to half in two nodes", 8, func(l *List) { fillList(l, 9); l.Drop(true, 5) }, "quicklist"},
		{"set to something small", -1, func(l *List) { l.Push(false, long(5000)); l.Set(0, long(1)) }, "listpack"},
		{"set to something large", -1, func(l *List) { l.Push(false, long(1)); l.Set(0, long(5000)) }, "quicklist"},
		{"removed", 4, func(l *List) { fillList(l, 5); l.Remove(0, []byte("x")) }, "quicklist"},
		{"removed to half", 4, func(l *List) {
			l.Push(false, []byte("a"), []byte("x"), []byte("b"), []byte("x"), []byte("x"))
			l.Remove(0, []byte("x"))
		}, "listpack"},
		{"settled from scratch", 4, func(l *List) { fillList(l, 5); l.Drop(true, 1); l.Settle() }, "quicklist"}, // in two nodes
		{"settled in one node", 4, func(l *List) { fillList(l, 5); l.Drop(false, 1); l.Settle() }, "listpack"},
	} {
		ks := New(Config{})
		ks.cfg.ListMaxListpackSize = c.size
		l := ks.NewList()
		c.run(l)
		checkList(t, l)
		if got := l.Encoding(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func fillList(l *List, n int) {
	for range n {
		l.Push(false, []byte("x"))
	}
}

// Nodes are spread like redis-server's. Version 7.0 makes a quicklist of every list, so
// here the list is made one, too.
func TestListNodesEqualRedis(t *testing.T) {
	p := &pair{t: t, conn: redisServer(t), ks: New(Config{})}
	for seed, size := range []int{-2, -1, -1, 1, 2, 3, 5, 10, 100} {
		p.ks = New(Config{ListMaxListpackSize: size})
		p.db = p.ks.DB(0)
		p.do("FLUSHALL")
		p.do("CONFIG", "SET", "list-max-listpack-size", size)
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		for i := range 1500 {
			step := p.listStep(rng)
			ref, found := p.db.Lookup([]byte("l"))
			if !found {
				continue
			}
			l := ref.List()
			checkList(t, l)
			got := fmt.Sprintf("%d nodes, %d elements, %d bytes", l.nodes(), l.Len(), listBytes(l))
			if want := p.redisNodes(); got != want {
				t.Fatalf("size %d, step %d, %s: %s, redis-server has %s", size, i, step, got, want)
			}
		}
		p.compareLists()
	}
}

func listBytes(l *List) (n int) {
	for i := range l.nodes() {
		n += l.node(i).size()
	}
	return n
}

func (p *pair) redisNodes() string {
	about := p.do("DEBUG", "OBJECT", "l").(string)
	var nodes, bytes int
	for _, f := range strings.Fields(about) {
		fmt.Sscanf(f, "ql_nodes:%d", &nodes)
		fmt.Sscanf(f, "ql_uncompressed_size:%d", &bytes)
	}
	return fmt.Sprintf("%d nodes, %v elements, %d bytes", nodes, p.do("LLEN", "l"), bytes)
}

func (p *pair) compareLists() {
	p.t.Helper()
	var got []string
	if ref, found := p.db.Lookup([]byte("l")); found {
		got = elements(ref.List(), true)
	}
	want := p.do("LRANGE", "l", 0, -1)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("elements %.300q, redis-server has %.300q", got, want)
	}
	if got, want := fmt.Sprintf("%x", p.ks.RedisDigest()), p.do("DEBUG", "DIGEST"); got != want {
		p.t.Errorf("DEBUG DIGEST is %s, redis-server says %s", got, want)
	}
}

// listStep makes one random change of the list l on both sides.
func (p *pair) listStep(rng *rand.Rand) string {
	key := []byte("l")
	l, err := p.db.ListForWrite(key)
	if err != nil {
		p.t.Fatal(err)
	}
	if l.quick == nil {
		one := l.one
		l.one, l.quick = listNode{}, &quicklist{count: one.n}
		if one.n > 0 {
			*l.newNode(0) = one
		}
	}
	n := l.Len()
	element := func() []byte {
		switch rng.IntN(8) {
		case 0:
			return fmt.Append(nil, rng.Int64()>>rng.IntN(64))
		case 1:
			return bytes.Repeat([]byte("x"), rng.IntN(3000))
		}
		return fmt.Append(nil, "e", rng.IntN(30))
	}
	var step []any
	switch c := rng.IntN(20); {
	case c < 4 || n == 0:
		e := element()
		step = []any{"LPUSH", key, e}
		l.Push(true, e)
	case c < 9:
		a, b, d := element(), element(), element()
		step = []any{"RPUSH", key, a, b, d}
		l.Push(false, a, b, d)
	case c < 14:
		before, pivot, e := rng.IntN(2) == 0, element(), element()
		if rng.IntN(2) == 0 {
			it := l.From(rng.IntN(n))
			at, _ := it.Next()
			pivot = bytes.Clone(at)
		}
		step = []any{"LINSERT", key, map[bool]string{true: "BEFORE", false: "AFTER"}[before], pivot, e}
		l.Insert(before, pivot, e)
	case c < 15:
		i, e := rng.IntN(n), element()
		step = []any{"LSET", key, i, e}
		l.Set(i, e)
	case c < 16:
		count, e := rng.IntN(5)-2, element()
		step = []any{"LREM", key, count, e}
		l.Remove(count, e)
	case c < 18:
		step = []any{"LMOVE", key, key, "LEFT", "RIGHT"}
		l.Rotate(true, false)
	case c < 19:
		count := rng.IntN(min(n, 10) + 1)
		step = []any{"RPOP", key, count}
		l.Drop(false, count)
	default:
		from := rng.IntN(min(n, 5) + 1)
		to := n - rng.IntN(min(n-from, 3)+1)
		step = []any{"LTRIM", key, from, to - 1}
		if to == 0 {
			step = []any{"DEL", key}
		}
		l.Trim(from, to-from)
	}
	p.do(step...)
	p.db.DeleteIfEmpty(key)
	return fmt.Sprintf("%.200q", step)
}
