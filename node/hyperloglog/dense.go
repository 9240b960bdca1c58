package hyperloglog

// Four dense registers take three bytes.
const (
	groupSize      = 3
	groupRegisters = 4
)

// setDense raises a dense register to value and reports whether it was lower.
func (s Sketch) setDense(register int, value uint8) bool {
	group := s[headerSize+register/groupRegisters*groupSize:][:groupSize]
	shift := register % groupRegisters * registerBits
	word := joinGroup(group)
	if uint8(word>>shift)&registerMax >= value {
		return false
	}
	word = word&^(registerMax<<shift) | uint32(value)<<shift
	group[0], group[1], group[2] = byte(word), byte(word>>8), byte(word>>16)
	return true
}

func joinGroup(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// eachDense calls fn for every group of four dense registers, the first of which is
// register at and in the lowest bits of word.
func (s Sketch) eachDense(fn func(at int, word uint32)) {
	at := 0
	for b := s[headerSize:]; len(b) >= groupSize; b = b[groupSize:] {
		fn(at, joinGroup(b))
		at += groupRegisters
	}
}
