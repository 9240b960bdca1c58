package geo

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

var (
	palermo = Point{13.361389, 38.115556}
	catania = Point{15.087269, 37.502669}
)

// TestKnownPlaces has what Redis documents for its example.
func TestKnownPlaces(t *testing.T) {
	for _, tt := range []struct {
		name  string
		p     Point
		score uint64
		text  string
	}{
		{"Palermo", palermo, 3479099956230698, "sqc8b49rny0"},
		{"Catania", catania, 3479447370796909, "sqdtr74hyu0"},
	} {
		if got := Score(tt.p); got != tt.score {
			t.Errorf("%s has score %d, want %d", tt.name, got, tt.score)
		}
		if got := Text(Decode(float64(tt.score))); got != tt.text {
			t.Errorf("%s is %s, want %s", tt.name, got, tt.text)
		}
	}
	a, b := Decode(3479099956230698), Decode(3479447370796909)
	if got := fmt.Sprintf("%.4f", Distance(a, b)); got != "166274.1516" {
		t.Errorf("distance %s", got)
	}
	if d := Distance(a, a); d != 0 {
		t.Errorf("a place is %v away from itself", d)
	}
}

func drawPoint(t *rapid.T, name string, maxLat float64) Point {
	return Point{
		Lon: rapid.Float64Range(-MaxLon, MaxLon).Draw(t, name+" longitude"),
		Lat: rapid.Float64Range(-maxLat, maxLat).Draw(t, name+" latitude"),
	}
}

// TestScoreAndDecode: the cell of a point has it inside.
func TestScoreAndDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPoint(t, "p", MaxLat)
		score := Score(p)
		back := Decode(float64(score))
		if p.Lon == MaxLon || p.Lat == MaxLat {
			return // in a cell beyond the last, whose number has more bits than a score
		}
		const lon, lat = 360.0 / (1 << steps), 2 * MaxLat / (1 << steps)
		if math.Abs(back.Lon-p.Lon) > lon || math.Abs(back.Lat-p.Lat) > lat {
			t.Fatalf("%v came back as %v", p, back)
		}
		if again := Score(back); again != score {
			t.Fatalf("%v has score %d, and back again %d", p, score, again)
		}
	})
}

func TestInterleave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		even, odd := rapid.Uint32().Draw(t, "even"), rapid.Uint32().Draw(t, "odd")
		bits := interleave(even, odd)
		for i := range 32 {
			if bits>>(2*i)&1 != uint64(even>>i&1) || bits>>(2*i+1)&1 != uint64(odd>>i&1) {
				t.Fatalf("%x and %x are %x", even, odd, bits)
			}
		}
		if e, o := deinterleave(bits); e != even || o != odd {
			t.Fatalf("%x and %x came back as %x and %x", even, odd, e, o)
		}
	})
}

func TestScoreBits(t *testing.T) {
	for score, want := range map[float64]uint64{
		0: 0, 1.9: 1, -1: math.MaxUint64, -0.5: 0, 1 << 52: 1 << 52, 1 << 63: 1 << 63, 1<<63 + 2048: 1<<63 + 2048,
		1 << 64: 0, 1e300: 0, -1e300: 1 << 63, math.Inf(1): 0, math.Inf(-1): 1 << 63, -(1 << 63): 1 << 63,
	} {
		if got := scoreBits(score); got != want {
			t.Errorf("%v is %x, want %x", score, got, want)
		}
	}
}

// TestRangesCoverTheShape: what is in a shape is among its ranges, once. (Near the
// poles and across the date line Redis misses some, and so does this.)
func TestRangesCoverTheShape(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		s := Shape{Unit: 1000, Center: drawPoint(t, "center", 60)}
		s.Center.Lon /= 2
		km := rapid.Float64Range(0.001, 1500)
		if s.Box = rapid.Bool().Draw(t, "box"); s.Box {
			s.Width, s.Height = km.Draw(t, "width"), km.Draw(t, "height")
		} else {
			s.Radius = km.Draw(t, "radius")
		}
		reach := degrees(s.reach() / earthRadius)
		for range 20 {
			p := Point{
				Lon: s.Center.Lon + reach*rapid.Float64Range(-2, 2).Draw(t, "east"),
				Lat: s.Center.Lat + reach*rapid.Float64Range(-1, 1).Draw(t, "north"),
			}
			if !p.Valid() {
				continue
			}
			score := float64(Score(p))
			if _, ok := s.Contains(Decode(score)); !ok {
				continue
			}
			found++
			times := 0
			for _, r := range s.Ranges() {
				if r.Min <= score && score < r.Max {
					times++
				}
			}
			if times != 1 {
				t.Fatalf("%v is in the shape and in %d of the ranges", p, times)
			}
		}
	})
	if found < 500 {
		t.Errorf("only %d points were in their shape", found)
	}
}

func TestStepFor(t *testing.T) {
	for _, tt := range []struct {
		radius, lat float64
		want        int
	}{
		{0, 0, 26}, {1e-300, 0, 26}, {0.1, 0, 26}, {1000, 0, 14}, {1000, 67, 13}, {1000, -81, 12}, {5e6, 0, 2},
		{3e7, 0, 1}, {math.Inf(1), 0, 1}, {5e6, 85, 1},
	} {
		if got := stepFor(tt.radius, tt.lat); got != tt.want {
			t.Errorf("%v m at %v: step %d, want %d", tt.radius, tt.lat, got, tt.want)
		}
	}
}

// FuzzDecode: a sorted set may have any scores.
func FuzzDecode(f *testing.F) {
	for _, score := range []float64{0, -1, 1 << 52, 1 << 53, 1e300, math.Inf(1), math.Inf(-1), 3479099956230698} {
		f.Add(score, 100.0)
	}
	f.Fuzz(func(t *testing.T, score, radius float64) {
		if math.IsNaN(score) || math.IsNaN(radius) || radius < 0 {
			return
		}
		p := Decode(score)
		if !p.Valid() || len(Text(p)) != 11 {
			t.Fatalf("score %v is at %v", score, p)
		}
		s := Shape{Center: p, Unit: 1, Radius: radius}
		for _, r := range s.Ranges() {
			if !(r.Min < r.Max) {
				t.Fatalf("range from %v to %v", r.Min, r.Max)
			}
		}
	})
}
