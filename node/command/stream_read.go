package command

import (
	"slices"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// streamRead is what XREAD and XREADGROUP are asked for.
type streamRead struct {
	group, consumer []byte // XREADGROUP
	noAck           bool
	count           int64 // 0: any
	blocks          bool
	until           int64 // see Wait
	keys            [][]byte
	firstID         int // argument of the first stream's ID
	streams         []readFrom
}

// readFrom is one stream to read.
type readFrom struct {
	group *keyspace.StreamGroup
	after keyspace.StreamID // entries behind this one, or newEntries
}

// newEntries is the ID ">" of XREADGROUP: what the group has not read yet. As in Redis,
// the highest ID means the same.
var newEntries = keyspace.MaxStreamID

func cmdXRead(c *Ctx)      { readStreams(c, false) }
func cmdXReadGroup(c *Ctx) { readStreams(c, true) }

func readStreams(c *Ctx, grouped bool) {
	var r streamRead
	if !r.parse(c, grouped) || !r.parseIDs(c, grouped) {
		return
	}
	a := c.beginArray()
	for i := range r.streams {
		if c.Out.Over { // a stream may be named any number of times
			break
		}
		if s := r.lookup(c, i); s != nil && r.serve(c, i, s) {
			a.n++
		}
	}
	switch {
	case a.n == 0 && r.blocks && c.Block(r.wait(c)):
	case a.n == 0:
		c.Out.NullArray()
	case c.Out.Proto >= 3:
		a.prepend(func() { c.Out.Map(a.n) })
	default:
		a.end()
	}
}

// parse reads the options; when ok is false an error has been answered.
func (r *streamRead) parse(c *Ctx, grouped bool) (ok bool) {
	for o := c.Options(1); o.Next(); {
		switch {
		case o.Is("COUNT") && o.Value():
			if r.count, ok = c.Int(o.Pos); !ok {
				return false
			}
			r.count = max(0, r.count)
		case o.Is("BLOCK") && o.Value():
			if r.until, ok = c.TimeoutMillis(o.Pos); !ok {
				return false
			}
			r.blocks = true
		case o.Is("STREAMS") && o.Value():
			return r.split(c, o.Pos, grouped)
		case o.Is("GROUP") && o.Values(2):
			if !grouped {
				c.Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
				return false
			}
			r.group, r.consumer = c.Args[o.Pos-1], c.Args[o.Pos]
		case o.Is("NOACK"):
			if !grouped {
				c.Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
				return false
			}
			r.noAck = true
		default:
			c.SyntaxError()
			return false
		}
	}
	c.SyntaxError()
	return false
}

// wait is what the client waits for. What "$" stands for does not move on meanwhile. A
// group's reader is told when its group is gone.
func (r *streamRead) wait(c *Ctx) Wait {
	w := Wait{Keys: r.keys, Type: keyspace.TypeStream, AnyChange: r.group != nil, Until: r.until}
	for i := range r.streams {
		if at := r.firstID + i; string(text(c.Args[at])) == "$" {
			if w.Args == nil {
				w.Args = slices.Clone(c.Args)
			}
			w.Args[at] = r.streams[i].after.Append(nil)
		}
	}
	return w
}

// split parts the keys from the IDs, which begin at argument from.
func (r *streamRead) split(c *Ctx, from int, grouped bool) bool {
	n := len(c.Args) - from
	if n%2 != 0 {
		symbol := '$'
		if grouped {
			symbol = '>'
		}
		c.Error(errorf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.", c.Cmd.full, symbol))
		return false
	}
	if grouped && r.group == nil {
		c.Error("ERR Missing GROUP option for XREADGROUP")
		return false
	}
	r.keys, r.firstID = c.Args[from:from+n/2], from+n/2
	r.streams = make([]readFrom, n/2)
	return true
}

// parseIDs reads from where to read each stream; when ok is false an error has been
// answered.
func (r *streamRead) parseIDs(c *Ctx, grouped bool) (ok bool) {
	for i, key := range r.keys {
		s, ok := c.readStream(key)
		if !ok {
			return false
		}
		from := &r.streams[i]
		if grouped {
			if s != nil {
				from.group = s.Group(r.group)
			}
			if from.group == nil {
				c.Error(errorf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", text(key), text(r.group)))
				return false
			}
		}
		switch at := r.firstID + i; string(text(c.Args[at])) {
		case "$":
			if grouped {
				c.Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
				return false
			}
			if s != nil {
				from.after = s.LastID()
			}
		case ">":
			if !grouped {
				c.Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
				return false
			}
			from.after = newEntries
		default:
			if from.after, ok = c.parseID(at); !ok {
				return false
			}
		}
	}
	return true
}

// lookup is the stream of key i. Redis looks a key up again to read it.
func (r *streamRead) lookup(c *Ctx, i int) *keyspace.Stream {
	ref, _ := c.LookupRead(r.keys[i])
	return ref.Stream()
}

// serve answers the key and the entries of one stream, if it has any to answer.
func (r *streamRead) serve(c *Ctx, i int, s *keyspace.Stream) bool {
	from := &r.streams[i]
	if from.group != nil {
		return r.serveGroup(c, i, s)
	}
	last, ok := s.LastEntryID()
	if !ok || !from.after.Less(last) {
		return false
	}
	r.answerKey(c, i)
	start, _ := from.after.Next()
	a := c.beginArray()
	s.Range(start, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		c.streamEntry(e)
		a.n++
		return r.more(a.n) && !c.Out.Over
	})
	a.end()
	return true
}

// more reports whether there may be more than n entries in the reply.
func (r *streamRead) more(n int) bool { return r.count == 0 || int64(n) < r.count }

func (r *streamRead) answerKey(c *Ctx, i int) {
	if c.Out.Proto < 3 {
		c.Out.Array(2)
	}
	c.Out.Bulk(r.keys[i])
}
