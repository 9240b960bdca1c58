package command

import (
	"encoding/binary"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func cmdBitOp(c *Ctx) {
	op, dst, sources := c.Args[1], c.Args[2], c.Args[3:]
	combine := func([]byte, []byte) {}
	not := false
	switch {
	case EqualFold(op, "AND"):
		combine = andBytes
	case EqualFold(op, "OR"):
		combine = orBytes
	case EqualFold(op, "XOR"):
		combine = xorBytes
	case EqualFold(op, "NOT"):
		not = true
	default:
		c.SyntaxError()
		return
	}
	if not && len(sources) != 1 {
		c.Error("ERR BITOP NOT must be called with a single source key.")
		return
	}
	longest := 0
	for _, key := range sources {
		s, _, ok := c.readString(key)
		if !ok {
			return
		}
		longest = max(longest, len(s))
	}
	if longest == 0 {
		if c.db().Delete(dst) {
			c.Effect(wordDEL, dst)
			c.Changed(EventGeneric, "del", dst)
		}
		c.Out.Int(0)
		return
	}
	// Look-ups of the other keys may have deleted some, which ends the validity of
	// what was found before: so they are looked up again.
	result := make([]byte, longest)
	for i, key := range sources {
		var s []byte
		if ref, found := c.db().Lookup(key); found {
			s = ref.Str()
		}
		if i == 0 {
			copy(result, s)
		} else {
			combine(result, s)
		}
	}
	if not {
		notBytes(result)
	}
	c.db().AdoptString(dst, result, keyspace.FormRaw)
	c.EffectSelf()
	c.Changed(EventString, "set", dst)
	c.Out.Int(int64(longest))
}

// The operations below change dst, in words of eight bytes as far as they go. What
// src, which is not longer, lacks at its end counts as zero.

func andBytes(dst, src []byte) {
	clear(dst[len(src):])
	dst = dst[:len(src)]
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)&binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] &= src[i]
	}
}

func orBytes(dst, src []byte) {
	dst = dst[:len(src)]
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)|binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] |= src[i]
	}
}

func xorBytes(dst, src []byte) {
	dst = dst[:len(src)]
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)^binary.LittleEndian.Uint64(src))
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] ^= src[i]
	}
}

func notBytes(dst []byte) {
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, ^binary.LittleEndian.Uint64(dst))
		dst = dst[8:]
	}
	for i := range dst {
		dst[i] = ^dst[i]
	}
}
