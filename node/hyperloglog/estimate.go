package hyperloglog

import "math"

// histogram counts the registers of each value. Values beyond the largest rank come
// only from strings that a client made up.
type histogram [registerMax + 1]int

func (h *histogram) addDense(s Sketch) {
	s.eachDense(func(_ int, word uint32) {
		for range groupRegisters {
			h[word&registerMax]++
			word >>= registerBits
		}
	})
}

// estimate is Ertl's improved raw estimator. The conversions to float64 keep the
// compiler from fusing a multiplication with an addition, which on some processors
// would round otherwise than Redis does.
func (h *histogram) estimate() uint64 {
	const (
		m     = float64(registers)
		alpha = 0.721347520444481703680 // 1 / (2 ln 2)
	)
	z := float64(m * tau((m-float64(h[maxRank]))/m))
	for k := maxRank - 1; k >= 1; k-- {
		z += float64(h[k])
		z *= 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	e := math.Round(alpha * m * m / z)
	if e >= 1<<63 {
		// Only made-up registers come here. It is what Redis's conversion gives.
		return 1 << 63
	}
	return uint64(e)
}

// tau corrects for registers that have reached the largest rank; x is the share of
// those that have not.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == before {
			return z / 3
		}
	}
}

// sigma corrects for registers that are 0; x is their share.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}
