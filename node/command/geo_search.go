package command

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/node/geo"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// geoForm is a command of the GEOSEARCH family: where its arguments are, and which
// options it has.
type geoForm struct {
	source   int  // argument with the key that is searched
	options  int  // argument from which on the options are
	search   bool // center and shape are options
	byMember bool // the center is a member, else it is a position
	noStore  bool // STORE and STOREDIST are no options
}

var (
	formGeoSearch         = &geoForm{source: 1, options: 2, search: true}
	formGeoSearchStore    = &geoForm{source: 2, options: 3, search: true}
	formGeoRadius         = &geoForm{source: 1, options: 6}
	formGeoRadiusRO       = &geoForm{source: 1, options: 6, noStore: true}
	formGeoRadiusMember   = &geoForm{source: 1, options: 5, byMember: true}
	formGeoRadiusMemberRO = &geoForm{source: 1, options: 5, byMember: true, noStore: true}
)

func cmdGeoSearch(c *Ctx)           { geoSearch(c, formGeoSearch) }
func cmdGeoSearchStore(c *Ctx)      { geoSearch(c, formGeoSearchStore) }
func cmdGeoRadius(c *Ctx)           { geoSearch(c, formGeoRadius) }
func cmdGeoRadiusRO(c *Ctx)         { geoSearch(c, formGeoRadiusRO) }
func cmdGeoRadiusByMember(c *Ctx)   { geoSearch(c, formGeoRadiusMember) }
func cmdGeoRadiusByMemberRO(c *Ctx) { geoSearch(c, formGeoRadiusMemberRO) }

// geoQuery is a request of the GEOSEARCH family.
type geoQuery struct {
	shape                          geo.Shape
	shaped                         bool // the shape is given
	fromMember, fromPoint          bool // how the center is given
	withDist, withHash, withCoords bool
	sorted                         int   // 1: the nearest first, -1: the farthest
	count                          int64 // 0: all
	any                            bool  // the first that are found will do
	store                          []byte
	storeDist                      bool // scores are distances, not positions
}

func geoSearch(c *Ctx, form *geoForm) {
	z, ok := c.readZSet(c.Args[form.source])
	if !ok {
		return
	}
	var q geoQuery
	if !form.fixed(c, &q, z) || !form.parse(c, &q, z) || !form.check(c, &q) {
		return
	}
	found := q.find(z)
	if q.store == nil {
		q.answer(c, found)
		return
	}
	result := c.KS.NewZSet()
	for i := range found {
		score := found[i].score
		if q.storeDist {
			score = found[i].meters / q.shape.Unit
		}
		result.Set(found[i].member, score)
	}
	event := "georadiusstore"
	if form.search {
		event = "geosearchstore"
	}
	// What is near is computed in floating point: it is recorded by its result.
	c.storeZSet(q.store, result, event, false)
}

// fixed reads what is not an option. When ok is false an error has been answered.
func (f *geoForm) fixed(c *Ctx, q *geoQuery, z *keyspace.ZSet) (ok bool) {
	switch {
	case f.search:
		if f.source == 2 {
			q.store = c.Args[1]
		}
		return true
	case f.byMember && z == nil:
		return true // as in Redis, the radius is not looked at
	case f.byMember:
		if q.shape.Center, ok = c.memberPoint(z, 2); !ok {
			return false
		}
	default:
		if q.shape.Center, ok = c.point(2); !ok {
			return false
		}
	}
	return q.radius(c, f.options-2)
}

// memberPoint is the position of the member that argument i names; otherwise it
// answers that there is none.
func (c *Ctx) memberPoint(z *keyspace.ZSet, i int) (geo.Point, bool) {
	p, found := position(z, c.Args[i])
	if !found {
		c.Error("ERR could not decode requested zset member")
	}
	return p, found
}

// radius reads a circle's from arguments i and i+1.
func (q *geoQuery) radius(c *Ctx, i int) (ok bool) {
	if q.shape.Radius, ok = c.Double(i, "ERR need numeric radius"); !ok {
		return false
	}
	if q.shape.Radius < 0 {
		c.Error("ERR radius cannot be negative")
		return false
	}
	q.shape.Unit, ok = c.unit(i + 1)
	return ok
}

// box reads a box's width and height from arguments i to i+2.
func (q *geoQuery) box(c *Ctx, i int) (ok bool) {
	if q.shape.Width, ok = c.Double(i, "ERR need numeric width"); !ok {
		return false
	}
	if q.shape.Height, ok = c.Double(i+1, "ERR need numeric height"); !ok {
		return false
	}
	if q.shape.Width < 0 || q.shape.Height < 0 {
		c.Error("ERR height or width cannot be negative")
		return false
	}
	q.shape.Unit, ok = c.unit(i + 2)
	return ok
}

func (f *geoForm) parse(c *Ctx, q *geoQuery, z *keyspace.ZSet) (ok bool) {
	for o := c.Options(f.options); o.Next(); {
		switch {
		case o.Is("WITHDIST"):
			q.withDist = true
		case o.Is("WITHHASH"):
			q.withHash = true
		case o.Is("WITHCOORD"):
			q.withCoords = true
		case o.Is("ANY"):
			q.any = true
		case o.Is("ASC"):
			q.sorted = 1
		case o.Is("DESC"):
			q.sorted = -1
		case o.Is("COUNT") && o.Value():
			if q.count, ok = c.Int(o.Pos); !ok {
				return false
			}
			if q.count <= 0 {
				c.Error("ERR COUNT must be > 0")
				return false
			}
		case f.search:
			if !f.parseSearch(c, &o, q, z) {
				return false
			}
		case !f.noStore && (o.Is("STORE") || o.Is("STOREDIST")):
			q.storeDist = o.Is("STOREDIST")
			if !o.Value() {
				c.SyntaxError()
				return false
			}
			q.store = c.Args[o.Pos]
		default:
			c.SyntaxError()
			return false
		}
	}
	return true
}

// parseSearch reads an option that only GEOSEARCH and GEOSEARCHSTORE have.
func (f *geoForm) parseSearch(c *Ctx, o *Options, q *geoQuery, z *keyspace.ZSet) (ok bool) {
	switch {
	case o.Is("STOREDIST") && q.store != nil:
		q.storeDist = true
		return true
	case o.Is("FROMMEMBER") && !q.fromPoint && o.Value():
		q.fromMember = true
		if z == nil {
			return true
		}
		q.shape.Center, ok = c.memberPoint(z, o.Pos)
		return ok
	case o.Is("FROMLONLAT") && !q.fromMember && o.Values(2):
		q.fromPoint = true
		q.shape.Center, ok = c.point(o.Pos - 1)
		return ok
	case o.Is("BYRADIUS") && !(q.shaped && q.shape.Box) && o.Values(2):
		q.shaped = true
		return q.radius(c, o.Pos-1)
	case o.Is("BYBOX") && !(q.shaped && !q.shape.Box) && o.Values(3):
		q.shaped, q.shape.Box = true, true
		return q.box(c, o.Pos-2)
	}
	c.SyntaxError()
	return false
}

// check answers an error when the options do not go together.
func (f *geoForm) check(c *Ctx, q *geoQuery) bool {
	name := clip(c.Args[0], maxName)
	switch {
	case q.store != nil && (q.withDist || q.withHash || q.withCoords):
		what := "STORE option in GEORADIUS"
		if f.search {
			what = "GEOSEARCHSTORE"
		}
		c.Error(Error("ERR " + what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options"))
	case f.search && !q.fromMember && !q.fromPoint:
		c.Error(Error(fmt.Sprintf("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s", name)))
	case f.search && !q.shaped:
		c.Error(Error(fmt.Sprintf("ERR exactly one of BYRADIUS and BYBOX can be specified for %s", name)))
	case q.any && q.count == 0:
		c.Error("ERR the ANY argument requires COUNT argument")
	default:
		return true
	}
	return false
}

// geoMatch is a member that a search found.
type geoMatch struct {
	member []byte
	score  float64
	point  geo.Point
	meters float64 // from the center
}

// find returns what is in the shape, in the order of the answer. Members alias the
// set, which may be nil.
func (q *geoQuery) find(z *keyspace.ZSet) []geoMatch {
	if z == nil {
		return nil
	}
	limit := math.MaxInt
	if q.any {
		limit = int(q.count)
	} else if q.count > 0 && q.sorted == 0 {
		q.sorted = 1
	}
	var found []geoMatch
	for _, r := range q.shape.Ranges() {
		if len(found) >= limit {
			break
		}
		from := z.Before(keyspace.ZBeforeScore(r.Min))
		to := z.Before(keyspace.ZBeforeScore(r.Max))
		z.Range(from, max(to-from, 0), func(member []byte, score float64) bool {
			p := geo.Decode(score)
			if meters, ok := q.shape.Contains(p); ok {
				found = append(found, geoMatch{member, score, p, meters})
			}
			return len(found) < limit
		})
	}
	if q.sorted != 0 {
		slices.SortStableFunc(found, func(a, b geoMatch) int { return q.sorted * cmp.Compare(a.meters, b.meters) })
	}
	if q.count > 0 && int64(len(found)) > q.count {
		found = found[:q.count]
	}
	return found
}

func (q *geoQuery) answer(c *Ctx, found []geoMatch) {
	parts := 1
	for _, with := range []bool{q.withDist, q.withHash, q.withCoords} {
		if with {
			parts++
		}
	}
	c.Out.Array(len(found))
	for i := range found {
		m := &found[i]
		if parts > 1 {
			c.Out.Array(parts)
		}
		c.Out.Bulk(m.member)
		if q.withDist {
			c.answerDistance(m.meters / q.shape.Unit)
		}
		if q.withHash {
			c.Out.Int(int64(m.score))
		}
		if q.withCoords {
			c.answerPoint(m.point)
		}
	}
}
