// Package geo has the arithmetic of Redis's geographic commands: positions as
// numbers of 52 bits (geohashes), distances on the globe, and which ranges of those
// numbers cover a circle or a box. It calculates as redis-server does, step by step,
// so that positions, order and distances come out the same.
//
// Products are converted to float64 before something is added to them: Go may
// otherwise fuse the two operations on some processors and round once instead of
// twice.
package geo

import "math"

// Point is a position in degrees.
type Point struct{ Lon, Lat float64 }

// The positions that a geohash can tell. The poles are not among them.
const (
	MaxLon = 180
	MaxLat = 85.05112878

	// steps is the number of bits of each coordinate.
	steps = 26
)

// Valid reports whether the point has a geohash.
func (p Point) Valid() bool {
	return -MaxLon <= p.Lon && p.Lon <= MaxLon && -MaxLat <= p.Lat && p.Lat <= MaxLat
}

// span is the coordinates that a hash divides.
type span struct{ min, max float64 }

var (
	lonSpan = span{-MaxLon, MaxLon}
	latSpan = span{-MaxLat, MaxLat}
	// The whole globe, as in geohashes elsewhere.
	globalLatSpan = span{-90, 90}
)

func (s span) size() float64 { return s.max - s.min }

// cell is the number of the part in which x is, of 2^step parts.
func (s span) cell(x float64, step int) uint32 {
	return uint32((x - s.min) / s.size() * float64(uint64(1)<<step))
}

// edge is where part i of 2^step begins.
func (s span) edge(i uint32, step int) float64 {
	return s.min + float64(float64(i)/float64(uint64(1)<<step)*s.size())
}

// cell is a rectangle of the globe: the bits of latitude and longitude take turns,
// step of each, the lowest bit being of the latitude.
type cell struct {
	bits uint64
	step int
}

func cellOf(p Point, lat span, step int) cell {
	return cell{interleave(lat.cell(p.Lat, step), lonSpan.cell(p.Lon, step)), step}
}

// area is what a cell covers.
type area struct{ lon, lat span }

func (c cell) area() area {
	lat, lon := deinterleave(c.bits)
	return area{
		lon: span{lonSpan.edge(lon, c.step), lonSpan.edge(lon+1, c.step)},
		lat: span{latSpan.edge(lat, c.step), latSpan.edge(lat+1, c.step)},
	}
}

// Score is the geohash of a valid point, as the score of a sorted set.
func Score(p Point) uint64 { return cellOf(p, latSpan, steps).bits }

// Decode is the middle of the cell of a score, which may be any number.
func Decode(score float64) Point {
	a := cell{scoreBits(score), steps}.area()
	return Point{
		Lon: max(min((a.lon.min+a.lon.max)/2, MaxLon), -MaxLon),
		Lat: max(min((a.lat.min+a.lat.max)/2, MaxLat), -MaxLat),
	}
}

// scoreBits is what a conversion to an unsigned integer yields in C on x86, also
// where C does not define it.
func scoreBits(score float64) uint64 {
	const half = 1 << 63
	switch {
	case score < -half:
		return half
	case score < half:
		return uint64(int64(score))
	case score < 2*half:
		return uint64(int64(score-half)) ^ half
	}
	return 0
}

// Text is the geohash of a point in the notation used elsewhere, 11 letters of which
// the last says nothing.
func Text(p Point) string {
	const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"
	bits := cellOf(p, globalLatSpan, steps).bits
	var text [11]byte
	for i := range 10 {
		text[i] = alphabet[bits>>(2*steps-5*(i+1))&31]
	}
	text[10] = alphabet[0]
	return string(text[:])
}

// interleave puts bit i of even at bit 2i and bit i of odd at bit 2i+1.
func interleave(even, odd uint32) uint64 { return spread(even) | spread(odd)<<1 }

func deinterleave(bits uint64) (even, odd uint32) { return gather(bits), gather(bits >> 1) }

func spread(n uint32) uint64 {
	x := uint64(n)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

func gather(x uint64) uint32 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// move is the neighbouring cell, east and north steps away (-1, 0 or 1). The globe
// goes round in both directions.
func (c cell) move(east, north int) cell {
	lat, lon := deinterleave(c.bits)
	mask := uint32(uint64(1)<<c.step - 1)
	// A point on the edge of the globe is in a cell beyond the last one, and stays
	// there in the direction in which there is no move.
	if north != 0 {
		lat = (lat + uint32(north)) & mask
	}
	if east != 0 {
		lon = (lon + uint32(east)) & mask
	}
	return cell{interleave(lat, lon), c.step}
}

// Distance is the length in meters of the way between two points on the globe.
func Distance(a, b Point) float64 {
	v := math.Sin((radians(b.Lon) - radians(a.Lon)) / 2)
	if v == 0 {
		return latDistance(a.Lat, b.Lat)
	}
	latA, latB := radians(a.Lat), radians(b.Lat)
	u := math.Sin((latB - latA) / 2)
	h := float64(u*u) + float64(math.Cos(latA)*math.Cos(latB)*v*v)
	return 2 * earthRadius * math.Asin(math.Sqrt(h))
}

// latDistance is the distance between two latitudes.
func latDistance(a, b float64) float64 { return earthRadius * math.Abs(radians(b)-radians(a)) }

// earthRadius is in meters.
const earthRadius = 6372797.560856

// degree is one in radians, as a quotient of float64s: the constant would be
// rounded otherwise.
var degree = func(pi float64) float64 { return pi / 180 }(math.Pi)

func radians(degrees float64) float64 { return float64(degrees * degree) }
func degrees(radians float64) float64 { return radians / degree }
