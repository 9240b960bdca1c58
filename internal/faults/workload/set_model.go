package workload

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/anishathalye/porcupine"
)

// members is some of the members that sets may have, a bit each: the lower setMembers
// bits are of the set x, those above of y where both are meant.
type members uint16

const (
	setMembers = 6
	allMembers = members(1)<<setMembers - 1
)

func memberBit(i int) members { return 1 << i }

func (m members) count() int64 { return int64(bits.OnesCount16(uint16(m))) }

// names are the members of one set.
func (m members) names() []string {
	var names []string
	for i := range setMembers {
		if m&memberBit(i) != 0 {
			names = append(names, memberName(i))
		}
	}
	return names
}

func memberName(i int) string { return fmt.Sprint("m", i) }

// String is for people.
func (m members) String() string {
	return fmt.Sprintf("{%s|%s}", strings.Join(m.of(0).names(), " "), strings.Join(m.of(1).names(), " "))
}

// of is the members of one of both sets.
func (m members) of(which int) members { return m >> (which * setMembers) & allMembers }

// with is m with one of both sets replaced.
func (m members) with(which int, set members) members {
	return m&^(allMembers<<(which*setMembers)) | set<<(which*setMembers)
}

// membersOfReply takes a list of members apart, or one of them, or nil.
func membersOfReply(reply any) (members, error) {
	list, ok := reply.([]any)
	if !ok && reply != nil {
		list = []any{reply}
	}
	var m members
	for _, v := range list {
		i := 0
		for i < setMembers && v != memberName(i) {
			i++
		}
		switch {
		case i == setMembers:
			return 0, fmt.Errorf("a member %v, which nobody has added", v)
		case m&memberBit(i) != 0:
			return 0, fmt.Errorf("the member %v is there twice: %v", v, list)
		}
		m |= memberBit(i)
	}
	return m, nil
}

// someOfReply takes the answer to SISMEMBER or SMISMEMBER of some members apart.
func someOfReply(some members) func(any) (members, error) {
	return func(reply any) (members, error) {
		list, ok := reply.([]any)
		if !ok {
			list = []any{reply}
		}
		if int64(len(list)) != some.count() {
			return 0, fmt.Errorf("%d members were answered with %v", some.count(), reply)
		}
		var m members
		for i := range setMembers {
			if some&memberBit(i) == 0 {
				continue
			}
			switch list[0] {
			case int64(1):
				m |= memberBit(i)
			case int64(0):
			default:
				return 0, fmt.Errorf("%v is neither 0 nor 1", list[0])
			}
			list = list[1:]
		}
		return m, nil
	}
}

// cardOfReply is a number in the place of members.
func cardOfReply(reply any) (members, error) {
	n, ok := reply.(int64)
	if !ok || n < 0 || n > setMembers {
		return 0, fmt.Errorf("%v members of %d", reply, setMembers)
	}
	return members(n), nil
}

// bothOfReply takes the answer to SMEMBERS of both sets apart.
func bothOfReply(reply any) (members, error) {
	list, _ := reply.([]any)
	if len(list) != 2 {
		return 0, fmt.Errorf("two commands were answered with %v", reply)
	}
	x, err := membersOfReply(list[0])
	if err != nil {
		return 0, err
	}
	y, err := membersOfReply(list[1])
	return members(0).with(0, x).with(1, y), err
}

// setOp is an operation on one pair of sets, and on which of them. The output of
// add, rem and move is the number that the server answers; that of all others are
// members.
//
//	add, rem  those named
//	move      the one named to the other set
//	pop       count of them, whichever; output: those
//	get       output: which of those named are there
//	card      output: how many are there
//	random    output: one that is there
//	union, inter, both
type setOp struct {
	kind  string
	which int
	named members
	count int64
}

// setModel is the members of both sets. Which members a pop of unknown outcome took
// nobody knows.
var setModel = withoutIdle((&porcupine.NondeterministicModel{
	Init: func() []any { return []any{members(0)} },
	Step: func(state, input, output any) []any {
		now, op := state.(members), input.(setOp)
		set := now.of(op.which)
		if op.kind == "pop" {
			return popped(now, op, output)
		}
		next, answer := now, any(members(0))
		switch op.kind {
		case "add":
			next, answer = now.with(op.which, set|op.named), (op.named &^ set).count()
		case "rem":
			next, answer = now.with(op.which, set&^op.named), (op.named & set).count()
		case "move":
			moved := set & op.named
			next, answer = now.with(op.which, set&^moved).with(1-op.which, now.of(1-op.which)|moved), moved.count()
		case "get":
			answer = set & op.named
		case "card":
			answer = members(set.count())
		case "random":
			one := output.(members)
			if one.count() != min(1, set.count()) || one&^set != 0 {
				return nil
			}
			answer = one
		case "union":
			answer = now.of(0) | now.of(1)
		case "inter":
			answer = now.of(0) & now.of(1)
		case "both":
			answer = now
		}
		if output != nil && output != answer {
			return nil
		}
		return []any{next}
	},
	Hash: func(state any) uint64 { return uint64(state.(members)) },
	DescribeOperation: func(input, output any) string {
		op := input.(setOp)
		return fmt.Sprintf("%s %c %v %d -> %v", op.kind, "xy"[op.which], op.named.names(), op.count, output)
	},
}).ToModel())

// popped is what may be left after a pop.
func popped(now members, op setOp, output any) []any {
	set := now.of(op.which)
	var left []any
	for took := range allMembers + 1 {
		if took&^set == 0 && took.count() == min(op.count, set.count()) && (output == nil || output == took) {
			left = append(left, now.with(op.which, set&^took))
		}
	}
	return left
}
