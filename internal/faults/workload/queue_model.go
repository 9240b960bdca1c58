package workload

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// list is the elements of a list from its head on, each with listEnd behind it.
// Strings are quick to compare.
type list string

const listEnd = " " // in no value

func listOf(values ...string) list {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(v + listEnd)
	}
	return list(b.String())
}

func (l list) values() []string {
	if l == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(l), listEnd), listEnd)
}

func (l list) len() int64 { return int64(strings.Count(string(l), listEnd)) }

// pushed is l after LPUSH of each of more, one after the other.
func (l list) pushed(more list) list {
	for _, v := range more.values() {
		l = listOf(v) + l
	}
	return l
}

// head and tail take an element off; "" when there is none.
func (l list) head() (value string, rest list) {
	value, after, _ := strings.Cut(string(l), listEnd)
	return value, list(after)
}

func (l list) tail() (value string, rest list) {
	all := strings.TrimSuffix(string(l), listEnd)
	at := strings.LastIndex(all, listEnd) + 1
	return all[at:], list(all[:at])
}

// without is l after LREM of the first that is value.
func (l list) without(value string) (rest list, found bool) {
	before, after, found := strings.Cut(listEnd+string(l), listEnd+value+listEnd)
	if !found {
		return l, false
	}
	return list(strings.TrimPrefix(before+listEnd+after, listEnd)), true
}

// listOfReply takes LRANGE's reply apart.
func listOfReply(reply any) (list, error) {
	elements, ok := reply.([]any)
	if !ok {
		return "", fmt.Errorf("%v is no list", reply)
	}
	values := make([]string, len(elements))
	for i, e := range elements {
		if values[i], _ = e.(string); values[i] == "" || strings.Contains(values[i], listEnd) {
			return "", fmt.Errorf("the element %v, which nobody has pushed, in %v", e, reply)
		}
	}
	return listOf(values...), nil
}

// queueValue is both lists of a queue: values are pushed at waiting's head and popped
// at its tail; those in hand are at taken's head.
type queueValue struct{ waiting, taken list }

// parseQueue takes the answer to LRANGE of both apart.
func parseQueue(reply any) (q queueValue, err error) {
	both, _ := reply.([]any)
	if len(both) != 2 {
		return q, fmt.Errorf("two commands were answered with %v", reply)
	}
	if q.waiting, err = listOfReply(both[0]); err != nil {
		return q, err
	}
	q.taken, err = listOfReply(both[1])
	return q, err
}

// queueOp is an operation on one queue.
//
//	push    values; output: how many wait then
//	pop     output: the value that has waited longest, "" when none waits
//	take    like pop, to those in hand
//	return  the one taken last, to be the next again; output: the value
//	finish  values' only one; output: how many of it were in hand
//	len     output: how many wait
//	range   output: a list of those that wait
//	all     output: a queueValue
type queueOp struct {
	kind   string
	values list
}

// queueModel is a queueValue. The output of an operation of unknown outcome is nil.
var queueModel = withoutIdle(porcupine.Model{
	Init: func() any { return queueValue{} },
	Step: func(state, input, output any) (bool, any) {
		next, answer := state.(queueValue).after(input.(queueOp))
		return output == nil || output == answer, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(queueOp)
		return fmt.Sprintf("%s %s-> %v", op.kind, op.values, output)
	},
})

// after is q after an operation, and the server's answer to it.
func (q queueValue) after(op queueOp) (queueValue, any) {
	var value string
	switch op.kind {
	case "push":
		q.waiting = q.waiting.pushed(op.values)
		return q, q.waiting.len()
	case "pop":
		value, q.waiting = q.waiting.tail()
		return q, value
	case "take":
		if value, q.waiting = q.waiting.tail(); value != "" {
			q.taken = listOf(value) + q.taken
		}
		return q, value
	case "return":
		if value, q.taken = q.taken.head(); value != "" {
			q.waiting += listOf(value)
		}
		return q, value
	case "finish":
		rest, found := q.taken.without(strings.TrimSuffix(string(op.values), listEnd))
		if !found {
			return q, int64(0)
		}
		q.taken = rest
		return q, int64(1)
	case "len":
		return q, q.waiting.len()
	case "range":
		return q, q.waiting
	}
	return q, q
}
