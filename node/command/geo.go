package command

import (
	"fmt"
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/node/geo"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// A position is kept as a member of a sorted set, whose score is its geohash.

func geoRows() []*Command {
	const (
		access = KeyRO | KeyAccess
		store  = KeyOW | KeyUpdate
	)
	after := func(word string, from int) KeySpec {
		return KeySpec{Flags: store, Begin: BeginKeyword, Keyword: word, From: from, Step: 1}
	}
	rows := []*Command{
		{Name: "geoadd", Summary: "Gives members positions",
			Since: "3.2.0", Arity: -5, Flags: Write | DenyOOM, KeySpecs: one(KeyRW | KeyUpdate), Handler: cmdGeoAdd},
		{Name: "geopos", Summary: "Returns the positions of members",
			Since: "3.2.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoPos},
		{Name: "geodist", Summary: "Returns the distance between two members",
			Since: "3.2.0", Arity: -4, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoDist},
		{Name: "geohash", Summary: "Returns the positions of members as geohashes",
			Since: "3.2.0", Arity: -2, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoHash},
		{Name: "geosearch", Summary: "Returns the members in a circle or a box",
			Since: "6.2.0", Arity: -7, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoSearch},
		{Name: "geosearchstore", Summary: "Stores the members in a circle or a box",
			Since: "6.2.0", Arity: -8, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(1, store), Key(2, access)}, Handler: cmdGeoSearchStore},
		{Name: "georadius", Summary: "Returns or stores the members in a circle; an old form of GEOSEARCH",
			Since: "3.2.0", Arity: -6, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(1, access), after("STORE", 6), after("STOREDIST", 6)}, Handler: cmdGeoRadius},
		{Name: "georadius_ro", Summary: "Returns the members in a circle; an old form of GEOSEARCH",
			Since: "3.2.10", Arity: -6, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoRadiusRO},
		{Name: "georadiusbymember", Summary: "Returns or stores the members around one; an old form of GEOSEARCH",
			Since: "3.2.0", Arity: -5, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(1, access), after("STORE", 5), after("STOREDIST", 5)}, Handler: cmdGeoRadiusByMember},
		{Name: "georadiusbymember_ro", Summary: "Returns the members around one; an old form of GEOSEARCH",
			Since: "3.2.10", Arity: -5, Flags: ReadOnly, KeySpecs: one(access), Handler: cmdGeoRadiusByMemberRO},
	}
	for _, r := range rows {
		r.Group, r.Categories = "geo", CatGeo
	}
	return rows
}

func cmdGeoAdd(c *Ctx) {
	var o zaddOptions
	first := 2
options:
	for ; first < len(c.Args); first++ {
		switch word := c.Args[first]; {
		case EqualFold(word, "NX"):
			o.nx = true
		case EqualFold(word, "XX"):
			o.xx = true
		case EqualFold(word, "CH"):
			o.ch = true
		default:
			break options
		}
	}
	members := c.Args[first:]
	if len(members) == 0 || len(members)%3 != 0 || o.nx && o.xx {
		c.SyntaxError()
		return
	}
	scores := make([]float64, 0, len(members)/3)
	pairs := make([][]byte, 0, len(members)/3*2)
	for i := first; i < len(c.Args); i += 3 {
		p, ok := c.point(i)
		if !ok {
			return
		}
		score := geo.Score(p)
		scores = append(scores, float64(score))
		pairs = append(pairs, strconv.AppendUint(nil, score, 10), c.Args[i+2])
	}
	if z, ok := c.writeZSet(c.Args[1]); ok {
		c.Out.Int(int64(setScores(c, &o, z, scores, pairs)))
	}
}

// point reads arguments i and i+1, longitude and latitude; otherwise it answers that
// they are none.
func (c *Ctx) point(i int) (p geo.Point, ok bool) {
	if p.Lon, ok = c.Double(i, ErrNotFloat); !ok {
		return p, false
	}
	if p.Lat, ok = c.Double(i+1, ErrNotFloat); !ok {
		return p, false
	}
	if !p.Valid() {
		c.Error(Error(fmt.Sprintf("ERR invalid longitude,latitude pair %s,%s", sixDecimals(p.Lon), sixDecimals(p.Lat))))
		return p, false
	}
	return p, true
}

// sixDecimals is C's %f.
func sixDecimals(f float64) string {
	if math.IsInf(f, 0) {
		return resp.FormatDouble(f)
	}
	return strconv.FormatFloat(f, 'f', 6, 64)
}

// unit reads argument i as a unit of length, in meters; otherwise it answers that
// there is no such unit.
func (c *Ctx) unit(i int) (meters float64, ok bool) {
	switch word := c.Args[i]; {
	case EqualFold(word, "m"):
		return 1, true
	case EqualFold(word, "km"):
		return 1000, true
	case EqualFold(word, "ft"):
		return 0.3048, true
	case EqualFold(word, "mi"):
		return 1609.34, true
	}
	c.Error("ERR unsupported unit provided. please use M, KM, FT, MI")
	return 0, false
}

// position is where a member is; z may be nil.
func position(z *keyspace.ZSet, member []byte) (p geo.Point, found bool) {
	if z == nil {
		return p, false
	}
	score, found := z.Score(member)
	if found {
		p = geo.Decode(score)
	}
	return p, found
}

func (c *Ctx) answerPoint(p geo.Point) {
	c.Out.Array(2)
	c.Out.LongDouble(resp.ToLongDouble(p.Lon))
	c.Out.LongDouble(resp.ToLongDouble(p.Lat))
}

// answerDistance answers a length with four decimals, also in RESP3 as text.
func (c *Ctx) answerDistance(length float64) {
	const decimals = 10_000
	n := int64(math.RoundToEven(length * decimals))
	text := strconv.AppendInt(c.number[:0], n/decimals, 10)
	text = append(text, '.')
	for part := int64(decimals / 10); part > 0; part /= 10 {
		text = append(text, '0'+byte(n/part%10))
	}
	c.Out.Bulk(text)
}

func cmdGeoPos(c *Ctx) {
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if p, found := position(z, member); found {
			c.answerPoint(p)
		} else {
			c.Out.NullArray()
		}
	}
}

func cmdGeoHash(c *Ctx) {
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if p, found := position(z, member); found {
			c.Out.BulkString(geo.Text(p))
		} else {
			c.Out.Null()
		}
	}
}

func cmdGeoDist(c *Ctx) {
	unit := 1.0
	switch {
	case len(c.Args) > 5:
		c.SyntaxError()
		return
	case len(c.Args) == 5:
		var ok bool
		if unit, ok = c.unit(4); !ok {
			return
		}
	}
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	a, foundA := position(z, c.Args[2])
	b, foundB := position(z, c.Args[3])
	if !foundA || !foundB {
		c.Out.Null()
		return
	}
	c.answerDistance(geo.Distance(a, b) / unit)
}
