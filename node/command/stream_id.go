package command

import (
	"bytes"
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// errStreamID is answered to what is no ID.
const errStreamID Error = "ERR Invalid stream ID specified as stream command argument"

// idForm is how an ID of a stream is written.
type idForm uint8

const (
	idPlain   idForm = 0
	idEdges   idForm = 1 << 0 // "-" and "+" are the lowest and the highest ID
	idAutoSeq idForm = 1 << 1 // "<ms>-*" leaves the second part open
)

// parseStreamID reads "<ms>-<seq>"; missing is the second part of "<ms>" alone.
// auto says that it was left open.
func parseStreamID(arg []byte, form idForm, missing uint64) (id keyspace.StreamID, auto, ok bool) {
	const longest = 127
	if len(arg) > longest {
		return id, false, false
	}
	arg = text(arg)
	if len(arg) == 1 && (arg[0] == '-' || arg[0] == '+') {
		if arg[0] == '+' {
			id = keyspace.MaxStreamID
		}
		return id, false, form&idEdges != 0
	}
	ms, seq, two := bytes.Cut(arg, []byte{'-'})
	if id.MS, ok = parseUint(ms); !ok {
		return id, false, false
	}
	switch {
	case !two:
		id.Seq = missing
	case form&idAutoSeq != 0 && len(seq) == 1 && seq[0] == '*':
		auto = true
	default:
		id.Seq, ok = parseUint(seq)
	}
	return id, auto, ok
}

// parseUint reads a number as Redis does in IDs: what is no plain integer is read
// by C's strtoull, which takes white space before a sign and negates a number
// with a minus.
func parseUint(b []byte) (n uint64, ok bool) {
	negative := false
	if len(b) > 1 && b[0] == '-' && b[1] >= '1' && b[1] <= '9' {
		// A plain negative number that fits 64 bits is refused; any other is not.
		if magnitude, ok := parseDigits(b[1:]); ok && magnitude <= 1<<63 {
			return 0, false
		}
	}
	for len(b) > 0 && (b[0] == ' ' || '\t' <= b[0] && b[0] <= '\r') {
		b = b[1:]
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	n, ok = parseDigits(b)
	if negative {
		n = -n
	}
	return n, ok
}

// parseDigits reads decimal digits and nothing else.
func parseDigits(b []byte) (n uint64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > math.MaxUint64/10 || n == math.MaxUint64/10 && d > math.MaxUint64%10 {
			return 0, false
		}
		n = 10*n + d
	}
	return n, true
}

// parseID reads argument i as an ID without special forms; otherwise it answers so.
func (c *Ctx) parseID(i int) (keyspace.StreamID, bool) {
	id, _, ok := parseStreamID(c.Args[i], idPlain, 0)
	if !ok {
		c.Error(errStreamID)
	}
	return id, ok
}

// parseIDs reads the arguments from from on as IDs.
func (c *Ctx) parseIDs(from int) ([]keyspace.StreamID, bool) {
	ids := make([]keyspace.StreamID, 0, len(c.Args)-from)
	for i := from; i < len(c.Args); i++ {
		id, ok := c.parseID(i)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// rangeStart reads argument i as the lower end of an interval, which "(" excludes.
func (c *Ctx) rangeStart(i int) (keyspace.StreamID, bool) {
	return c.rangeEnd(i, 0, keyspace.StreamID.Next, "ERR invalid start ID for the interval")
}

// rangeStop is rangeStart for the upper end.
func (c *Ctx) rangeStop(i int) (keyspace.StreamID, bool) {
	return c.rangeEnd(i, math.MaxUint64, keyspace.StreamID.Prev, "ERR invalid end ID for the interval")
}

func (c *Ctx) rangeEnd(i int, missing uint64, inward func(keyspace.StreamID) (keyspace.StreamID, bool), none Error) (keyspace.StreamID, bool) {
	arg, form := c.Args[i], idEdges
	exclusive := len(arg) > 1 && arg[0] == '('
	if exclusive {
		arg, form = arg[1:], idPlain
	}
	id, _, ok := parseStreamID(arg, form, missing)
	if !ok {
		c.Error(errStreamID)
		return id, false
	}
	if exclusive {
		if id, ok = inward(id); !ok {
			c.Error(none)
		}
	}
	return id, ok
}
