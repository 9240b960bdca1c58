package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// lkey is a key that most likely holds a list.
func (g *generator) lkey() string {
	if g.chance(10) {
		return g.key()
	}
	return g.pick("l1", "l2", "l3")
}

func (g *generator) lkeys() []string {
	out := make([]string, 1+g.IntN(3))
	for i := range out {
		out[i] = g.lkey()
	}
	return out
}

// element is one of few, so that a list has some more than once; rarely it is large.
func (g *generator) element() string {
	switch g.IntN(12) {
	case 0:
		return g.value()
	case 1, 2, 3:
		return g.integer()
	case 4:
		return strings.Repeat("e", g.pickInt(62, 63, 64, 125, 126, 127, 128, 400))
	case 5:
		if g.chance(25) {
			return strings.Repeat("E", g.pickInt(2000, 4080, 4095, 4096, 8170, 8185, 8192, 9000))
		}
	}
	return g.pick("x", "y", "z", "1", "2", "-5", "", "e"+fmt.Sprint(g.IntN(10)))
}

func (g *generator) elements() []string {
	n := 1 + g.IntN(4)
	if g.chance(5) {
		n = 20 + g.IntN(150)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = g.element()
	}
	return out
}

func (g *generator) index() string {
	if g.chance(5) {
		return g.integer()
	}
	return fmt.Sprint(g.IntN(60) - 30)
}

func (g *generator) end() string {
	return g.anyCase(g.pick("LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "MIDDLE", "x"))
}

// timeout is short: Redis waits for it whenever there is nothing.
func (g *generator) timeout() string {
	return g.pick("0.001", "1e-3", "0.002", "0x1p-10", "-1", "-0.01", "abc", "", "nan", " 1", "1 ", "-9e15")
}

func (g *generator) popCount() []string {
	if g.chance(50) {
		return nil
	}
	if g.chance(70) {
		return args(g.pick("0", "1", "2", "3", "10", "100"))
	}
	return args(g.number())
}

func (g *generator) countedKeys() []string {
	keys := g.lkeys()
	n := fmt.Sprint(len(keys))
	if g.chance(10) {
		n = g.pick("0", "-1", "1", "4", "100", "abc", "")
	}
	a := with(args(n), keys)
	a = append(a, g.end())
	for g.chance(40) {
		a = append(a, g.anyCase(g.pick("COUNT", "COUNT", "COUNT", "NOPE")))
		if g.chance(90) {
			a = append(a, g.pick("1", "2", "5", "100", g.number()))
		}
	}
	return a
}

// The smallest integer has no rank from the end: 7.0 takes it for one all the same, 7.2
// and Redoubt refuse it.
func TestLPosRank(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.do(raw("RPUSH", "l", "a", "b", "a"))
	for rank, want := range map[string]string{
		"-9223372036854775808": "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
		"-9223372036854775807": "$-1\r\n", "-1": ":2\r\n", "1": ":0\r\n", "9223372036854775807": "$-1\r\n",
	} {
		if got, _ := s.do(raw("LPOS", "l", "a", "RANK", rank)); string(got) != want {
			t.Errorf("rank %s: %q", rank, got)
		}
	}
}

var listRequests = []request{
	{"lpush", 10, func(g *generator) []string { return with(args(g.lkey()), g.elements()) }},
	{"rpush", 10, func(g *generator) []string { return with(args(g.lkey()), g.elements()) }},
	{"rpush", 10, func(g *generator) []string { return with(args(g.lkey()), g.elements()) }},
	{"lpushx", 5, func(g *generator) []string { return with(args(g.lkey()), g.elements()) }},
	{"rpushx", 5, func(g *generator) []string { return with(args(g.lkey()), g.elements()) }},
	{"lpop", 7, func(g *generator) []string { return with(args(g.lkey()), g.popCount()) }},
	{"rpop", 7, func(g *generator) []string { return with(args(g.lkey()), g.popCount()) }},
	{"llen", 5, func(g *generator) []string { return args(g.lkey()) }},
	{"lindex", 10, func(g *generator) []string { return args(g.lkey(), g.index()) }},
	{"lrange", 10, func(g *generator) []string { return args(g.lkey(), g.index(), g.index()) }},
	{"lrange", 3, func(g *generator) []string { return args(g.lkey(), "0", "-1") }},
	{"lpos", 10, func(g *generator) []string {
		a := args(g.lkey(), g.element())
		for g.chance(50) {
			a = append(a, g.anyCase(g.pick("RANK", "COUNT", "MAXLEN", "RANK", "COUNT", "MAXLEN", "NOPE")))
			if g.chance(95) {
				n := g.pick("1", "2", "-1", "-2", "0", "10", g.number())
				if n == "-9223372036854775808" { // TestLPosRank
					n = "-9223372036854775807"
				}
				a = append(a, n)
			}
		}
		return a
	}},
	{"lset", 10, func(g *generator) []string { return args(g.lkey(), g.index(), g.element()) }},
	{"lset", 10, func(g *generator) []string { return args(g.lkey(), g.pick("0", "-1", "1", "-2"), g.element()) }},
	{"linsert", 10, func(g *generator) []string {
		return args(g.lkey(), g.anyCase(g.pick("BEFORE", "AFTER", "BEFORE", "AFTER", "BEFORE", "AFTER", "BESIDE")), g.element(), g.element())
	}},
	{"lrem", 10, func(g *generator) []string {
		return args(g.lkey(), g.pick("0", "1", "-1", "2", "-2", g.number()), g.element())
	}},
	{"ltrim", 3, func(g *generator) []string { return args(g.lkey(), g.index(), g.index()) }},
	{"ltrim", 5, func(g *generator) []string { return args(g.lkey(), g.pick("0", "1", "2"), g.pick("-1", "-2", "40")) }},
	{"lmove", 10, func(g *generator) []string { return args(g.lkey(), g.lkey(), g.end(), g.end()) }},
	{"rpoplpush", 10, func(g *generator) []string { return args(g.lkey(), g.lkey()) }},
	{"lmpop", 10, func(g *generator) []string { return g.countedKeys() }},

	// Where there is something to pop these do not block, and else not for long.
	{"blpop", 6, func(g *generator) []string { return append(g.lkeys(), g.timeout()) }},
	{"brpop", 6, func(g *generator) []string { return append(g.lkeys(), g.timeout()) }},
	{"blmove", 8, func(g *generator) []string { return args(g.lkey(), g.lkey(), g.end(), g.end(), g.timeout()) }},
	{"brpoplpush", 8, func(g *generator) []string { return args(g.lkey(), g.lkey(), g.timeout()) }},
	{"blmpop", 8, func(g *generator) []string { return with(args(g.timeout()), g.countedKeys()) }},
	{"object", 10, func(g *generator) []string { return args("ENCODING", g.lkey()) }},
}
