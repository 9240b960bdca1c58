package keyspace

import (
	"sort"
	"unsafe"
)

// orderedChunk is the most elements that one chunk of an ordered map holds. The
// chunks' first keys are searched first and one chunk then, both by halves; a
// change moves at most one chunk's elements, and rarely the list of chunks.
const orderedChunk = 128

// ordered is a map whose keys have an order. It grows at its end without moving
// anything, which is where nearly all keys of streams are added, and leaves its
// chunks full then. Keys and values without pointers cost the garbage collector
// nothing.
type ordered[K, V any] struct {
	cmp    func(a, b K) int
	chunks [][]orderedItem[K, V] // none is empty
	n      int
	mem    int64
	total  *int64 // the owner's sum, of which mem is a part
}

// orderedItem has the key last: a type without size at the end would be padded.
type orderedItem[K, V any] struct {
	val V
	key K
}

func newOrdered[K, V any](cmp func(a, b K) int, total *int64) ordered[K, V] {
	return ordered[K, V]{cmp: cmp, total: total}
}

func (o *ordered[K, V]) account(delta int) {
	o.mem += int64(delta)
	*o.total += int64(delta)
}

func chunkMem[K, V any](n int) int { return allocSize(n * int(unsafe.Sizeof(orderedItem[K, V]{}))) }

func listMem(n int) int { return allocSize(n * int(unsafe.Sizeof([]byte(nil)))) }

// place is where key is, or would be put: chunk and index. The index may be just
// behind the chunk's last element.
func (o *ordered[K, V]) place(key K) (c, i int, found bool) {
	if len(o.chunks) == 0 {
		return 0, 0, false
	}
	c = max(0, sort.Search(len(o.chunks), func(i int) bool { return o.cmp(o.chunks[i][0].key, key) > 0 })-1)
	chunk := o.chunks[c]
	if last := len(chunk) - 1; o.cmp(chunk[last].key, key) < 0 {
		return c, last + 1, false
	}
	i, found = sort.Find(len(chunk), func(i int) int { return o.cmp(key, chunk[i].key) })
	return c, i, found
}

// get is the value of key, to be read or changed until the next change of the map;
// nil when there is none.
func (o *ordered[K, V]) get(key K) *V {
	c, i, found := o.place(key)
	if !found {
		return nil
	}
	return &o.chunks[c][i].val
}

// set gives key a value and reports whether it is new.
func (o *ordered[K, V]) set(key K, val V) (added bool) {
	c, i, found := o.place(key)
	switch {
	case found:
		o.chunks[c][i].val = val
		return false
	case len(o.chunks) == 0 || c == len(o.chunks)-1 && i == orderedChunk:
		o.insertChunk(len(o.chunks), []orderedItem[K, V]{{val, key}})
		o.n++
		return true
	case len(o.chunks[c]) == orderedChunk:
		o.split(c)
		if half := len(o.chunks[c]); i > half {
			c, i = c+1, i-half
		}
	}
	chunk := o.roomy(c)
	chunk = chunk[:len(chunk)+1]
	copy(chunk[i+1:], chunk[i:])
	chunk[i] = orderedItem[K, V]{val, key}
	o.chunks[c] = chunk
	o.n++
	return true
}

// roomy is chunk c with room for one more element.
func (o *ordered[K, V]) roomy(c int) []orderedItem[K, V] {
	chunk := o.chunks[c]
	if len(chunk) < cap(chunk) {
		return chunk
	}
	return o.resize(c, min(2*len(chunk), orderedChunk))
}

// resize moves chunk c to an allocation for n elements.
func (o *ordered[K, V]) resize(c, n int) []orderedItem[K, V] {
	old := o.chunks[c]
	chunk := append(make([]orderedItem[K, V], 0, n), old...)
	o.account(chunkMem[K, V](n) - chunkMem[K, V](cap(old)))
	o.chunks[c] = chunk
	return chunk
}

func (o *ordered[K, V]) insertChunk(c int, chunk []orderedItem[K, V]) {
	o.account(chunkMem[K, V](cap(chunk)))
	if len(o.chunks) == cap(o.chunks) {
		grown := make([][]orderedItem[K, V], len(o.chunks), max(1, 2*len(o.chunks)))
		copy(grown, o.chunks)
		o.account(listMem(cap(grown)) - listMem(cap(o.chunks)))
		o.chunks = grown
	}
	o.chunks = o.chunks[:len(o.chunks)+1]
	copy(o.chunks[c+1:], o.chunks[c:])
	o.chunks[c] = chunk
}

func (o *ordered[K, V]) removeChunk(c int) {
	o.account(-chunkMem[K, V](cap(o.chunks[c])))
	copy(o.chunks[c:], o.chunks[c+1:])
	o.chunks[len(o.chunks)-1] = nil
	o.chunks = o.chunks[:len(o.chunks)-1]
	if need := max(1, 2*len(o.chunks)); 2*need <= cap(o.chunks) {
		shrunk := append(make([][]orderedItem[K, V], 0, need), o.chunks...)
		o.account(listMem(need) - listMem(cap(o.chunks)))
		o.chunks = shrunk
	}
	if len(o.chunks) == 0 {
		o.account(-listMem(cap(o.chunks)))
		o.chunks = nil
	}
}

// split moves the upper half of chunk c to one of its own.
func (o *ordered[K, V]) split(c int) {
	chunk := o.chunks[c]
	half := len(chunk) / 2
	upper := append(make([]orderedItem[K, V], 0, orderedChunk), chunk[half:]...)
	clear(chunk[half:])
	o.chunks[c] = chunk[:half]
	o.insertChunk(c+1, upper)
}

// del removes key and reports whether it was there.
func (o *ordered[K, V]) del(key K) bool {
	c, i, found := o.place(key)
	if found {
		o.delAt(c, i)
	}
	return found
}

func (o *ordered[K, V]) delAt(c, i int) {
	o.n--
	chunk := o.chunks[c]
	last := len(chunk) - 1
	if last == 0 {
		o.removeChunk(c)
		return
	}
	copy(chunk[i:], chunk[i+1:])
	clear(chunk[last:])
	chunk = chunk[:last]
	o.chunks[c] = chunk
	if 4*last > cap(chunk) {
		return
	}
	if c+1 < len(o.chunks) && last+len(o.chunks[c+1]) <= orderedChunk/2 {
		o.resize(c, orderedChunk/2)
		o.chunks[c] = append(o.chunks[c], o.chunks[c+1]...)
		o.removeChunk(c + 1)
		return
	}
	o.resize(c, 2*last)
}

// first and last are the elements at the ends; ok is false when there is none.
func (o *ordered[K, V]) first() (key K, val *V, ok bool) {
	if o.n == 0 {
		return key, nil, false
	}
	p := &o.chunks[0][0]
	return p.key, &p.val, true
}

func (o *ordered[K, V]) last() (key K, val *V, ok bool) {
	if o.n == 0 {
		return key, nil, false
	}
	chunk := o.chunks[len(o.chunks)-1]
	p := &chunk[len(chunk)-1]
	return p.key, &p.val, true
}

// each calls fn with every element in order until it returns false.
func (o *ordered[K, V]) each(fn func(key K, val *V) bool) {
	for c := range o.chunks {
		for i := range o.chunks[c] {
			if p := &o.chunks[c][i]; !fn(p.key, &p.val) {
				return
			}
		}
	}
}

// from calls fn with every element from the first key that is not below key, in
// order, until it returns false.
func (o *ordered[K, V]) from(key K, fn func(key K, val *V) bool) {
	c, i, _ := o.place(key)
	for ; c < len(o.chunks); c, i = c+1, 0 {
		for ; i < len(o.chunks[c]); i++ {
			if p := &o.chunks[c][i]; !fn(p.key, &p.val) {
				return
			}
		}
	}
}

// downFrom is from in the other direction, beginning at the last key that is not
// above key.
func (o *ordered[K, V]) downFrom(key K, fn func(key K, val *V) bool) {
	c, i, found := o.place(key)
	if !found {
		i--
	}
	for ; c >= 0; c-- {
		if c < len(o.chunks) {
			for ; i >= 0; i-- {
				if p := &o.chunks[c][i]; !fn(p.key, &p.val) {
					return
				}
			}
		}
		if c > 0 {
			i = len(o.chunks[c-1]) - 1
		}
	}
}

// clone is a deep copy, of values by copy, that belongs to total.
func (o *ordered[K, V]) clone(total *int64, copyVal func(V) V) ordered[K, V] {
	c := newOrdered[K, V](o.cmp, total)
	o.each(func(key K, val *V) bool {
		c.set(key, copyVal(*val))
		return true
	})
	return c
}

// release takes the map off its owner's sum; it is not to be used any more.
func (o *ordered[K, V]) release() { o.account(-int(o.mem)) }
