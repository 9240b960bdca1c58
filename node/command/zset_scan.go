package command

import "github.com/redoubtdb/redoubt/node/resp"

func cmdZScan(c *Ctx) {
	cursor, ok := c.parseCursor(2)
	if !ok {
		return
	}
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	if z == nil {
		c.beginScan().endScan(0)
		return
	}
	so := scanOptions{cursor: cursor}
	if !so.parse(c, 3, false) {
		return
	}
	// What Redis keeps in compact form it shows as it is kept.
	appendScore := resp.AppendDouble
	if z.Encoding() == "listpack" {
		appendScore = resp.AppendPackedScore
	}
	var text [32]byte
	s := c.beginScan()
	next := z.Scan(so.cursor, so.count, func(member []byte, score float64) {
		if so.match(member) {
			s.n += 2
			c.Out.Bulk(member)
			c.Out.Bulk(appendScore(text[:0], score))
		}
	})
	s.endScan(next)
}

func cmdZRandMember(c *Ctx) {
	if len(c.Args) == 2 {
		z, ok := c.readZSet(c.Args[1])
		switch {
		case !ok:
		case z == nil:
			c.Out.Null()
		default:
			member, _ := z.At(c.rng().IntN(z.Len()))
			c.Out.Bulk(member)
		}
		return
	}
	count, withScores, ok := c.randomCountOf("WITHSCORES")
	if !ok {
		return
	}
	z, ok := c.readZSet(c.Args[1])
	if !ok {
		return
	}
	if z == nil || count == 0 {
		c.Out.Array(0)
		return
	}
	randomElements(c, z, count, withScores, c.Out.Double, MaxString)
}
