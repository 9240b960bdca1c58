package command_test

import (
	"fmt"
	"slices"
)

// request makes arguments of one command.
type request struct {
	name   string
	weight int // of 10
	make   func(g *generator) []string
}

// allRequests has every command of Data, with the options in their combinations.
// SELECT and whole rounds of SCAN and its kin are the driver's.
func allRequests() []request {
	return slices.Concat(stringRequests, bitmapRequests, hyperloglogRequests, dumpRequests, hashRequests, listRequests, setRequests,
		zsetRequests, geoRequests, sortRequests, genericRequests, commandRequests, seldom(streamRequests))
}

func args(a ...string) []string { return a }

func with(first []string, more []string) []string { return append(first, more...) }

var stringRequests = []request{
	{"get", 10, func(g *generator) []string { return args(g.skey()) }},
	{"mget", 10, func(g *generator) []string { return g.keys() }},
	{"strlen", 10, func(g *generator) []string { return args(g.skey()) }},
	{"getrange", 10, func(g *generator) []string { return args(g.skey(), g.number(), g.number()) }},
	{"substr", 5, func(g *generator) []string { return args(g.skey(), g.number(), g.number()) }},
	{"lcs", 10, func(g *generator) []string {
		a := args(g.skey(), g.skey())
		for g.chance(50) {
			a = append(a, g.anyCase(g.pick("LEN", "IDX", "IDX", "WITHMATCHLEN", "MINMATCHLEN", "NOPE")))
			if g.chance(30) {
				a = append(a, "MINMATCHLEN", g.number())
			}
		}
		return a
	}},
	{"set", 10, func(g *generator) []string { return args(g.skey(), g.value()) }},
	{"set", 10, func(g *generator) []string {
		a := args(g.skey(), g.value())
		for g.chance(60) {
			if g.chance(50) {
				a = with(a, g.expiry())
			} else {
				a = append(a, g.anyCase(g.pick("NX", "XX", "GET", "KEEPTTL", "PERSIST", "") + "x")[:0]+g.pick("NX", "xx", "GET", "get", "KEEPTTL", "PERSIST", "NOPE"))
			}
		}
		return a
	}},
	{"setnx", 10, func(g *generator) []string { return args(g.key(), g.value()) }},
	{"setex", 10, func(g *generator) []string { return args(g.skey(), g.seconds(), g.value()) }},
	{"psetex", 10, func(g *generator) []string { return args(g.skey(), g.millis(), g.value()) }},
	{"getset", 10, func(g *generator) []string { return args(g.skey(), g.value()) }},
	{"getdel", 5, func(g *generator) []string { return args(g.skey()) }},
	{"getex", 10, func(g *generator) []string {
		a := args(g.skey())
		for g.chance(50) {
			if g.chance(70) {
				a = with(a, g.expiry())
			} else {
				a = append(a, g.pick("PERSIST", "persist", "KEEPTTL", "NX", "GET"))
			}
		}
		return a
	}},
	{"mset", 10, func(g *generator) []string { return g.pairs(g.skey) }},
	{"msetnx", 10, func(g *generator) []string { return g.pairs(g.key) }},
	{"append", 10, func(g *generator) []string { return args(g.skey(), g.value()) }},
	{"setrange", 10, func(g *generator) []string {
		offset := g.pick("0", "1", "5", "43", "4095", "10000", "-1", "536870912", "536870911", "9223372036854775807", "abc")
		val := g.value()
		if offset == "536870911" {
			val = "xx" // one byte too many; a string of 512 MB would take too long
		}
		return args(g.skey(), offset, val)
	}},
	{"incr", 10, func(g *generator) []string { return args(g.skey()) }},
	{"decr", 10, func(g *generator) []string { return args(g.skey()) }},
	{"incrby", 10, func(g *generator) []string { return args(g.skey(), g.number()) }},
	{"decrby", 10, func(g *generator) []string { return args(g.skey(), g.number()) }},
	{"incrbyfloat", 10, func(g *generator) []string { return args(g.skey(), g.float()) }},
}

func (g *generator) pairs(key func() string) []string {
	var a []string
	for range 1 + g.IntN(3) {
		a = append(a, key(), g.value())
	}
	return a
}

func (g *generator) fields(n int) []string {
	a := args(g.hkey())
	for range n {
		a = append(a, g.field(), g.value())
	}
	return a
}

var hashRequests = []request{
	{"hset", 10, func(g *generator) []string { return g.fields(1 + g.IntN(4)) }},
	{"hset", 1, func(g *generator) []string { // beyond hash-max-listpack-entries
		a := args(g.hkey())
		for i := range 100 + g.IntN(200) {
			a = append(a, fmt.Sprint("n", i), "v")
		}
		return a
	}},
	{"hmset", 10, func(g *generator) []string { return g.fields(1 + g.IntN(4)) }},
	{"hsetnx", 10, func(g *generator) []string { return g.fields(1) }},
	{"hget", 10, func(g *generator) []string { return args(g.hkey(), g.field()) }},
	{"hmget", 10, func(g *generator) []string { return args(g.hkey(), g.field(), g.field(), g.field()) }},
	{"hgetall", 10, func(g *generator) []string { return args(g.hkey()) }},
	{"hkeys", 5, func(g *generator) []string { return args(g.hkey()) }},
	{"hvals", 5, func(g *generator) []string { return args(g.hkey()) }},
	{"hlen", 10, func(g *generator) []string { return args(g.hkey()) }},
	{"hstrlen", 10, func(g *generator) []string { return args(g.hkey(), g.field()) }},
	{"hexists", 10, func(g *generator) []string { return args(g.hkey(), g.field()) }},
	{"hdel", 10, func(g *generator) []string { return args(g.hkey(), g.field(), g.field(), g.field()) }},
	{"hincrby", 10, func(g *generator) []string { return args(g.hkey(), g.field(), g.number()) }},
	{"hincrbyfloat", 10, func(g *generator) []string { return args(g.hkey(), g.field(), g.float()) }},
	{"hrandfield", 10, func(g *generator) []string {
		a := args(g.hkey())
		if g.chance(80) {
			a = append(a, g.drawCount())
			if g.chance(50) {
				a = append(a, g.pick("WITHVALUES", "withvalues", "VALUES"))
			}
		}
		return a
	}},
	{"hscan", 10, func(g *generator) []string { return with(args(g.hkey(), g.cursor()), g.scanOptions("1000", false)) }},
}

var genericRequests = []request{
	{"del", 5, func(g *generator) []string { return g.keys() }},
	{"unlink", 3, func(g *generator) []string { return g.keys() }},
	{"exists", 10, func(g *generator) []string { return g.keys() }},
	{"touch", 5, func(g *generator) []string { return g.keys() }},
	{"type", 10, func(g *generator) []string { return args(g.key()) }},
	{"rename", 10, func(g *generator) []string { return args(g.key(), g.key()) }},
	{"renamenx", 10, func(g *generator) []string { return args(g.key(), g.key()) }},
	{"copy", 10, func(g *generator) []string {
		a := args(g.key(), g.key())
		for g.chance(50) {
			switch g.IntN(5) {
			case 0, 1:
				a = append(a, g.anyCase("DB"), g.db())
			case 2, 3:
				a = append(a, g.anyCase("REPLACE"))
			default:
				a = append(a, g.pick("DB", "NX", ""))
			}
		}
		return a
	}},
	{"move", 10, func(g *generator) []string { return args(g.key(), g.db()) }},
	{"swapdb", 1, func(g *generator) []string { return args(g.db(), g.db()) }},
	{"randomkey", 5, func(g *generator) []string { return nil }},
	{"keys", 10, func(g *generator) []string { return args(g.pattern()) }},
	{"scan", 10, func(g *generator) []string { return with(args(g.cursor()), g.scanOptions("1000", true)) }},
	{"dbsize", 5, func(g *generator) []string { return nil }},
	{"flushdb", 1, func(g *generator) []string { return args(g.pick("SYNC", "async", "NOW")) }},
	{"flushdb", 1, func(g *generator) []string { return nil }},
	{"flushall", 1, func(g *generator) []string { return args(g.pick("SYNC", "async", "NOW")) }},
	{"flushall", 1, func(g *generator) []string { return nil }},
	{"object", 10, func(g *generator) []string { return args(g.anyCase("ENCODING"), g.key()) }},
	{"object", 3, func(g *generator) []string { return args(g.pick("REFCOUNT", "IDLETIME", "FREQ", "freq"), g.key()) }},
	{"object", 1, func(g *generator) []string { return args("HELP") }},

	{"expire", 10, func(g *generator) []string { return with(args(g.key(), g.seconds()), g.expireFlags()) }},
	{"pexpire", 10, func(g *generator) []string { return with(args(g.key(), g.millis()), g.expireFlags()) }},
	{"expireat", 10, func(g *generator) []string { return with(args(g.key(), g.secondsAt()), g.expireFlags()) }},
	{"pexpireat", 10, func(g *generator) []string { return with(args(g.key(), g.millisAt()), g.expireFlags()) }},
	{"persist", 10, func(g *generator) []string { return args(g.key()) }},
	{"ttl", 10, func(g *generator) []string { return args(g.key()) }},
	{"pttl", 10, func(g *generator) []string { return args(g.key()) }},
	{"expiretime", 10, func(g *generator) []string { return args(g.key()) }},
	{"pexpiretime", 10, func(g *generator) []string { return args(g.key()) }},
}

var commandRequests = []request{
	{"command", 10, func(g *generator) []string {
		return with(args(g.pick("GETKEYS", "GETKEYSANDFLAGS", "getkeysandflags")), g.request())
	}},
	{"command", 1, func(g *generator) []string { return args("HELP") }},
	{"command", 1, func(g *generator) []string {
		return args("INFO", g.pick("get", "SET", "mset", "lcs", "copy", "object|freq", "OBJECT|ENCODING", "nope", "get|x", "object|nope", ""))
	}},
	{"command", 1, func(g *generator) []string {
		return args(g.pick("HELP", "LIST", "NOPE", "COUNT"), g.pick("x", "FILTERBY"), g.pick("MODULE", "NOPE"), g.key())
	}},
}
