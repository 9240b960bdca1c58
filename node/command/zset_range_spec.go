package command

import (
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// zorder is what the ends of a range say.
type zorder uint8

const (
	byRank zorder = iota
	byScore
	byLex
)

// zrange is a range of a sorted set: places, or what lies between two bounds.
type zrange struct {
	by          zorder
	start, stop int64 // of places; from the end when negative
	from, to    keyspace.ZBound
	empty       bool // the ends are the wrong way round
}

const (
	errScoreRange Error = "ERR min or max is not a float"
	errLexRange   Error = "ERR min or max not valid string range item"
)

// zrange reads the ends of a range from two arguments, the lower one first. When ok
// is false an error has been answered.
func (c *Ctx) zrange(by zorder, low, high int) (r zrange, ok bool) {
	r.by = by
	switch by {
	case byRank:
		if r.start, ok = c.Int(low); ok {
			r.stop, ok = c.Int(high)
		}
		return r, ok
	case byScore:
		ok = r.scores(c.Args[low], c.Args[high])
	default:
		ok = r.members(c.Args[low], c.Args[high])
	}
	if !ok {
		c.Error(map[zorder]Error{byScore: errScoreRange, byLex: errLexRange}[by])
	}
	return r, ok
}

// scores reads a range of scores, whose ends are numbers, after "(" when they do
// not belong to it.
func (r *zrange) scores(low, high []byte) bool {
	min, minOut, ok1 := scoreEnd(low)
	max, maxOut, ok2 := scoreEnd(high)
	if !ok1 || !ok2 {
		return false
	}
	r.from, r.to = keyspace.ZBeforeScore(min), keyspace.ZAfterScore(max)
	if minOut {
		r.from = keyspace.ZAfterScore(min)
	}
	if maxOut {
		r.to = keyspace.ZBeforeScore(max)
	}
	r.empty = min > max || min == max && (minOut || maxOut)
	return true
}

func scoreEnd(text []byte) (score float64, out, ok bool) {
	if len(text) > 0 && text[0] == '(' {
		text, out = text[1:], true
	}
	score, ok = resp.ParseLooseDouble(text)
	return score, out, ok
}

// members reads a range of members, whose ends are a member after "[" or, when it
// does not belong to the range, after "(", or "-" and "+" for the ends of the set.
func (r *zrange) members(low, high []byte) bool {
	var lowest, highest lexEnd
	if !lowest.parse(low) || !highest.parse(high) {
		return false
	}
	r.from, r.to = lowest.bound(false), highest.bound(true)
	r.empty = lowest.exceeds(highest)
	return true
}

// lexEnd is one end of a range of members.
type lexEnd struct {
	infinite int // -1: before all members, 1: behind all
	member   []byte
	out      bool // the member does not belong to the range
}

func (e *lexEnd) parse(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	// As in C, a NUL ends "+" and "-".
	alone := len(text) == 1 || text[1] == 0
	switch text[0] {
	case '-':
		e.infinite = -1
		return alone
	case '+':
		e.infinite = 1
		return alone
	case '(':
		e.out = true
	case '[':
	default:
		return false
	}
	e.member = text[1:]
	return true
}

// bound is where a range begins, or ends when upper, with this end.
func (e *lexEnd) bound(upper bool) keyspace.ZBound {
	switch {
	case e.infinite < 0:
		return keyspace.ZStart
	case e.infinite > 0:
		return keyspace.ZEnd
	case upper == e.out:
		return keyspace.ZBeforeMember(e.member)
	}
	return keyspace.ZAfterMember(e.member)
}

// exceeds reports that nothing can be between two ends.
func (e lexEnd) exceeds(high lexEnd) bool {
	switch {
	case e.infinite != high.infinite:
		return e.infinite > high.infinite
	case e.infinite != 0:
		return true
	case string(e.member) == string(high.member):
		return e.out || high.out
	}
	return string(e.member) > string(high.member)
}

// of is the range in a set, which may be nil: n members from a rank on.
func (r *zrange) of(z *keyspace.ZSet) (rank, n int) {
	if z == nil || r.empty {
		return 0, 0
	}
	if r.by == byRank {
		return places(r.start, r.stop, z.Len())
	}
	rank = z.Before(r.from)
	return rank, max(z.Before(r.to)-rank, 0)
}

// places is a range of places in n, counted from the end where negative.
func places(start, stop int64, n int) (rank, count int) {
	size := int64(n)
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return 0, 0
	}
	return int(start), int(stop-start) + 1
}

// exact reports whether the range has the same members in any copy of the set. It
// may not where members with other scores are in a range of the alphabet: what is
// found there depends on how the copy is kept.
func (r *zrange) exact(z *keyspace.ZSet) bool {
	if r.by != byLex || z.Len() == 0 {
		return true
	}
	_, first := z.At(0)
	_, last := z.At(z.Len() - 1)
	return first == last
}
