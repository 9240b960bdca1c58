package command_test

import (
	"fmt"
	"strings"
)

// setKey is a key that most likely holds a set.
func (g *generator) setKey() string {
	if g.chance(8) {
		return g.key()
	}
	return g.pick("s1", "s2", "s3", "s4")
}

func (g *generator) setKeys() []string {
	a := make([]string, 1+g.IntN(4))
	for i := range a {
		a[i] = g.setKey()
	}
	return a
}

// smallSets are a set and others, many times over: SDIFF subtracts them in another way
// when they are small.
func (g *generator) smallSets() []string {
	keys := []string{"s1", "s2", "s3", "s4"}
	g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	others := keys[1 : 2+g.IntN(2)]
	return repeat(keys[:1:1], 12, func() string { return g.pick(others...) })
}

// member is a member of a set, an integer most often so that intsets live for a while.
func (g *generator) member() string {
	switch g.IntN(20) {
	case 0:
		return g.integer()
	case 1:
		return fmt.Sprint(g.Int64() >> g.IntN(63))
	case 2, 3, 4:
		return fmt.Sprint("m", g.IntN(30))
	case 5:
		return g.pick("", "x\x00\r\n", strings.Repeat("l", 64), strings.Repeat("l", 65), g.value())
	}
	return fmt.Sprint(g.IntN(60) - 10)
}

func (g *generator) integerMember() string { return fmt.Sprint(g.IntN(60)) }

func repeat(first []string, n int, next func() string) []string {
	for range n {
		first = append(first, next())
	}
	return first
}

var setRequests = []request{
	{"sadd", 10, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(6), g.integerMember) }},
	{"sadd", 10, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(4), g.member) }},
	{"sadd", 5, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(60), g.member) }},
	{"sadd", 5, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(60), g.integerMember) }},
	{"srem", 10, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(8), g.member) }},
	{"sismember", 10, func(g *generator) []string { return args(g.setKey(), g.member()) }},
	{"smismember", 10, func(g *generator) []string { return repeat(args(g.setKey()), 1+g.IntN(5), g.member) }},
	{"scard", 10, func(g *generator) []string { return args(g.setKey()) }},
	{"smembers", 10, func(g *generator) []string { return args(g.setKey()) }},
	{"smove", 10, func(g *generator) []string { return args(g.setKey(), g.setKey(), g.member()) }},
	{"spop", 10, func(g *generator) []string { return args(g.setKey()) }},
	{"spop", 10, func(g *generator) []string {
		return args(g.setKey(), g.pick("0", "1", "2", "3", "5", "10", "30", "1000", "-1", g.integer()))
	}},
	{"spop", 1, func(g *generator) []string { return args(g.setKey(), "1", "2") }},
	{"srandmember", 5, func(g *generator) []string { return args(g.setKey()) }},
	{"srandmember", 10, func(g *generator) []string { return args(g.setKey(), g.drawCount()) }},
	{"srandmember", 1, func(g *generator) []string { return args(g.setKey(), "1", "2") }},
	{"sinter", 10, func(g *generator) []string { return g.setKeys() }},
	{"sunion", 10, func(g *generator) []string { return g.setKeys() }},
	{"sdiff", 10, func(g *generator) []string { return g.setKeys() }},
	{"sinterstore", 5, func(g *generator) []string { return with(args(g.setKey()), g.setKeys()) }},
	{"sunionstore", 5, func(g *generator) []string { return with(args(g.setKey()), g.setKeys()) }},
	{"sdiffstore", 5, func(g *generator) []string { return with(args(g.setKey()), g.setKeys()) }},
	{"sdiff", 3, func(g *generator) []string { return g.smallSets() }},
	{"sdiffstore", 3, func(g *generator) []string { return with(args(g.setKey()), g.smallSets()) }},
	{"sintercard", 10, func(g *generator) []string {
		keys := g.setKeys()
		a := with(args(fmt.Sprint(len(keys))), keys)
		if g.chance(10) {
			a[0] = g.pick("0", "-1", "2", "9", g.integer())
		}
		for g.chance(40) {
			a = append(a, g.pick("LIMIT", "limit", "LIMIT", "COUNT"))
			if g.chance(90) {
				a = append(a, g.pick("0", "1", "2", "5", "-1", g.integer()))
			}
		}
		return a
	}},
	{"sscan", 10, func(g *generator) []string { return with(args(g.setKey(), g.cursor()), g.scanOptions("1000", false)) }},
	{"object", 5, func(g *generator) []string { return args("ENCODING", g.setKey()) }},
}
