package main

import (
	"fmt"
	"strings"
)

// test is one of redis-benchmark's own loads, or a command that it is given.
type test struct {
	op      string   // in the report, and in redis-benchmark's output
	flag    string   // in -t; "" when command is set
	command []string // in place of a test
}

// tests are the loads by their names in -ops. redis-benchmark 7.0 has no test of
// XADD; the command is that of 7.2's.
var tests = map[string]test{
	"ping":    {op: "PING_MBULK", flag: "ping_mbulk"},
	"set":     {op: opSet, flag: "set"},
	"get":     {op: opGet, flag: "get"},
	"incr":    {op: "INCR", flag: "incr"},
	"lpush":   {op: "LPUSH", flag: "lpush"},
	"rpush":   {op: "RPUSH", flag: "rpush"},
	"lpop":    {op: "LPOP", flag: "lpop"},
	"rpop":    {op: "RPOP", flag: "rpop"},
	"sadd":    {op: "SADD", flag: "sadd"},
	"hset":    {op: "HSET", flag: "hset"},
	"spop":    {op: "SPOP", flag: "spop"},
	"zadd":    {op: "ZADD", flag: "zadd"},
	"zpopmin": {op: "ZPOPMIN", flag: "zpopmin"},
	"lrange":  {op: "LRANGE_100 (first 100 elements)", flag: "lrange_100"},
	"mset":    {op: "MSET (10 keys)", flag: "mset"},
	"xadd":    {op: "XADD mystream * myfield data", command: []string{"XADD", "mystream", "*", "myfield", "data"}},
}

// allCommands is what "commands" in -ops stands for, in redis-benchmark's order.
const allCommands = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset,xadd"

// parseOps reads -ops.
func parseOps(list string) (ops []string, err error) {
	for _, name := range strings.Split(strings.ReplaceAll(list, "commands", allCommands), ",") {
		t, ok := tests[name]
		switch {
		case name == "mix":
			ops = append(ops, opMix)
		case ok:
			ops = append(ops, t.op)
		default:
			return nil, fmt.Errorf("-ops: %q is none of mix, commands, %s", name, strings.ReplaceAll(allCommands, ",", ", "))
		}
	}
	return ops, nil
}

// testOf is the load that has a name in the report.
func testOf(op string) (test, bool) {
	for _, t := range tests {
		if t.op == op {
			return t, true
		}
	}
	return test{}, false
}

// args are redis-benchmark's arguments for the load; they end its command line.
func (t test) args() []string {
	if t.command != nil {
		return t.command
	}
	return []string{"-t", t.flag}
}
