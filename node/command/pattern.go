package command

import "bytes"

// What a Pattern takes is bounded: one of more elements, or of more different sets, is
// matched as it stands. Only strings of as many bytes need to be, others are too short.
const (
	maxElements = 1 << 20
	maxSets     = 4096
)

// Pattern is a glob-style pattern that is read once and then matched with many strings,
// each with the result of Match. It keeps the bytes of the pattern that it is made of.
//
// A string costs at most its length times that of the longest piece between two stars,
// whatever the pattern's own length is: one with more elements than the string has bytes
// is not looked at, and a set is one look-up. Pieces without sets and "?" are searched for
// in linear time.
type Pattern struct {
	source []byte
	fold   bool

	plain  bool    // pieces are what source says
	never  bool    // nothing matches
	least  int     // bytes that a string needs at least
	pieces []piece // what stands between stars, at least one; empty ones at the ends only
	sets   []byteSet
}

// piece is a run of elements, each of which matches one byte.
type piece struct {
	text  []byte   // the byte of each element that is one
	kinds []uint16 // what each element is; nil: all are bytes
}

// The elements of a piece; from kindSet on they are sets.
const (
	kindByte = iota
	kindAny
	kindSet
)

// CompilePattern reads a pattern.
func CompilePattern(source []byte, fold bool) *Pattern {
	p := &Pattern{source: source, fold: fold, least: elements(source)}
	if p.plain = p.least <= maxElements; !p.plain {
		return p
	}
	b := patternBuilder{p: p, text: make([]byte, 0, p.least)}
	stars := 0
	for rest := source; len(rest) > 0; {
		c, kind, n := rest[0], uint16(kindByte), 1
		switch c {
		case '*':
			rest = skipStars(rest)
			if len(rest) > 0 {
				stars++
			}
			if p.never = stars > maxStars; p.never {
				return p
			}
			b.endPiece()
			continue
		case '?':
			kind = kindAny
		case '[':
			set, length := readSet(rest[1:], fold)
			kind, n = b.kindOf(set), 1+length
			if !p.plain {
				return p
			}
		case '\\':
			if len(rest) >= 2 {
				c, n = rest[1], 2
			}
		}
		if fold {
			c = lower(c)
		}
		b.add(c, kind)
		rest = rest[n:]
	}
	b.endPiece()
	return p
}

// patternBuilder collects the elements of all pieces in two allocations.
type patternBuilder struct {
	p     *Pattern
	text  []byte
	kinds []uint16 // of all elements; nil: so far all are bytes
	start int      // of the present piece
	mixed bool     // it has elements that are no bytes
	known map[byteSet]uint16
}

func (b *patternBuilder) add(c byte, kind uint16) {
	if kind != kindByte {
		if b.kinds == nil {
			b.kinds = make([]uint16, b.p.least)
		}
		b.kinds[len(b.text)] = kind
		b.mixed = true
	}
	b.text = append(b.text, c)
}

func (b *patternBuilder) endPiece() {
	end := len(b.text)
	e := piece{text: b.text[b.start:end:end]}
	if b.mixed {
		e.kinds = b.kinds[b.start:end:end]
	}
	b.p.pieces = append(b.p.pieces, e)
	b.start, b.mixed = end, false
}

// kindOf is the kind of a set. With one too many the pattern is no longer compiled.
func (b *patternBuilder) kindOf(set byteSet) uint16 {
	p := b.p
	kind, ok := b.known[set]
	if ok {
		return kind
	}
	if len(p.sets) == maxSets {
		p.plain, p.pieces, p.sets = false, nil, nil
		return kindByte
	}
	if b.known == nil {
		b.known = make(map[byteSet]uint16)
	}
	kind = uint16(kindSet + len(p.sets))
	b.known[set] = kind
	p.sets = append(p.sets, set)
	return kind
}

// elements is how many bytes a string needs at least.
func elements(source []byte) int {
	n := 0
	for rest := source; len(rest) > 0; {
		switch rest[0] {
		case '*':
			rest = rest[1:]
			continue
		case '[':
			rest = rest[setLen(rest[1:]):]
		case '\\':
			if len(rest) >= 2 {
				rest = rest[1:]
			}
		}
		rest = rest[1:]
		n++
	}
	return n
}

// setLen is the length of a set without its opening bracket.
func setLen(p []byte) int {
	_, n := readSet(p, false)
	return n
}

// Match reports whether s matches the pattern.
func (p *Pattern) Match(s []byte) bool {
	switch {
	case len(s) == 0:
		return len(p.source) == 0
	case p.never || len(s) < p.least:
		return false
	case !p.plain:
		return Match(p.source, s, p.fold)
	}
	first, last := &p.pieces[0], len(p.pieces)-1
	if !p.at(first, s) {
		return false
	}
	s = s[len(first.text):]
	if last == 0 {
		return len(s) == 0
	}
	for i := 1; i < last; i++ {
		end := p.find(&p.pieces[i], s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	tail := &p.pieces[last]
	return len(s) >= len(tail.text) && p.at(tail, s[len(s)-len(tail.text):])
}

// find is where the first match of a piece in s ends, -1 when there is none.
func (p *Pattern) find(e *piece, s []byte) int {
	if e.kinds == nil && !p.fold {
		if i := bytes.Index(s, e.text); i >= 0 {
			return i + len(e.text)
		}
		return -1
	}
	for i := 0; i+len(e.text) <= len(s); i++ {
		if p.at(e, s[i:]) {
			return i + len(e.text)
		}
	}
	return -1
}

// at reports whether s begins with a match of a piece.
func (p *Pattern) at(e *piece, s []byte) bool {
	if len(s) < len(e.text) {
		return false
	}
	if e.kinds == nil && !p.fold {
		return string(s[:len(e.text)]) == string(e.text)
	}
	for i, c := range e.text {
		kind := uint16(kindByte)
		if e.kinds != nil {
			kind = e.kinds[i]
		}
		switch kind {
		case kindAny:
		case kindByte:
			if s[i] != c && (!p.fold || lower(s[i]) != c) {
				return false
			}
		default:
			if !p.sets[kind-kindSet].has(s[i]) {
				return false
			}
		}
	}
	return true
}
