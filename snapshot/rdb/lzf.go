package rdb

import "fmt"

// LZF, the compression inside RDB strings. A compressed block is a sequence of
//
//	000LLLLL <L+1 bytes>            literal run, 1..32 bytes
//	LLLooooo oooooooo               copy L+2 bytes (L = 1..6) from offset o+1 back
//	111ooooo LLLLLLLL oooooooo      copy L+9 bytes from offset o+1 back
//
// with o the 13 bits written high part first. The block does not carry its
// uncompressed length; RDB stores that beside it.
const (
	lzfMaxLiteral = 32
	lzfMaxOffset  = 1 << 13
	lzfMaxMatch   = 264
	lzfMinMatch   = 3

	// lzfMaxRatio is what one copy of three bytes can yield at most. A longer
	// claim cannot be true and is refused before memory is set aside for it.
	lzfMaxRatio = lzfMaxMatch / 3

	lzfHashBits = 14
)

// compressor holds the match table, which is worth reusing: it is as big as
// most of the values that are compressed with it.
type compressor struct {
	// last[h] is one more than the place where three bytes of hash h were
	// last seen, plus base; anything at or below base is from an earlier call.
	last [1 << lzfHashBits]uint32
	base uint32
}

func lzfHash(p []byte) uint32 {
	v := uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
	return v * 2654435761 >> (32 - lzfHashBits)
}

// compress appends src, compressed, to dst and reports whether the result is
// at most limit bytes long. When it is not, what was appended is of no use but
// the buffer is.
func (c *compressor) compress(dst, src []byte, limit int) ([]byte, bool) {
	if uint64(c.base)+uint64(len(src)) >= 1<<32-1 {
		clear(c.last[:])
		c.base = 0
	}
	base := c.base
	c.base += uint32(len(src))

	start, lit, i := len(dst), 0, 0
	out := dst
	for i+lzfMinMatch <= len(src) {
		h := lzfHash(src[i:])
		prev := c.last[h]
		c.last[h] = base + uint32(i) + 1
		if prev <= base {
			i++
			continue
		}
		at := int(prev - base - 1)
		n := 0
		if i-at <= lzfMaxOffset {
			n = matchLen(src[at:], src[i:])
		}
		if n < lzfMinMatch {
			i++
			continue
		}
		out = appendLiterals(out, src[lit:i])
		out = appendCopy(out, i-at-1, n)
		i += n
		lit = i
		// Two places inside the match keep long repetitions findable without
		// paying for every byte of them.
		for j := i - 2; j < i && j+lzfMinMatch <= len(src); j++ {
			c.last[lzfHash(src[j:])] = base + uint32(j) + 1
		}
		if len(out)-start > limit {
			return out, false
		}
	}
	out = appendLiterals(out, src[lit:])
	if len(out)-start > limit {
		return out, false
	}
	return out, true
}

func matchLen(a, b []byte) int {
	n, most := 0, min(len(b), lzfMaxMatch)
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

func appendLiterals(dst, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), lzfMaxLiteral)
		dst = append(dst, byte(n-1))
		dst = append(dst, p[:n]...)
		p = p[n:]
	}
	return dst
}

func appendCopy(dst []byte, offset, n int) []byte {
	n -= 2
	if n < 7 {
		return append(dst, byte(n<<5|offset>>8), byte(offset))
	}
	return append(dst, byte(7<<5|offset>>8), byte(n-7), byte(offset))
}

// checkLZF refuses lengths that no block can have.
func checkLZF(compressed, size uint64) error {
	if compressed == 0 || size == 0 || size/lzfMaxRatio > compressed {
		return fmt.Errorf("%w: %d bytes of LZF cannot hold %d", ErrCorrupt, compressed, size)
	}
	return nil
}

// decompress fills dst from the block src, exactly.
func decompress(dst, src []byte) error {
	bad := func(what string) error { return fmt.Errorf("%w: LZF: %s", ErrCorrupt, what) }
	o := 0
	for i := 0; i < len(src); {
		ctrl := int(src[i])
		i++
		if ctrl < lzfMaxLiteral {
			n := ctrl + 1
			if n > len(src)-i || n > len(dst)-o {
				return bad("a literal run crosses the end")
			}
			o += copy(dst[o:], src[i:i+n])
			i += n
			continue
		}
		n := ctrl >> 5
		if n == 7 {
			if i >= len(src) {
				return bad("cut short")
			}
			n += int(src[i])
			i++
		}
		if i >= len(src) {
			return bad("cut short")
		}
		n += 2
		back := (ctrl&0x1f)<<8 | int(src[i])
		i++
		from := o - back - 1
		if from < 0 {
			return bad("a copy from before the start")
		}
		if n > len(dst)-o {
			return bad("a copy crosses the end")
		}
		copyForward(dst, o, from, n)
		o += n
	}
	if o != len(dst) {
		return bad(fmt.Sprintf("%d bytes where %d were promised", o, len(dst)))
	}
	return nil
}

// copyForward copies n bytes inside dst in rising order, so that an overlap
// repeats what was just written.
func copyForward(dst []byte, to, from, n int) {
	if from+n <= to {
		copy(dst[to:to+n], dst[from:])
		return
	}
	for k := range n {
		dst[to+k] = dst[from+k]
	}
}
