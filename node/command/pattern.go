package command

import "bytes"

// What a Pattern takes is bounded: one of more elements, or of more different sets, is
// matched as it stands. Only strings of as many bytes need to be, others are too short.
const (
	maxElements = 64 << 10
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
	var known map[byteSet]uint16
	cur, stars := piece{}, 0
	for rest := source; len(rest) > 0; {
		switch rest[0] {
		case '*':
			rest = skipStars(rest)
			if len(rest) > 0 {
				stars++
			}
			if stars > maxStars {
				p.never = true
				return p
			}
			p.pieces = append(p.pieces, cur)
			cur = piece{}
			continue
		case '?':
			cur.add(0, kindAny)
			rest = rest[1:]
			continue
		case '[':
			set, n := readSet(rest[1:], fold)
			rest = rest[1+n:]
			kind, ok := known[set]
			if !ok {
				if len(p.sets) == maxSets {
					p.plain, p.pieces, p.sets = false, nil, nil
					return p
				}
				if known == nil {
					known = make(map[byteSet]uint16)
				}
				kind = uint16(kindSet + len(p.sets))
				known[set] = kind
				p.sets = append(p.sets, set)
			}
			cur.add(0, kind)
			continue
		case '\\':
			if len(rest) >= 2 {
				rest = rest[1:]
			}
		}
		c := rest[0]
		if fold {
			c = lower(c)
		}
		cur.add(c, kindByte)
		rest = rest[1:]
	}
	p.pieces = append(p.pieces, cur)
	return p
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

func (p *piece) add(c byte, kind uint16) {
	if kind != kindByte && p.kinds == nil {
		p.kinds = make([]uint16, len(p.text), len(p.text)+1)
	}
	p.text = append(p.text, c)
	if p.kinds != nil {
		p.kinds = append(p.kinds, kind)
	}
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
