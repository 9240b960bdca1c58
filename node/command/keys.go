package command

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/redoubtdb/redoubt/node/resp"
)

// KeySpec says where some of a command's keys are: Begin finds the first
// argument of interest, Find the keys from there.
type KeySpec struct {
	Notes string
	Flags KeyFlags

	Begin   Begin
	Index   int    // BeginIndex: argument number of the first key
	Keyword string // BeginKeyword: the keys follow this word, in upper case
	From    int    // BeginKeyword: where to start looking; from the end when negative

	Find  Find
	Last  int // FindRange: last key relative to the first; from the end when negative
	Step  int // distance of two keys
	Limit int // FindRange with a negative Last: only the first 1/Limit of the arguments, for 2 and more
	Num   int // FindKeyNum: argument with the number of keys, relative to the beginning
	First int // FindKeyNum: the first key, relative to the beginning
}

// Begin is how a KeySpec finds its beginning.
type Begin uint8

// The ways to begin, in Redis's words.
const (
	BeginIndex Begin = iota
	BeginKeyword
	BeginUnknown
)

// Find is how a KeySpec finds keys from its beginning.
type Find uint8

// The ways to find keys, in Redis's words.
const (
	FindRange Find = iota
	FindKeyNum
	FindUnknown
)

func (s *KeySpec) simple() bool { return s.Begin == BeginIndex && s.Find == FindRange }

// Key is the spec of the one key at argument index.
func Key(index int, f KeyFlags) KeySpec { return KeySpec{Flags: f, Index: index, Step: 1} }

// Keys is the spec of the keys from argument index to last (relative to the
// first, or from the end when negative), step apart.
func Keys(index, last, step int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Index: index, Last: last, Step: step}
}

// KeyPos is a key among a request's arguments.
type KeyPos struct {
	Index int // argument number
	Flags KeyFlags
}

// ErrInvalidKeys is answered when the keys of a request cannot be told.
var ErrInvalidKeys = errors.New("command: keys cannot be found in the arguments")

// AppendKeys appends the keys of a request to dst, and with the flag KeyNot what
// decides the slot without being one. The number of arguments has been checked.
// Error: ErrInvalidKeys.
func (c *Command) AppendKeys(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
	start, exact := len(dst), len(c.KeySpecs) > 0
	for i := range c.KeySpecs {
		s := &c.KeySpecs[i]
		if s.Flags&KeyVariableFlags != 0 {
			exact = false
			break
		}
		var ok bool
		if dst, ok = s.appendKeys(dst, args); !ok {
			exact = false
			break
		}
	}
	switch {
	case exact:
		return dst, nil
	case c.GetKeys != nil:
		return c.GetKeys(dst[:start], args)
	case len(c.KeySpecs) > 0 && c.Flags&NoMandatoryKeys == 0:
		return dst[:start], ErrInvalidKeys
	}
	return dst[:start], nil
}

func (s *KeySpec) appendKeys(dst []KeyPos, args [][]byte) ([]KeyPos, bool) {
	first, ok := s.begin(args)
	if !ok || first == 0 {
		return dst, ok
	}
	var last int
	switch s.Find {
	case FindRange:
		switch {
		case s.Last >= 0:
			last = first + s.Last
		case s.Limit == 0:
			last = len(args) + s.Last
		default:
			last = first + (len(args)-first)/s.Limit + s.Last
		}
	case FindKeyNum:
		if first+s.Num >= len(args) {
			return dst, false
		}
		n, ok := resp.ParseInt(args[first+s.Num])
		if !ok || n < 0 || n > int64(len(args)) {
			return dst, false
		}
		first += s.First
		last = first + (int(n)-1)*s.Step
	default:
		return dst, false
	}
	if first >= len(args) || last >= len(args) || last < first {
		return dst, false
	}
	for i := first; i <= last; i += s.Step {
		dst = append(dst, KeyPos{i, s.Flags})
	}
	return dst, true
}

// begin is the argument number of the beginning, 0 when an optional keyword is
// absent.
func (s *KeySpec) begin(args [][]byte) (int, bool) {
	switch s.Begin {
	case BeginIndex:
		return s.Index, true
	case BeginKeyword:
		// As in Redis, the last argument to look at is not looked at.
		i, end, step := s.From, len(args)-1, 1
		if s.From < 0 {
			i, end, step = len(args)+s.From, 1, -1
		}
		for ; i != end && i > 0 && i < len(args); i += step {
			if EqualFold(args[i], s.Keyword) {
				return i + 1, true
			}
		}
		return 0, true
	}
	return 0, false
}

// countedKeys is a row's GetKeys for keys that follow their number, argument num,
// from argument first on. Redis asks it when the spec has failed on the number, and
// reads the number with C's atoi: digits may be followed by anything. What happens to
// the keys is then not told.
func countedKeys(num, first int) func([]KeyPos, [][]byte) ([]KeyPos, error) {
	return func(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
		n := atoi(args[num])
		if n < 1 || int(n) > len(args)-first {
			return dst, ErrInvalidKeys
		}
		for i := range int(n) {
			dst = append(dst, KeyPos{Index: first + i})
		}
		return dst, nil
	}
}

// atoi is C's: strtol, cut to 32 bits.
func atoi(text []byte) int32 {
	text = bytes.TrimLeft(text, " \t\n\v\f\r")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[end] == '-' || text[end] == '+')) {
		end++
	}
	n, _ := strconv.ParseInt(string(text[:end]), 10, 64) // at the limit of the range when beyond it
	return int32(n)
}
