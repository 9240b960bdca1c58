package command_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes requests that are likely to mean something: few keys and fields,
// wrong types, numbers at the edges, options in every combination and wrong
// ones among them.
type generator struct {
	*rand.Rand
	now  int64 // Unix milliseconds of the sequence
	step int64 // makes every relative expiry different, see future

	requests []request
	dumps    []string // what DUMP returned lately

	lastMS int64 // of IDs of streams, see newID
}

// databases is the number of databases the requests use, of Redis's 16.
const databases = 3

var keyPool = []string{"a", "b", "c", "d", "e", "f", "h1", "h2", "h3", "l1", "l2", "l3", "s1", "s2", "s3", "s4", "z1", "z2", "z3", "bits1", "bits2", "bits3", "pf1", "pf2", "pf3", "x1", "x2", "x3", "x4", "", "k\x00\r\n\xff"}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) key() string { return g.pick(keyPool...) }

// hkey is a key that most likely holds a hash.
func (g *generator) hkey() string {
	if g.chance(10) {
		return g.key()
	}
	return g.pick("h1", "h2", "h3")
}

// skey is a key that most likely holds a string.
func (g *generator) skey() string {
	if g.chance(10) {
		return g.pick(otherKeys...)
	}
	return g.pick("a", "b", "c", "d", "", "k\x00\r\n\xff")
}

func (g *generator) keys() []string {
	out := make([]string, 1+g.IntN(4))
	for i := range out {
		out[i] = g.key()
	}
	return out
}

func (g *generator) field() string {
	return g.pick("", "f", "g", "1", "-7", strings.Repeat("long", 20), fmt.Sprint("f", g.IntN(20)))
}

func (g *generator) integer() string {
	return g.pick("0", "1", "-1", "2", "3", "7", "-3", "10", "100", "-100",
		"9223372036854775807", "-9223372036854775808", "9223372036854775806", "-9223372036854775807",
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "4611686018427387904",
		"+1", "01", "-0", " 1", "1 ", "", "abc", "1.5", "0x10", "1e3", "\x00")
}

func (g *generator) small() string { return fmt.Sprint(g.IntN(41) - 20) }

func (g *generator) number() string {
	if g.chance(70) {
		return g.small()
	}
	return g.integer()
}

func (g *generator) float() string {
	switch g.IntN(6) {
	case 0:
		return g.number()
	case 1:
		return fmt.Sprintf("%.*f", g.IntN(20), g.NormFloat64())
	case 2:
		return fmt.Sprintf("%.*e", g.IntN(18), g.NormFloat64()*1e9)
	case 3:
		return fmt.Sprintf("%d.%d", g.IntN(200)-100, g.IntN(1000))
	}
	return g.pick("0.1", "-0.1", "1.5", "3.0", "3.00", "1e10", "1E-3", "-1e-10", "5e-324", "1e308", "-1e4932", "1e4932",
		"1e5000", "1e-5000", "inf", "-inf", "+inf", "Infinity", "nan", "-nan", ".5", "5.", ".", "1e", "0x1p3", "0x", "1_000",
		" 1.5", "1.5 ", "1.5\x00", "", "abc", "99999999999999999999", "0.00000000000000001", "123456789012345678.125")
}

func (g *generator) value() string {
	switch g.IntN(10) {
	case 0:
		return ""
	case 1, 2, 3:
		return g.number()
	case 4:
		return g.float()
	case 5:
		return strings.Repeat(g.pick("x", "ab", "\x00\xff"), g.IntN(60))
	case 6:
		if g.chance(10) {
			return strings.Repeat("big", 2000+g.IntN(40000))
		}
		return strings.Repeat("v", g.pickInt(43, 44, 45, 63, 64, 65, 300, 4095, 4096, 4097, 5000))
	}
	return g.pick("foo", "bar", "foobar", "\r\n", "mystring", "other text")
}

func (g *generator) pickInt(from ...int) int { return from[g.IntN(len(from))] }

// future is a number of seconds that no other call returns. Relative expiries
// keep their distance, so that GT and LT judge them alike although Redis's
// clock goes on and the subject's stands still.
func (g *generator) future() int64 {
	g.step++
	return 1000 + 100*((g.step*7919)%50000)
}

// seconds and millis are relative expiries, past, future or nonsense.
func (g *generator) seconds() string {
	if g.chance(70) {
		return fmt.Sprint(g.future())
	}
	return g.pick("0", "-1", "-100", "9223372036854775", "9223372036854776", "-9223372036854775", "-9223372036854776",
		"9223372036854775807", "-9223372036854775808", "abc", "", "1.5")
}

func (g *generator) millis() string {
	if g.chance(70) {
		return fmt.Sprint(g.future() * 1000)
	}
	return g.pick("0", "-1", "-100000", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"abc", "", "1.5")
}

// secondsAt and millisAt are absolute expiries; some come again, for GT and LT.
func (g *generator) secondsAt() string {
	if g.chance(60) {
		return fmt.Sprint(g.now/1000 + g.future())
	}
	return g.pick("1", "1000", fmt.Sprint(g.now/1000+1_000_000), g.seconds())
}

func (g *generator) millisAt() string {
	if g.chance(60) {
		return fmt.Sprint(g.now + g.future()*1000)
	}
	return g.pick("1", "1000", "4611686018427387904", fmt.Sprint(g.now+1_000_000_000), g.millis())
}

// expiry is an option with its value as SET and GETEX take it, rarely without.
func (g *generator) expiry() []string {
	switch g.IntN(9) {
	case 0, 1:
		return []string{"EX", g.seconds()}
	case 2, 3:
		return []string{"PX", g.millis()}
	case 4, 5:
		return []string{"EXAT", g.secondsAt()}
	case 6, 7:
		return []string{"PXAT", g.millisAt()}
	}
	return []string{g.pick("EX", "PX", "EXAT", "PXAT", "EXX")}
}

func (g *generator) expireFlags() []string {
	var out []string
	for g.chance(45) {
		out = append(out, g.anyCase(g.pick("NX", "XX", "GT", "LT", "GT", "LT", "ZZ")))
	}
	return out
}

func (g *generator) db() string {
	if g.chance(85) {
		return fmt.Sprint(g.IntN(databases))
	}
	return g.pick("-1", "16", "15000", "abc", "", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808")
}

func (g *generator) pattern() string {
	return g.pick("*", "?", "h*", "h?", "[a-c]", "[^a-c]", "[c-a]", "", "**", "*1", "h[12]", "\\a", "f*", "[", "[^", "*[0-9]*", "k*", "F1?")
}

func (g *generator) scanOptions(count string, types bool) []string {
	var out []string
	if count != "" {
		out = append(out, g.anyCase("COUNT"), count)
	}
	for g.chance(40) {
		switch g.IntN(8) {
		case 0, 1, 2:
			out = append(out, g.anyCase("MATCH"), g.pattern())
		case 3, 4:
			if types {
				out = append(out, g.anyCase("TYPE"), g.pick("string", "hash", "HASH", "set", "zset", "list", "stream", "nonsense"))
			}
		case 5:
			out = append(out, "COUNT", g.pick("1000", "0", "-1", "abc", "9223372036854775807"))
		case 6:
			out = append(out, g.pick("MATCH", "COUNT", "TYPE", "NOVALUES", ""))
		}
	}
	return out
}

func (g *generator) cursor() string {
	if g.chance(80) {
		return "0"
	}
	return g.pick("", "+0", "-0", "00", "abc", " 0", "0 ", "-", "18446744073709551616", "0x0", "1.0")
}

// drawCount is a count of HRANDFIELD and SRANDMEMBER that asks for no endless reply.
func (g *generator) drawCount() string {
	count := g.pick("0", "1", "-1", "5", "-5", "1000", "-40", g.integer())
	if len(count) > 18 && count[0] == '-' && count != "-9223372036854775808" && count != "-9223372036854775809" {
		return "-3"
	}
	return count
}

func (g *generator) anyCase(word string) string {
	switch g.IntN(4) {
	case 0:
		return strings.ToLower(word)
	case 1:
		return strings.ToUpper(word[:1]) + strings.ToLower(word[1:])
	}
	return strings.ToUpper(word)
}

// request returns any request.
func (g *generator) request() []string {
	if g.chance(2) {
		return g.nonsense()
	}
	c := g.requests[g.IntN(len(g.requests))]
	for c.weight < 10 && g.IntN(10) >= c.weight {
		c = g.requests[g.IntN(len(g.requests))]
	}
	args := c.make(g)
	// Without their COUNT, replies of SCAN and its kin have nothing in common; the
	// list of all commands is another one. RESTORE without its ABSTTL may be for a
	// millisecond only, which passes in Redis.
	whole := c.name == "command" || strings.HasSuffix(c.name, "scan") || strings.HasPrefix(c.name, "restore")
	if g.chance(2) && len(args) > 1 && !whole {
		args = args[:1+g.IntN(len(args)-1)]
	}
	if g.chance(1) {
		args = append(args, g.pick("extra", "", "NX"))
	}
	return append([]string{g.anyCase(c.name)}, args...)
}

// nonsense is a request that Redis does not understand.
func (g *generator) nonsense() []string {
	switch g.IntN(4) {
	case 0:
		return append([]string{g.pick("nope", "GETT", "", "no\r\nsuch", "x\x00y", strings.Repeat("long", 60))}, g.keys()...)
	case 1:
		return []string{"nope", strings.Repeat("a", g.IntN(140)), strings.Repeat("b", g.IntN(140)), g.value(), "tail"}
	case 2:
		return []string{"OBJECT", g.pick("nope", "", "ENCODIN", "a\x00b", "x\r\ny", strings.Repeat("sub", 50)), g.key()}
	}
	return []string{g.pick("GET", "MSET", "OBJECT", "HSET", "SADD", "SINTERCARD", "COPY", "LCS", "FLUSHALL")}
}
