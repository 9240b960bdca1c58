package keyspace

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// ZSet is a value of type zset: members with scores, in the order of the scores and,
// where those are equal, of the members' bytes. A small one is packed into one byte
// slice (zset_packed.go); beyond the limits of Config it becomes a table of one
// record a member and a tree of them (zset_tree.go), for good.
//
// A score is never NaN. There is no negative zero: it becomes zero, as in the
// compact form of Redis, so that the form of a set cannot be seen in its scores.
type ZSet struct {
	box
	packed []byte
	n      int // members of the packed form
	large  *largeZSet
}

type largeZSet struct {
	account
	table
	tree zTree
}

func newZSet(home *account) *ZSet {
	z := &ZSet{box: box{header: header{flags: flagBoxed}, typ: TypeZSet, home: home}}
	z.reckon()
	return z
}

// reckon brings the accounts up to date with the set's size.
func (z *ZSet) reckon() {
	size := int64(allocSize(int(unsafe.Sizeof(*z))) + allocSize(len(z.key)) + allocSize(cap(z.packed)))
	if l := z.large; l != nil {
		size += int64(allocSize(int(unsafe.Sizeof(*l)))) + l.mem + l.table.memory() + l.tree.memory()
	}
	z.settle(size)
}

// Len is the number of members.
func (z *ZSet) Len() int {
	if z.large != nil {
		return z.large.count
	}
	return z.n
}

// Encoding is listpack or skiplist.
func (z *ZSet) Encoding() string {
	if z.large != nil {
		return "skiplist"
	}
	return "listpack"
}

// Score is the score of a member.
func (z *ZSet) Score(member []byte) (score float64, found bool) {
	if z.large == nil {
		e, _, found := zpackedFind(z.packed, member)
		return e.score, found
	}
	slot := z.large.find(hashOf(member), member)
	if slot == nil {
		return 0, false
	}
	return scoreOf(*slot), true
}

// Rank is the number of members before a member, and its score.
func (z *ZSet) Rank(member []byte) (rank int, score float64, found bool) {
	if z.large == nil {
		e, rank, found := zpackedFind(z.packed, member)
		return rank, e.score, found
	}
	if score, found = z.Score(member); !found {
		return 0, 0, false
	}
	b := zBeforeEntry(score, member)
	return z.large.tree.rank(&b), score, true
}

// Before is the number of members before a bound.
func (z *ZSet) Before(b ZBound) int {
	if z.large != nil {
		return z.large.tree.rank(&b)
	}
	_, rank := zpackedSeek(z.packed, &b)
	return rank
}

// At is the member with a rank, which has to be less than Len.
func (z *ZSet) At(rank int) (member []byte, score float64) {
	if z.large != nil {
		score, r := z.large.tree.at(rank)
		return r.keyBytes(), score
	}
	e := zpackedAt(z.packed, zpackedSkip(z.packed, rank))
	return e.of(z.packed), e.score
}

// Set gives a member a score, which must not be NaN, and reports whether the member
// is new.
func (z *ZSet) Set(member []byte, score float64) (added bool) {
	if score == 0 {
		score = 0 // not negative
	}
	if z.large == nil {
		old, _, found := zpackedFind(z.packed, member)
		cfg := z.home.cfg
		switch {
		case found && old.score == score:
			return false
		case found:
			z.packed = zpackedInsert(append(z.packed[:old.start], z.packed[old.end:]...), score, member)
			z.reckon()
			return false
		case z.n < cfg.ZSetMaxListpackEntries && len(member) <= cfg.ZSetMaxListpackValue && len(z.packed) < packedMax:
			z.packed = zpackedInsert(z.packed, score, member)
			z.n++
			z.reckon()
			return true
		}
		z.convert()
	}
	added = z.large.set(member, score)
	z.reckon()
	return added
}

// Del removes a member and reports whether it was there.
func (z *ZSet) Del(member []byte) bool {
	if z.large != nil {
		slot := z.large.find(hashOf(member), member)
		if slot == nil {
			return false
		}
		z.large.del(*slot)
		z.reckon()
		return true
	}
	e, _, found := zpackedFind(z.packed, member)
	if found {
		z.packed = zpackedCut(z.packed, e.start, e.end)
		z.n--
		z.reckon()
	}
	return found
}

// DelRange removes count members from a rank on; there must be as many.
func (z *ZSet) DelRange(rank, count int) {
	if z.large == nil {
		from := zpackedSkip(z.packed, rank)
		to := from + zpackedSkip(z.packed[from:], count)
		z.packed = zpackedCut(z.packed, from, to)
		z.n -= count
		z.reckon()
		return
	}
	records := make([]*zrecord, 0, count)
	z.large.tree.each(rank, count, false, func(_ float64, r *zrecord) bool {
		records = append(records, r)
		return true
	})
	for _, r := range records {
		z.large.del(r)
	}
	z.reckon()
}

// Each calls fn with every member in order until it returns false.
func (z *ZSet) Each(fn func(member []byte, score float64) bool) { z.Range(0, z.Len(), fn) }

// Range calls fn with count members in order, from a rank on, until it returns
// false. There must be as many.
func (z *ZSet) Range(rank, count int, fn func(member []byte, score float64) bool) {
	if z.large != nil {
		z.large.tree.each(rank, count, false, func(score float64, r *zrecord) bool { return fn(r.keyBytes(), score) })
		return
	}
	for off := zpackedSkip(z.packed, rank); count > 0; count-- {
		e := zpackedAt(z.packed, off)
		if !fn(e.of(z.packed), e.score) {
			return
		}
		off = e.end
	}
}

// RangeBack calls fn with the same members as Range, the last one first.
func (z *ZSet) RangeBack(rank, count int, fn func(member []byte, score float64) bool) {
	if z.large != nil {
		z.large.tree.each(rank+count-1, count, true, func(score float64, r *zrecord) bool { return fn(r.keyBytes(), score) })
		return
	}
	entries := make([]zpackedEntry, 0, count)
	for off := zpackedSkip(z.packed, rank); len(entries) < count; off = entries[len(entries)-1].end {
		entries = append(entries, zpackedAt(z.packed, off))
	}
	for i := count - 1; i >= 0; i-- {
		if !fn(entries[i].of(z.packed), entries[i].score) {
			return
		}
	}
}

// Scan is DB.Scan over members. In listpack form one step returns them all, as in
// Redis.
func (z *ZSet) Scan(cursor uint64, count int, fn func(member []byte, score float64)) (next uint64) {
	if z.large != nil {
		return z.large.scan(cursor, count, func(r *zrecord) { fn(r.keyBytes(), scoreOf(r)) })
	}
	z.Each(func(member []byte, score float64) bool {
		fn(member, score)
		return true
	})
	return 0
}

// Unpack makes the form skiplist, whatever the limits of Config.
func (z *ZSet) Unpack() {
	if z.large == nil {
		z.convert()
	}
}

// convert changes the form from listpack to skiplist.
func (z *ZSet) convert() {
	l := &largeZSet{account: account{cfg: z.home.cfg}}
	z.Each(func(member []byte, score float64) bool {
		l.set(member, score)
		return true
	})
	z.large, z.packed, z.n = l, nil, 0
	z.reckon()
}

func (z *ZSet) clone(home *account) Object {
	c := newZSet(home)
	if z.large == nil {
		c.packed = append(make([]byte, 0, allocSize(len(z.packed))), z.packed...)
		c.n = z.n
	} else {
		c.convert()
		z.Each(func(member []byte, score float64) bool {
			c.large.set(member, score)
			return true
		})
	}
	c.reckon()
	return c
}

const scoreSize = 8

func scoreOf(r *zrecord) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.str()))
}

func setScore(r *zrecord, score float64) {
	binary.LittleEndian.PutUint64(r.str(), math.Float64bits(score))
}

func (l *largeZSet) set(member []byte, score float64) (added bool) {
	hash := hashOf(member)
	slot := l.find(hash, member)
	if slot == nil {
		r := newInline(0, member, scoreSize, NoExpire)
		setScore(r, score)
		l.mem += inlineWeight(r)
		l.table.insert(hash, r)
		l.tree.insert(score, r)
		return true
	}
	r := *slot
	if old := scoreOf(r); old != score {
		l.tree.remove(old, r)
		setScore(r, score)
		l.tree.insert(score, r)
	}
	return false
}

func (l *largeZSet) del(r *zrecord) {
	l.tree.remove(scoreOf(r), r)
	l.table.remove(hashOf(r.keyBytes()), r)
	l.mem -= inlineWeight(r)
}
