package command

import (
	"encoding/binary"
	"math/bits"
)

func cmdBitCount(c *Ctx) {
	s, found, ok := c.readString(c.Args[1])
	if !ok {
		return
	}
	if !found {
		c.Out.Int(0)
		return
	}
	from, to := int64(0), int64(len(s))*8
	switch len(c.Args) {
	case 2:
	case 4, 5:
		start, ok := c.Int(2)
		if !ok {
			return
		}
		end, ok := c.Int(3)
		if !ok {
			return
		}
		if start < 0 && end < 0 && start > end {
			c.Out.Int(0)
			return
		}
		unit, ok := c.bitUnit(4)
		if !ok {
			return
		}
		from, to = bitRange(start, end, unit, len(s))
	default:
		c.SyntaxError()
		return
	}
	c.Out.Int(countBits(s, from, to))
}

func cmdBitPos(c *Ctx) {
	bit, ok := c.Int(2)
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.Error("ERR The bit argument must be 1 or 0.")
		return
	}
	s, found, ok := c.readString(c.Args[1])
	if !ok {
		return
	}
	if !found {
		c.Out.Int(-bit)
		return
	}
	if len(c.Args) > 6 {
		c.SyntaxError()
		return
	}
	start, end, unit := int64(0), int64(-1), int64(8)
	if len(c.Args) > 3 {
		if start, ok = c.Int(3); !ok {
			return
		}
		if unit, ok = c.bitUnit(5); !ok {
			return
		}
	}
	endGiven := len(c.Args) > 4
	if endGiven {
		if end, ok = c.Int(4); !ok {
			return
		}
	}
	from, to := bitRange(start, end, unit, len(s))
	at := findBit(s, bit == 1, from, to)
	if at < 0 && bit == 0 && !endGiven && from < to {
		at = to // what follows the string counts as clear unless it was left out by name
	}
	c.Out.Int(at)
}

// bitUnit is how many bits a unit of the range has by argument i: BYTE, also where
// the request ends before it, or BIT. Otherwise a syntax error has been answered.
func (c *Ctx) bitUnit(i int) (int64, bool) {
	switch {
	case i >= len(c.Args), EqualFold(c.Args[i], "BYTE"):
		return 8, true
	case EqualFold(c.Args[i], "BIT"):
		return 1, true
	}
	c.SyntaxError()
	return 0, false
}

// bitRange turns an inclusive range of units, which counts from the end of a string
// of size bytes where negative, into the bits from and up to, but without, to.
// The range is empty when from >= to.
func bitRange(start, end, unit int64, size int) (from, to int64) {
	total := int64(size) * 8 / unit
	if start < 0 {
		start = max(0, start+total)
	}
	if end < 0 {
		end = max(0, end+total)
	}
	end = min(end, total-1)
	if start > end {
		return 0, 0
	}
	return start * unit, (end + 1) * unit
}

// countBits counts the bits of s that are set from from up to, but without, to.
func countBits(s []byte, from, to int64) int64 {
	if from >= to {
		return 0
	}
	first, last := from>>3, (to-1)>>3
	n := int64(0)
	// The bits of the outer bytes that are out of the range.
	n -= int64(bits.OnesCount8(s[first] &^ (0xff >> (from & 7))))
	n -= int64(bits.OnesCount8(s[last] &^ (0xff << (7 - (to-1)&7))))
	s = s[first : last+1]
	for len(s) >= 8 {
		n += int64(bits.OnesCount64(binary.LittleEndian.Uint64(s)))
		s = s[8:]
	}
	for _, b := range s {
		n += int64(bits.OnesCount8(b))
	}
	return n
}

// findBit returns the place of the first bit of s that is set, or clear, from from up
// to, but without, to; -1 when there is none.
func findBit(s []byte, set bool, from, to int64) int64 {
	if from >= to {
		return -1
	}
	flip := uint64(0)
	if !set {
		flip = ^flip
	}
	i, end := from>>3, (to+7)>>3
	// The first byte, without what is before the range.
	at := int64(-1)
	if b := (s[i] ^ byte(flip)) & (0xff >> (from & 7)); b != 0 {
		at = i*8 + int64(bits.LeadingZeros8(b))
	}
	for i++; at < 0 && i+8 <= end; i += 8 {
		if w := binary.BigEndian.Uint64(s[i:]) ^ flip; w != 0 {
			at = i*8 + int64(bits.LeadingZeros64(w))
		}
	}
	for ; at < 0 && i < end; i++ {
		if b := s[i] ^ byte(flip); b != 0 {
			at = i*8 + int64(bits.LeadingZeros8(b))
		}
	}
	if at >= to {
		return -1
	}
	return at
}
