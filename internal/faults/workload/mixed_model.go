package workload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// tag names a write: its client, and its number there. All have tagSize bytes, so
// that a log of them is as long as they are many.
type tag string

const tagSize = 8

func newTag(writer, number int) tag { return tag(fmt.Sprintf("%d%07d", writer, number)) }

// writer is the field of the hash that holds the newest write of its client.
func (t tag) writer() string { return string(t[:1]) }

// mixedNumber is the field of the hash that counts.
const mixedNumber = "n"

// mixedValue is what all keys of a group tell.
type mixedValue struct {
	count  int64
	last   tag
	newest [mixedWriters]tag // write of each client, "" for none
}

// mixedOp is an operation on one group. The output of a write is a mixedAnswer,
// that of a read a mixedValue.
type mixedOp struct {
	kind string // write, read
	tag  tag
}

// mixedAnswer is what the server answers to a write: the new count, and whether
// it was its client's first.
type mixedAnswer struct {
	count int64
	first bool
}

// parseMixedAnswer takes the answers to INCR, HSET, HINCRBY, SET, APPEND, LPUSH, SADD,
// ZINCRBY and XADD apart and compares them.
func parseMixedAnswer(reply any) (mixedAnswer, error) {
	list, _ := reply.([]any)
	if len(list) != 9 {
		return mixedAnswer{}, fmt.Errorf("nine commands were answered with %v", reply)
	}
	count, _ := list[0].(int64)
	added, _ := list[1].(int64)
	score, _ := number(list[7])
	_, err := parseStreamID(list[8])
	if list[2] != count || list[3] != "OK" || list[4] != count*tagSize || list[5] != count || list[6] != int64(1) || score != count || err != nil {
		return mixedAnswer{}, fmt.Errorf("INCR, HSET, HINCRBY, SET, APPEND of %d bytes, LPUSH, SADD, ZINCRBY and XADD disagree: %v", tagSize, list)
	}
	return mixedAnswer{count: count, first: added == 1}, nil
}

// parseMixed takes the answers to readCommands apart and compares them.
func parseMixed(reply any) (mixedValue, error) {
	var m mixedValue
	list, _ := reply.([]any)
	if len(list) != 11 {
		return m, fmt.Errorf("eleven commands were answered with %v", reply)
	}
	disagree := func() (mixedValue, error) {
		return m, fmt.Errorf("GET count, HLEN, HGETALL, GET last, STRLEN log, the end of log, LLEN, LINDEX, SCARD, ZSCORE and XLEN disagree: %v", list)
	}
	m.count, _ = number(list[0])
	hash, err := parseMixedHash(list[2])
	if err != nil {
		return m, err
	}
	m.newest = hash.newest
	last, _ := list[3].(string)
	m.last = tag(last)
	if hash.count != m.count || list[1] != hash.fields || list[4] != m.count*tagSize || list[5] != last {
		return disagree()
	}
	score, _ := number(list[9])
	pushed, _ := list[7].(string)
	if list[6] != m.count || pushed != last || list[8] != m.count || score != m.count || list[10] != m.count {
		return disagree()
	}
	if (m.count == 0) != (last == "") {
		return disagree()
	}
	for i, t := range m.newest {
		if last != "" && m.last.writer() == fmt.Sprint(i) && t != m.last {
			return disagree()
		}
	}
	return m, nil
}

// mixedHash is what the hash of a group tells.
type mixedHash struct {
	count, fields int64
	newest        [mixedWriters]tag
}

func parseMixedHash(reply any) (mixedHash, error) {
	var h mixedHash
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return h, fmt.Errorf("HGETALL was answered with %v", reply)
	}
	h.fields = int64(len(list) / 2)
	for ; len(list) > 0; list = list[2:] {
		field, _ := list[0].(string)
		value, _ := list[1].(string)
		if field == mixedNumber {
			h.count, _ = number(value)
			continue
		}
		writer := writerOf(field)
		if writer < 0 || len(value) != tagSize || tag(value).writer() != field {
			return h, fmt.Errorf("HGETALL has %q: %q, which nobody has written", field, value)
		}
		h.newest[writer] = tag(value)
	}
	return h, nil
}

// writerOf is the number of the client that a field belongs to; -1 for none.
func writerOf(field string) int {
	for i := range mixedWriters {
		if field == fmt.Sprint(i) {
			return i
		}
	}
	return -1
}

// mixedModel is a mixedValue. The output of an operation of unknown outcome is
// nil.
var mixedModel = porcupine.Model{
	Init: func() any { return mixedValue{} },
	Step: func(state, input, output any) (bool, any) {
		now, op := state.(mixedValue), input.(mixedOp)
		if op.kind == "read" {
			return output.(mixedValue) == now, now
		}
		next := now
		next.count++
		next.last = op.tag
		newest := &next.newest[writerOf(op.tag.writer())]
		answer := mixedAnswer{count: next.count, first: *newest == ""}
		*newest = op.tag
		return output == nil || output.(mixedAnswer) == answer, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(mixedOp)
		return fmt.Sprintf("%s %s -> %v", op.kind, op.tag, output)
	},
}

// fates is what became of each write of a group.
type fates map[tag]Outcome

// maxWrong is how many writes of one group are named when something is wrong.
const maxWrong = 5

// compare finds the differences between what is there and the writes whose tags it must
// hold: each that was acknowledged, once; each of unknown outcome, once or never;
// no other.
func (f fates) compare(log string) error {
	times := map[tag]int{}
	for ; len(log) >= tagSize; log = log[tagSize:] {
		times[tag(log[:tagSize])]++
	}
	var wrong []string
	if log != "" {
		wrong = append(wrong, fmt.Sprintf("%q is half a write", log))
	}
	for t, n := range times {
		outcome, sent := f[t]
		switch {
		case !sent:
			wrong = append(wrong, fmt.Sprintf("%s is there and was never sent", t))
		case outcome == Refused:
			wrong = append(wrong, fmt.Sprintf("%s is there and was refused", t))
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("%s is there %d times", t, n))
		}
	}
	for t, outcome := range f {
		if outcome == Done && times[t] == 0 {
			wrong = append(wrong, fmt.Sprintf("%s was acknowledged and is not there", t))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%d writes are wrong: %s", len(wrong), strings.Join(wrong[:min(len(wrong), maxWrong)], "; "))
}
