package hyperloglog

import (
	"slices"
	"strconv"
)

const (
	valueFlag    = 0x80 // run of a value
	longZeroFlag = 0x40 // run of zeros in two bytes

	maxValue        = 32 // largest value of a run
	maxValueLength  = 4
	maxZeroLength   = 64        // of a run of one byte
	maxOpcodesMoved = 5         // how far from a change runs are looked at to be joined
	maxSplit        = 2 + 1 + 2 // bytes of a run of zeros with a value in the middle
)

// run is one opcode of the sparse form: length registers that hold value, written in
// size bytes.
type run struct {
	value        uint8
	length, size int
}

// readRun reads the run that p, which is not empty, begins with. If the second byte is
// missing it is taken for 0, since Redis reads the NUL behind the string there; the run's
// size is what p has of it.
func readRun(p []byte) run {
	switch b := p[0]; {
	case b&valueFlag != 0:
		return run{value: b>>2&(maxValue-1) + 1, length: int(b&(maxValueLength-1)) + 1, size: 1}
	case b&longZeroFlag == 0:
		return run{length: int(b) + 1, size: 1}
	case len(p) == 1:
		return run{length: int(b&^longZeroFlag)<<8 + 1, size: 1}
	default:
		return run{length: int(b&^longZeroFlag)<<8 + int(p[1]) + 1, size: 2}
	}
}

// appendRun writes a run of length registers, nothing when there are none. A run of a
// value is of 4 at most.
func appendRun(b []byte, value uint8, length int) []byte {
	n := length - 1
	switch {
	case length == 0:
		return b
	case value > 0:
		return append(b, valueFlag|(value-1)<<2|byte(n))
	case length <= maxZeroLength:
		return append(b, byte(n))
	}
	return append(b, longZeroFlag|byte(n>>8), byte(n))
}

// eachRun calls fn for every run of a sparse sketch with its first register. ErrCorrupt
// when the runs are not of all registers, no more and no fewer; fn has then been
// called for some that are within.
func (s Sketch) eachRun(fn func(r run, first int)) error {
	first := 0
	for p := []byte(s[headerSize:]); len(p) > 0; {
		r := readRun(p)
		if r.length > registers-first {
			return ErrCorrupt
		}
		fn(r, first)
		p = p[r.size:]
		first += r.length
	}
	if first != registers {
		return ErrCorrupt
	}
	return nil
}

// setSparse is set of a sparse sketch. As in Redis runs are read only as far as the
// register is.
func (s Sketch) setSparse(register int, value uint8, maxSparse int) (Sketch, bool, error) {
	if s.TooLong() {
		return s, false, ErrCorrupt
	}
	if value > maxValue {
		return s.setPromoted(register, value)
	}
	at, before, first := s.findRun(register)
	if at >= len(s) {
		return s, false, ErrCorrupt
	}
	r := readRun(s[at:])
	if r.value >= value {
		return s, false, nil
	}
	var buf [maxSplit]byte
	split := appendRun(buf[:0], r.value, register-first)
	split = appendRun(split, value, 1)
	split = appendRun(split, r.value, first+r.length-1-register)
	if growth := len(split) - r.size; growth > 0 && len(s)+growth > maxSparse {
		return s.setPromoted(register, value)
	}
	s = slices.Replace(s, at, at+r.size, split...).joinRuns(before)
	s.Invalidate()
	return s, true, nil
}

// runLengths are the lengths of runs by their first byte, of a long run of zeros as if
// its second were 0.
var runLengths = func() (lengths [256]uint16) {
	for b := range lengths {
		lengths[b] = uint16(readRun([]byte{byte(b), 0}).length)
	}
	return lengths
}()

// findRun returns where the run of a register is, where the run before it (or itself, if
// it is the first), and its own first register. When there is none, at is the end of s.
// Nearly all the time that a sparse sketch takes is spent here.
func (s Sketch) findRun(register int) (at, before, first int) {
	at, before = headerSize, headerSize
	for at < len(s) {
		b := s[at]
		length, size := int(runLengths[b]), 1
		if b&(valueFlag|longZeroFlag) == longZeroFlag && at+1 < len(s) {
			length += int(s[at+1])
			size = 2
		}
		if register < first+length {
			break
		}
		before = at
		at += size
		first += length
	}
	return at, before, first
}

// joinRuns makes one of runs of the same value that follow each other, near at.
func (s Sketch) joinRuns(at int) Sketch {
	for range maxOpcodesMoved {
		if at >= len(s) {
			break
		}
		r := readRun(s[at:])
		if r.value > 0 && at+1 < len(s) {
			next := readRun(s[at+1:])
			if next.value == r.value && r.length+next.length <= maxValueLength {
				appendRun(s[:at], r.value, r.length+next.length)
				s = slices.Delete(s, at+1, at+2)
				continue
			}
		}
		at += r.size
	}
	return s
}

// setPromoted is set of a sparse sketch that has to become dense for it.
func (s Sketch) setPromoted(register int, value uint8) (Sketch, bool, error) {
	d, err := s.ToDense()
	if err != nil {
		return s, false, err
	}
	changed := d.setDense(register, value)
	d.Invalidate()
	return d, changed, nil
}

// ToDense returns the sketch in dense form, itself if it is. Error: ErrCorrupt.
func (s Sketch) ToDense() (Sketch, error) {
	if s.Dense() {
		return s, nil
	}
	d := make(Sketch, denseSize)
	copy(d, s[:headerSize])
	d[encodingAt] = encodingDense
	err := s.eachRun(func(r run, first int) {
		if r.value == 0 {
			return
		}
		for i := range r.length {
			d.setDense(first+i, r.value)
		}
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// AppendRuns writes the runs of a sparse sketch for people: "z:" and "Z:" with the length
// of a run of zeros in one or two bytes, "v:" with value and length. Whether they make
// sense is not judged.
func (s Sketch) AppendRuns(dst []byte) []byte {
	for at := headerSize; at < len(s); {
		r := readRun(s[at:])
		if at > headerSize {
			dst = append(dst, ' ')
		}
		switch {
		case r.value > 0:
			dst = append(dst, "v:"...)
			dst = strconv.AppendUint(dst, uint64(r.value), 10)
			dst = append(dst, ',')
		case s[at]&longZeroFlag == 0:
			dst = append(dst, "z:"...)
		default:
			dst = append(dst, "Z:"...)
		}
		dst = strconv.AppendInt(dst, int64(r.length), 10)
		at += r.size
	}
	return dst
}
