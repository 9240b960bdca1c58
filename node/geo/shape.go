package geo

import "math"

// Shape is a circle or a box around a point.
type Shape struct {
	Center        Point
	Unit          float64 // of the sizes, in meters
	Radius        float64 // of a circle
	Box           bool
	Width, Height float64 // of a box
}

// Contains reports whether a point is in the shape, and its distance in meters from
// the center if so.
func (s *Shape) Contains(p Point) (meters float64, ok bool) {
	if !s.Box {
		meters = Distance(s.Center, p)
		return meters, meters <= s.Radius*s.Unit
	}
	if latDistance(p.Lat, s.Center.Lat) > s.Height*s.Unit/2 {
		return 0, false
	}
	if Distance(p, Point{s.Center.Lon, p.Lat}) > s.Width*s.Unit/2 {
		return 0, false
	}
	return Distance(s.Center, p), true
}

// bounds is the area that holds the shape. Towards the poles degrees of longitude
// become shorter, so the side nearer to a pole decides.
func (s *Shape) bounds() area {
	width, height := s.Unit*s.Radius, s.Unit*s.Radius
	if s.Box {
		width, height = s.Unit*(s.Width/2), s.Unit*(s.Height/2)
	}
	lat := degrees(height / earthRadius)
	polar := s.Center.Lat + lat
	if s.Center.Lat < 0 {
		polar = s.Center.Lat - lat
	}
	lon := degrees(width / earthRadius / math.Cos(radians(polar)))
	return area{
		lon: span{s.Center.Lon - lon, s.Center.Lon + lon},
		lat: span{s.Center.Lat - lat, s.Center.Lat + lat},
	}
}

// reach is the distance in meters from the center to the farthest point.
func (s *Shape) reach() float64 {
	if !s.Box {
		return s.Radius * s.Unit
	}
	w, h := s.Width/2, s.Height/2
	return math.Sqrt(float64(w*w)+float64(h*h)) * s.Unit
}

// stepFor is the size of cells of which nine should cover a circle.
func stepFor(radius, lat float64) int {
	const worldSize = 20037726.37 // meters of the map from its middle to an edge
	if radius == 0 {
		return steps
	}
	step := -1
	for ; radius < worldSize; radius *= 2 {
		step++
	}
	if lat = math.Abs(lat); lat > 80 {
		step -= 2
	} else if lat > 66 {
		step--
	}
	return max(1, min(step, steps))
}

// Range is the scores from Min to below Max.
type Range struct{ Min, Max float64 }

// neighbors are the ways from a cell to those around it, in the order in which Redis
// looks at them: members are found in this order.
var neighbors = [8]struct{ east, north int }{
	{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
}

// Ranges are the scores among which all of a shape's points are.
func (s *Shape) Ranges() []Range {
	bounds := s.bounds()
	center := cellOf(s.Center, latSpan, stepFor(s.reach(), s.Center.Lat))
	if center.step > 1 && center.fallsShort(bounds) {
		center = cellOf(s.Center, latSpan, center.step-1)
	}
	middle := center.area()
	out := []Range{center.scores()}
	var last cell
	for _, way := range neighbors {
		n := center.move(way.east, way.north)
		if center.step >= 2 && middle.covers(bounds, way.east, way.north) || n == last {
			continue
		}
		out = append(out, n.scores())
		last = n
	}
	return out
}

// fallsShort reports whether a cell and those around it may not cover the bounds.
func (c cell) fallsShort(bounds area) bool {
	return c.move(0, 1).area().lat.max < bounds.lat.max ||
		c.move(0, -1).area().lat.min > bounds.lat.min ||
		c.move(1, 0).area().lon.max < bounds.lon.max ||
		c.move(-1, 0).area().lon.min > bounds.lon.min
}

// covers reports whether an area reaches beyond the bounds in one of two directions,
// so that nothing has to be looked for there.
func (a area) covers(bounds area, east, north int) bool {
	return north < 0 && a.lat.min < bounds.lat.min ||
		north > 0 && a.lat.max > bounds.lat.max ||
		east < 0 && a.lon.min < bounds.lon.min ||
		east > 0 && a.lon.max > bounds.lon.max
}

func (c cell) scores() Range {
	shift := 2 * (steps - c.step)
	return Range{float64(c.bits << shift), float64((c.bits + 1) << shift)}
}
