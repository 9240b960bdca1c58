package command_test

import (
	"fmt"
	"strings"
)

// bkey is a key that most likely holds a bitmap.
func (g *generator) bkey() string {
	if g.chance(15) {
		return g.pick(otherKeys...)
	}
	return g.pick("bits1", "bits2", "bits3")
}

func (g *generator) bitOffset() string {
	switch g.IntN(10) {
	case 0:
		return g.integer()
	case 1:
		return fmt.Sprint(g.IntN(100_000))
	case 2:
		return g.pick("4294967296", "4294967297", "32767", "32768", "-1")
	}
	return fmt.Sprint(g.IntN(200))
}

// bitRange is the range of BITCOUNT and BITPOS; with open it may end early.
func (g *generator) bitRange(open bool) []string {
	if g.chance(20) {
		return nil
	}
	a := args(g.bitIndex())
	if open && g.chance(40) {
		return a
	}
	a = append(a, g.bitIndex())
	if g.chance(70) {
		a = append(a, g.anyCase(g.pick("BIT", "BIT", "BYTE", "BITS")))
	}
	return a
}

func (g *generator) bitIndex() string {
	if g.chance(85) {
		return fmt.Sprint(g.IntN(300) - 150)
	}
	return g.number()
}

func (g *generator) fieldType() string {
	if g.chance(90) {
		return fmt.Sprint(g.pick("i", "u"), 1+g.IntN(64))
	}
	return g.pick("i0", "u64", "i65", "", "8", "I8", "ux", "i8\x00x")
}

// fieldOffset stays away from the last bytes of the longest string, where Redis goes
// beyond its own limit.
func (g *generator) fieldOffset() string {
	switch g.IntN(10) {
	case 0, 1, 2:
		return fmt.Sprint("#", g.IntN(40))
	case 3:
		return g.pick("#-1", "#", "#x", "##1", "-1", "4294967296", "99999", "", "#4611686018427387904")
	}
	return g.bitOffset()
}

func (g *generator) fieldValue() string {
	switch g.IntN(4) {
	case 0:
		return g.integer()
	case 1:
		return fmt.Sprint(int64(g.Uint64()) >> g.IntN(64))
	}
	return g.small()
}

func (g *generator) fieldOps(readOnly bool) []string {
	var a []string
	for range 1 + g.IntN(5) {
		switch n := g.IntN(10); {
		case n < 3 || readOnly && g.chance(98):
			a = append(a, g.anyCase("GET"), g.fieldType(), g.fieldOffset())
		case n < 6:
			a = append(a, g.anyCase("SET"), g.fieldType(), g.fieldOffset(), g.fieldValue())
		case n < 9:
			a = append(a, g.anyCase("INCRBY"), g.fieldType(), g.fieldOffset(), g.fieldValue())
		}
		if g.chance(30) {
			a = append(a, g.anyCase("OVERFLOW"), g.anyCase(g.pick("WRAP", "SAT", "FAIL", "FAIL", "SATURATE")))
		}
	}
	return a
}

var bitmapRequests = []request{
	{"setbit", 10, func(g *generator) []string {
		return args(g.bkey(), g.bitOffset(), g.pick("0", "1", "1", "1", "2", "-1", "", "x"))
	}},
	{"getbit", 10, func(g *generator) []string { return args(g.bkey(), g.bitOffset()) }},
	{"bitcount", 10, func(g *generator) []string { return with(args(g.bkey()), g.bitRange(g.chance(5))) }},
	{"bitpos", 10, func(g *generator) []string {
		return with(args(g.bkey(), g.pick("0", "0", "1", "1", "2", "x")), g.bitRange(true))
	}},
	{"bitop", 10, func(g *generator) []string {
		a := args(g.anyCase(g.pick("AND", "OR", "XOR", "NOT", "NAND")), g.bkey(), g.bkey())
		for !strings.EqualFold(a[0], "NOT") && g.chance(60) {
			a = append(a, g.bkey())
		}
		return a
	}},
	// A bitmap of the full pattern of bytes, for searches to go far.
	{"set", 3, func(g *generator) []string {
		return args(g.bkey(), strings.Repeat(g.pick("\x00", "\xff", "\xff"), g.IntN(80))+g.pick("", "\x01", "\xfe", "\x80", "\x7f"))
	}},
	{"bitfield", 10, func(g *generator) []string { return with(args(g.bkey()), g.fieldOps(false)) }},
	{"bitfield", 3, func(g *generator) []string { return with(args(g.bkey()), g.fieldOps(true)) }},
	{"bitfield_ro", 10, func(g *generator) []string { return with(args(g.bkey()), g.fieldOps(true)) }},
}
