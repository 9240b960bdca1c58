package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func xinfoRow() *Command {
	sub := func(name, summary string, arity int, tips []string, h func(*Ctx, *keyspace.Stream)) *Command {
		return &Command{Name: name, Summary: summary, Since: "5.0.0", Arity: arity, Flags: ReadOnly, Categories: CatStream,
			KeySpecs: []KeySpec{Key(2, KeyRO|KeyAccess)}, Tips: tips,
			Handler: func(c *Ctx) {
				s, ok := c.readStream(c.Args[2])
				switch {
				case !ok:
				case s == nil:
					c.Error(ErrNoKey)
				default:
					h(c, s)
				}
			}}
	}
	return &Command{Name: "xinfo", Summary: "Tells about streams and their consumer groups", Since: "5.0.0", Arity: -2, Sub: []*Command{
		sub("stream", "Tells about a stream", -3, nil, xinfoStream),
		sub("groups", "Tells about the consumer groups of a stream", 3, nil, xinfoGroups),
		sub("consumers", "Tells about the consumers of a group", 4, []string{TipNondeterministic}, xinfoConsumers),
		{Name: "help", Summary: "Explains the subcommands", Since: "5.0.0", Arity: 2, Flags: Loading | Stale, Categories: CatStream,
			Handler: func(c *Ctx) { c.Help(xinfoHelp...) }},
	}}
}

var xinfoHelp = []string{
	"CONSUMERS <key> <groupname>",
	"    Show consumers of <groupname>.",
	"GROUPS <key>",
	"    Show the stream consumer groups.",
	"STREAM <key> [FULL [COUNT <count>]",
	"    Show information about the stream.",
}

func xinfoStream(c *Ctx, s *keyspace.Stream) {
	if len(c.Args) == 3 {
		c.Out.Map(10)
		streamFacts(c, s)
		c.info("groups", int64(s.Groups()))
		c.Out.BulkString("first-entry")
		c.streamEnd(func(fn func(*keyspace.StreamEntry) bool) { s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, fn) })
		c.Out.BulkString("last-entry")
		c.streamEnd(func(fn func(*keyspace.StreamEntry) bool) { s.RangeDown(keyspace.MaxStreamID, keyspace.StreamID{}, fn) })
		return
	}
	const usual = 10
	count := int64(usual)
	switch n := len(c.Args); {
	case n != 4 && n != 6, !EqualFold(c.Args[3], "FULL"), n == 6 && !EqualFold(c.Args[4], "COUNT"):
		c.subcommandSyntax("XINFO")
		return
	case n == 6:
		var ok bool
		if count, ok = c.Int(5); !ok {
			return
		}
		if count < 0 {
			count = usual
		}
	}
	c.Out.Map(9)
	streamFacts(c, s)
	full := fullInfo{c: c, count: int(min(count, 1<<62))}
	full.entries(s)
	c.Out.BulkString("groups")
	c.Out.Array(s.Groups())
	s.EachGroup(func(g *keyspace.StreamGroup) bool {
		full.group(g)
		return true
	})
}

// info answers a name and a number.
func (c *Ctx) info(name string, n int64) {
	c.Out.BulkString(name)
	c.Out.Int(n)
}

func (c *Ctx) infoID(name string, id keyspace.StreamID) {
	c.Out.BulkString(name)
	c.streamID(id)
}

func (c *Ctx) infoOrNull(name string, n int64, known bool) {
	c.Out.BulkString(name)
	if known {
		c.Out.Int(n)
	} else {
		c.Out.Null()
	}
}

// streamFacts answers the pairs that both forms of XINFO STREAM begin with.
func streamFacts(c *Ctx, s *keyspace.Stream) {
	c.info("length", int64(s.Len()))
	c.info("radix-tree-keys", int64(s.Blocks()))
	c.info("radix-tree-nodes", int64(s.RadixNodes()))
	c.infoID("last-generated-id", s.LastID())
	c.infoID("max-deleted-entry-id", s.MaxDeletedID())
	c.info("entries-added", int64(s.EntriesAdded()))
	c.infoID("recorded-first-entry-id", s.FirstID())
}

// streamEnd answers the first entry that walk meets, or that there is none.
func (c *Ctx) streamEnd(walk func(fn func(*keyspace.StreamEntry) bool)) {
	found := false
	walk(func(e *keyspace.StreamEntry) bool {
		c.streamEntry(e)
		found = true
		return false
	})
	if !found {
		c.Out.Null()
	}
}

// fullInfo answers the rest of XINFO STREAM FULL.
type fullInfo struct {
	c     *Ctx
	count int // of entries, and of pending entries a group and a consumer; 0: all
}

func (f *fullInfo) more(n int) bool { return f.count == 0 || n < f.count }

func (f *fullInfo) entries(s *keyspace.Stream) {
	f.c.Out.BulkString("entries")
	a := f.c.beginArray()
	s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		f.c.streamEntry(e)
		a.n++
		return f.more(a.n)
	})
	a.end()
}

func (f *fullInfo) group(g *keyspace.StreamGroup) {
	c := f.c
	c.Out.Map(7)
	c.Out.BulkString("name")
	c.Out.Bulk(g.Name())
	groupFacts(c, g)
	c.info("pel-count", int64(g.PendingLen()))
	c.Out.BulkString("pending")
	a := c.beginArray()
	g.PendingFrom(keyspace.StreamID{}, func(id keyspace.StreamID, p keyspace.StreamPending, consumer *keyspace.StreamConsumer) bool {
		c.Out.Array(4)
		c.streamID(id)
		c.Out.Bulk(consumer.Name())
		c.Out.Int(p.Time)
		c.Out.Int(p.Count)
		a.n++
		return f.more(a.n)
	})
	a.end()
	c.Out.BulkString("consumers")
	c.Out.Array(g.Consumers())
	g.EachConsumer(func(consumer *keyspace.StreamConsumer) bool {
		f.consumer(g, consumer)
		return true
	})
}

func (f *fullInfo) consumer(g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer) {
	c := f.c
	c.Out.Map(5)
	c.Out.BulkString("name")
	c.Out.Bulk(consumer.Name())
	c.info("seen-time", consumer.SeenTime)
	c.info("active-time", consumer.ActiveTime)
	c.info("pel-count", int64(consumer.PendingLen()))
	c.Out.BulkString("pending")
	a := c.beginArray()
	consumer.EachPending(keyspace.StreamID{}, func(id keyspace.StreamID) bool {
		p, _, _ := g.Pending(id)
		c.Out.Array(3)
		c.streamID(id)
		c.Out.Int(p.Time)
		c.Out.Int(p.Count)
		a.n++
		return f.more(a.n)
	})
	a.end()
}

// groupFacts answers where a group is in its stream.
func groupFacts(c *Ctx, g *keyspace.StreamGroup) {
	c.infoID("last-delivered-id", g.LastID())
	c.infoOrNull("entries-read", g.EntriesRead(), g.EntriesRead() != keyspace.UnknownEntriesRead)
	lag, known := g.Lag()
	c.infoOrNull("lag", lag, known)
}

func xinfoGroups(c *Ctx, s *keyspace.Stream) {
	c.Out.Array(s.Groups())
	s.EachGroup(func(g *keyspace.StreamGroup) bool {
		c.Out.Map(6)
		c.Out.BulkString("name")
		c.Out.Bulk(g.Name())
		c.info("consumers", int64(g.Consumers()))
		c.info("pending", int64(g.PendingLen()))
		groupFacts(c, g)
		return true
	})
}

func xinfoConsumers(c *Ctx, s *keyspace.Stream) {
	g := s.Group(c.Args[3])
	if g == nil {
		c.noGroupOf(c.Args[2], c.Args[3])
		return
	}
	c.Out.Array(g.Consumers())
	g.EachConsumer(func(consumer *keyspace.StreamConsumer) bool {
		inactive := consumer.ActiveTime
		if inactive != keyspace.NeverActive {
			inactive = c.Now - inactive
		}
		c.Out.Map(4)
		c.Out.BulkString("name")
		c.Out.Bulk(consumer.Name())
		c.info("pending", int64(consumer.PendingLen()))
		c.info("idle", max(0, c.Now-consumer.SeenTime))
		c.info("inactive", inactive)
		return true
	})
}
