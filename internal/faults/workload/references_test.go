package workload

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// registerReference is a string variable.
type registerReference struct {
	value string
	seen  []string
}

func (s *registerReference) choose(d dice, i int) (any, bool) {
	op := registerOp{value: fmt.Sprint("v", i)}
	switch d.IntN(6) {
	case 0:
		op.kind = "set"
	case 1:
		op.kind = "setnx"
	case 2:
		op.kind = "getset"
	case 3:
		op.kind, op.old = "cas", s.value
		if n := len(s.seen); n > 0 && d.IntN(2) == 0 {
			op.old = s.seen[d.IntN(n)]
		}
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s *registerReference) readAll() any { return registerOp{kind: "get"} }

func (s *registerReference) apply(input any) any {
	op, before := input.(registerOp), s.value
	output, write := any(before), op.kind != "get"
	switch op.kind {
	case "set":
		output = ""
	case "setnx":
		write = before == ""
		output = write
	case "cas":
		write = before == op.old
		output = write
	}
	if write {
		s.value = op.value
		s.seen = append(s.seen, op.value)
	}
	return output
}

func (s *registerReference) forge(d dice, input, output any) any {
	switch op := input.(registerOp); {
	case op.kind == "set":
		return nil // says nothing
	case op.kind == "cas" && output == true:
		return nil // a false alarm, if nobody has seen its value
	}
	if set, ok := output.(bool); ok {
		return !set
	}
	others := []string{"another"}
	for _, v := range append(s.seen, "") {
		if v != output {
			others = append(others, v)
		}
	}
	return others[d.IntN(len(others))]
}

func (s *registerReference) alien(any) any { return "another" }

// counterReference is everything that was ever added.
type counterReference struct{ added []int64 }

func (s *counterReference) choose(d dice, i int) (any, bool) {
	amounts := []int64{1, -1, int64(2 + i)}
	switch n := d.IntN(5); {
	case n < len(amounts):
		return counterOp{kind: "add", by: amounts[n]}, true
	default:
		return s.readAll(), false
	}
}

func (s *counterReference) readAll() any { return counterOp{kind: "get"} }

func (s *counterReference) apply(input any) any {
	op := input.(counterOp)
	if op.kind == "add" {
		s.added = append(s.added, op.by)
	}
	sum := int64(0)
	for _, n := range s.added {
		sum += n
	}
	switch {
	case op.kind == "add":
		return sum
	case len(s.added) == 0:
		return ""
	}
	return strconv.FormatInt(sum, 10)
}

func (s *counterReference) forge(d dice, _, output any) any {
	wrong := int64(1 + d.IntN(5))
	switch output := output.(type) {
	case int64:
		return output + wrong
	case string:
		n, _ := strconv.ParseInt(output, 10, 64)
		return []any{strconv.FormatInt(n+wrong, 10), strconv.FormatInt(n-wrong, 10)}[d.IntN(2)]
	}
	panic(output)
}

func (s *counterReference) alien(any) any { return "1000000007" }

// hashReference is a map.
type hashReference map[string]string

func (s hashReference) choose(d dice, i int) (any, bool) {
	var op hashOp
	field := d.IntN(numberField)
	op.put(field, fmt.Sprint("v", i))
	switch d.IntN(9) {
	case 0:
		op.kind = "set"
	case 1:
		op.kind = "set"
		op.put(1-field, fmt.Sprint("w", i))
	case 2:
		op.kind = "setnx"
	case 3, 4:
		op = hashOp{kind: "incr", by: int64(1 + i)}
	case 5:
		op = hashOp{kind: "del"}
		op.named[d.IntN(hashFields)], op.named[d.IntN(hashFields)] = true, true
	case 6:
		op = hashOp{kind: "get"}
		op.named[d.IntN(hashFields)] = true
		return op, false
	default:
		return s.readAll(), false
	}
	return op, true
}

func (s hashReference) readAll() any {
	return hashOp{kind: "get", named: [hashFields]bool{true, true, true}}
}

func (s hashReference) apply(input any) any {
	op := input.(hashOp)
	if op.kind == "incr" {
		n, _ := strconv.ParseInt(s["n"], 10, 64)
		s["n"] = strconv.FormatInt(n+op.by, 10)
		return n + op.by
	}
	before := maps.Clone(s)
	var read hashValue
	for i, name := range hashFieldNames {
		if !op.named[i] {
			continue
		}
		switch op.kind {
		case "get":
			read[i] = s[name]
		case "del":
			delete(s, name)
		case "setnx":
			if _, there := s[name]; there {
				return int64(0)
			}
			s[name] = op.values[i]
		case "set":
			s[name] = op.values[i]
		}
	}
	switch op.kind {
	case "get":
		return read
	case "del":
		return int64(len(before) - len(s))
	}
	return int64(len(s) - len(before))
}

func (s hashReference) forge(d dice, input, output any) any {
	if n, ok := output.(int64); ok {
		return n + 1
	}
	h := output.(hashValue)
	for i, named := range input.(hashOp).named {
		if !named {
			continue
		}
		if h[i] == "" || d.IntN(2) == 0 {
			h[i] += "0"
		} else {
			h[i] = ""
		}
		break
	}
	return h
}

func (s hashReference) alien(output any) any {
	h := output.(hashValue)
	for i := range h {
		h[i] = "another"
	}
	return h
}

// bankReference is the accounts by number.
type bankReference map[int]int64

func (s bankReference) choose(d dice, i int) (any, bool) {
	op := bankOp{from: d.IntN(accounts), amount: int64(1 + i)}
	op.to = (op.from + 1 + d.IntN(accounts-1)) % accounts
	choice := d.IntN(6)
	if len(s) == 0 {
		choice = 4 * d.IntN(2) // nobody transfers before the bank is open
	}
	switch choice {
	case 0:
		return bankOp{kind: "open"}, true
	case 1, 2:
		op.kind = "transfer"
	case 3:
		op.kind, op.seen = "cas", [2]int64{s[op.from], s[op.to]}
		op.seen[d.IntN(2)] += int64(d.IntN(2))
	case 4:
		return s.readAll(), false
	default:
		op.kind = "look"
		return op, false
	}
	return op, true
}

func (s bankReference) readAll() any { return bankOp{kind: "audit"} }

func (s bankReference) apply(input any) any {
	op := input.(bankOp)
	both := [2]int64{s[op.from], s[op.to]}
	switch op.kind {
	case "open":
		if len(s) > 0 {
			return false
		}
		for i := range accounts {
			s[i] = openingDeposit
		}
		return true
	case "audit":
		b := bankValue{open: len(s) > 0}
		for i, n := range s {
			b.balances[i] = n
		}
		return b
	case "look":
		return both
	case "cas":
		if both != op.seen {
			return false
		}
	}
	s[op.from] -= op.amount
	s[op.to] += op.amount
	if op.kind == "cas" {
		return true
	}
	return [2]int64{s[op.from], s[op.to]}
}

func (s bankReference) forge(d dice, input, output any) any {
	wrong := int64(1 + d.IntN(5))
	switch output := output.(type) {
	case bool:
		if input.(bankOp).kind == "cas" && output {
			return nil // a false alarm, if nobody has seen what it did
		}
		return !output
	case bankValue:
		if !output.open {
			return openedBank()
		}
		// The sum stays right: only the history tells that it is wrong.
		output.balances[0] += wrong
		output.balances[1] -= wrong
		return output
	case [2]int64:
		output[d.IntN(2)] += wrong
		return output
	}
	panic(output)
}

func (s bankReference) alien(output any) any {
	switch output := output.(type) {
	case bankValue:
		output.open = true
		output.balances[0], output.balances[1] = 1_000_000_007, bankTotal-1_000_000_007
		return output
	case [2]int64:
		return [2]int64{1_000_000_007, 0}
	}
	panic(output)
}

// mixedReference is the log alone; all the rest follows from it.
type mixedReference struct{ log string }

func (s *mixedReference) choose(d dice, i int) (any, bool) {
	if d.IntN(2) == 0 {
		return s.readAll(), false
	}
	return mixedOp{kind: "write", tag: newTag(d.IntN(mixedWriters), i)}, true
}

func (s *mixedReference) readAll() any { return mixedOp{kind: "read"} }

func (s *mixedReference) apply(input any) any {
	op := input.(mixedOp)
	if op.kind == "write" {
		first := true
		for log := s.log; log != ""; log = log[tagSize:] {
			first = first && !strings.HasPrefix(log, op.tag.writer())
		}
		s.log += string(op.tag)
		return mixedAnswer{count: int64(len(s.log) / tagSize), first: first}
	}
	m := mixedValue{count: int64(len(s.log) / tagSize)}
	for log := s.log; log != ""; log = log[tagSize:] {
		m.last = tag(log[:tagSize])
		m.newest[log[0]-'0'] = m.last
	}
	return m
}

func (s *mixedReference) forge(d dice, _, output any) any {
	switch output := output.(type) {
	case mixedAnswer:
		if d.IntN(2) == 0 {
			output.count++
		} else {
			output.first = !output.first
		}
		return output
	case mixedValue:
		switch d.IntN(3) {
		case 0:
			output.count++
		case 1:
			output.last = "another"
		default:
			output.newest[d.IntN(mixedWriters)] = "another"
		}
		return output
	}
	panic(output)
}

func (s *mixedReference) alien(output any) any {
	m := output.(mixedValue)
	m.last = "another"
	return m
}
