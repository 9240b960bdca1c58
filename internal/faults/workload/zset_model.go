package workload

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The members of a sorted set.
const zsetMembers = 4

func zsetName(member int) string { return fmt.Sprint("m", member) }

// score is a member's; the zero score is that of one that is not there.
type score struct {
	there bool
	n     int64
}

func scored(n int64) score { return score{true, n} }

// zsetValue is the score of every member.
type zsetValue [zsetMembers]score

// zsetOp is an operation on one sorted set. The output of all and of between is a
// zsetValue, that of popmin and popmax one of a single member or none, that of incr and
// score a score, and that of all others the number that the server answers.
//
//	add      member with the score by
//	addtwo   like add, and other() with the score and
//	gt       like add, where by is more than the present score; output: whether it changed
//	nx       like add, unless it is there
//	incr     member's score by by
//	rem      member
//	rank     output: of member, -1 when it is not there
//	between  those with scores from by to and
//	score, card, all, popmin, popmax
type zsetOp struct {
	kind    string
	member  int
	by, and int64
}

// other is a member beside the one named.
func (op zsetOp) other() int { return (op.member + 1) % zsetMembers }

// zsetNumber takes a number that a server answers apart.
func zsetNumber(reply any) (any, error) {
	if n, ok := reply.(int64); ok {
		return n, nil
	}
	return nil, fmt.Errorf("%v is no number", reply)
}

// zsetScore takes a score that a server answers apart, or nil.
func zsetScore(reply any) (any, error) {
	if reply == nil {
		return score{}, nil
	}
	n, ok := number(reply)
	if _, text := reply.(string); !ok || !text {
		return nil, fmt.Errorf("%v is no score", reply)
	}
	return scored(n), nil
}

// zsetRank takes a rank apart.
func zsetRank(reply any) (any, error) {
	if reply == nil {
		return int64(-1), nil
	}
	return zsetNumber(reply)
}

// zsetOnly takes the answer to ZPOPMIN apart.
func zsetOnly(reply any) (any, error) {
	if list, _ := reply.([]any); len(list) > 2 {
		return nil, fmt.Errorf("more than one member: %v", reply)
	}
	return zsetAll(reply)
}

// zsetAll takes members with their scores apart, which come in order.
func zsetAll(reply any) (any, error) {
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return nil, fmt.Errorf("%v is no list of members and scores", reply)
	}
	var z zsetValue
	last := -1
	for ; len(list) > 0; list = list[2:] {
		member := 0
		for member < zsetMembers && list[0] != zsetName(member) {
			member++
		}
		if member == zsetMembers {
			return nil, fmt.Errorf("a member %v, which nobody has added", list[0])
		}
		got, err := zsetScore(list[1])
		switch {
		case err != nil:
			return nil, err
		case z[member].there:
			return nil, fmt.Errorf("the member %v is there twice: %v", list[0], reply)
		}
		z[member] = got.(score)
		if last >= 0 && !z.before(last, member) {
			return nil, fmt.Errorf("%v comes after %v: %v", list[0], zsetName(last), reply)
		}
		last = member
	}
	return z, nil
}

// before reports whether member a precedes b in the order by score, then by name.
func (z zsetValue) before(a, b int) bool {
	if z[a].n != z[b].n {
		return z[a].n < z[b].n
	}
	return a < b
}

func (z zsetValue) card() (n int64) {
	for _, s := range z {
		if s.there {
			n++
		}
	}
	return n
}

// rank is how many precede member; -1 when it is not there.
func (z zsetValue) rank(member int) (n int64) {
	if !z[member].there {
		return -1
	}
	for i, s := range z {
		if s.there && z.before(i, member) {
			n++
		}
	}
	return n
}

// only is z without the members that keep refuses.
func (z zsetValue) only(keep func(member int) bool) zsetValue {
	for i := range z {
		if !keep(i) {
			z[i] = score{}
		}
	}
	return z
}

// zsetModel is a zsetValue. The output of an operation of unknown outcome is nil.
var zsetModel = withoutIdle(porcupine.Model{
	Init: func() any { return zsetValue{} },
	Step: func(state, input, output any) (bool, any) {
		next, answer := state.(zsetValue).after(input.(zsetOp))
		return output == nil || output == answer, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(zsetOp)
		return fmt.Sprintf("%s %s %d %d -> %v", op.kind, zsetName(op.member), op.by, op.and, output)
	},
})

// after is z after an operation, and the server's answer to it.
func (z zsetValue) after(op zsetOp) (zsetValue, any) {
	now := &z[op.member]
	before, card := *now, z.card()
	switch op.kind {
	case "add":
		*now = scored(op.by)
		return z, z.card() - card
	case "addtwo":
		*now, z[op.other()] = scored(op.by), scored(op.and)
		return z, z.card() - card
	case "gt":
		if before.there && before.n >= op.by {
			return z, int64(0)
		}
		*now = scored(op.by)
		return z, int64(1)
	case "nx":
		if !before.there {
			*now = scored(op.by)
		}
		return z, z.card() - card
	case "incr":
		*now = scored(before.n + op.by)
		return z, *now
	case "rem":
		*now = score{}
		return z, card - z.card()
	case "popmin":
		return z.popped(func(rank int64) bool { return rank == 0 })
	case "popmax":
		return z.popped(func(rank int64) bool { return rank == card-1 })
	case "score":
		return z, before
	case "rank":
		return z, z.rank(op.member)
	case "card":
		return z, card
	case "between":
		return z, z.only(func(i int) bool { return z[i].there && z[i].n >= op.by && z[i].n <= op.and })
	}
	return z, z
}

// popped is what is left after the member at a rank is taken out, and that one.
func (z zsetValue) popped(at func(rank int64) bool) (rest, took zsetValue) {
	is := func(i int) bool { return z[i].there && at(z.rank(i)) }
	return z.only(func(i int) bool { return !is(i) }), z.only(is)
}
