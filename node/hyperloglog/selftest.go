package hyperloglog

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// SelfTest checks on this machine that registers keep what is written to them, that
// both encodings say the same and that estimates are as good as they should be
// (PFSELFTEST). It takes some 0.1 s and always does the same. The error says what is wrong.
func SelfTest() error {
	if err := testRegisters(rand.New(rand.NewPCG(1, 2))); err != nil {
		return err
	}
	return testEstimates()
}

// testRegisters writes random values to dense registers and reads all of them back.
func testRegisters(rng *rand.Rand) error {
	const rounds = 100
	for range rounds {
		s, err := New().ToDense()
		if err != nil {
			return err
		}
		var want Registers
		for i := range want {
			want[i] = uint8(rng.IntN(registerMax + 1))
			s.setDense(i, want[i])
		}
		var got Registers
		if err := got.Add(s); err != nil {
			return err
		}
		for i := range want {
			if got[i] != want[i] {
				return fmt.Errorf("register %d should be %d but is %d", i, want[i], got[i])
			}
		}
	}
	return nil
}

// testEstimates adds a million elements and looks at the estimate at every power of ten.
func testEstimates() error {
	const (
		most         = 1_000_000
		sparseUpTo   = 1000
		maxSparse    = 3000
		sigmas       = 6
		tinyCount    = 10 // a single collision is an error of a tenth
		tinyMaxError = 1
	)
	standardError := 1.04 / math.Sqrt(registers)
	var union Registers
	s := New()
	check := uint64(1)
	for i := uint64(1); i <= most; i++ {
		element := binary.LittleEndian.AppendUint64(nil, i*0x9e3779b97f4a7c15)
		register, rank := place(element)
		union[register] = max(union[register], rank)
		var err error
		if s, _, err = s.Add(element, maxSparse); err != nil {
			return err
		}
		if i != check {
			continue
		}
		if i < sparseUpTo && s.Dense() {
			return fmt.Errorf("sparse encoding not used for %d elements", i)
		}
		n, err := s.Count()
		if err != nil {
			return err
		}
		if other := union.Count(); n != other {
			return fmt.Errorf("registers of one byte give %d, not %d", other, n)
		}
		tolerance := math.Ceil(standardError * sigmas * float64(i))
		if i == tinyCount {
			tolerance = tinyMaxError
		}
		if off := math.Abs(float64(n) - float64(i)); off > tolerance {
			return fmt.Errorf("too big error. card:%d abserr:%.0f", i, off)
		}
		check *= 10
	}
	return nil
}
