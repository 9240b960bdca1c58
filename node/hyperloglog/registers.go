package hyperloglog

// Registers are the registers of a union of sets, a byte each. The zero value is the
// empty set.
type Registers [registers]uint8

// Add makes r the union of r and s. Error: ErrCorrupt; r is of no use then.
func (r *Registers) Add(s Sketch) error {
	if s.Dense() {
		s.eachDense(func(at int, word uint32) {
			for i := range groupRegisters {
				r[at+i] = max(r[at+i], uint8(word)&registerMax)
				word >>= registerBits
			}
		})
		return nil
	}
	return s.eachRun(func(o run, first int) {
		if o.value == 0 {
			return
		}
		for i := range o.length {
			r[first+i] = max(r[first+i], o.value)
		}
	})
}

// Count estimates the number of different elements.
func (r *Registers) Count() uint64 {
	var h histogram
	for _, v := range r {
		h[v]++
	}
	return h.estimate()
}

// Merge makes s the union of s and r; see Add for what it returns. Error: ErrCorrupt.
func (s Sketch) Merge(r *Registers, maxSparse int) (Sketch, error) {
	for i, v := range r {
		if v == 0 {
			continue
		}
		var err error
		if s, _, err = s.set(i, v, maxSparse); err != nil {
			return s, err
		}
	}
	s.Invalidate()
	return s, nil
}
