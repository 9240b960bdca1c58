package command

import "github.com/redoubtdb/redoubt/node/keyspace"

func xgroupRow() *Command {
	sub := func(name, summary, since string, arity int, flags Flags, does KeyFlags, h func(*Ctx)) *Command {
		return &Command{Name: name, Summary: summary, Since: since, Arity: arity, Flags: Write | flags, Categories: CatStream,
			KeySpecs: []KeySpec{Key(2, KeyRW|does)}, Handler: h}
	}
	return &Command{Name: "xgroup", Summary: "Manages the consumer groups of a stream", Since: "5.0.0", Arity: -2, Sub: []*Command{
		sub("create", "Creates a consumer group", "5.0.0", -5, DenyOOM, KeyInsert, cmdXGroupCreate),
		sub("setid", "Sets which entry a group has read last", "5.0.0", -5, 0, KeyUpdate, cmdXGroupSetID),
		sub("destroy", "Removes a consumer group", "5.0.0", 4, 0, KeyDelete, cmdXGroupDestroy),
		sub("createconsumer", "Creates a consumer of a group", "6.2.0", 5, DenyOOM, KeyInsert, cmdXGroupCreateConsumer),
		sub("delconsumer", "Removes a consumer from a group", "5.0.0", 5, 0, KeyDelete, cmdXGroupDelConsumer),
		{Name: "help", Summary: "Explains the subcommands", Since: "5.0.0", Arity: 2, Flags: Loading | Stale, Categories: CatStream,
			Handler: func(c *Ctx) { c.Help(xgroupHelp...) }},
	}}
}

var xgroupHelp = []string{
	"CREATE <key> <groupname> <id|$> [option]",
	"    Create a new consumer group. Options are:",
	"    * MKSTREAM",
	"      Create the empty stream if it does not exist.",
	"    * ENTRIESREAD entries_read",
	"      Set the group's entries_read counter (internal use).",
	"CREATECONSUMER <key> <groupname> <consumer>",
	"    Create a new consumer in the specified group.",
	"DELCONSUMER <key> <groupname> <consumer>",
	"    Remove the specified consumer.",
	"DESTROY <key> <groupname>",
	"    Remove the specified group.",
	"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
	"    Set the current group ID and entries_read counter.",
}

// groupOptions are the options of XGROUP CREATE and SETID.
type groupOptions struct {
	create bool // CREATE, which alone may make the stream
	make   bool
	read   int64
}

func (g *groupOptions) parse(c *Ctx) (ok bool) {
	g.read = keyspace.UnknownEntriesRead
	for o := c.Options(5); o.Next(); {
		switch {
		case g.create && o.Is("MKSTREAM"):
			g.make = true
		case o.Is("ENTRIESREAD") && o.Value():
			if g.read, ok = c.Int(o.Pos); !ok {
				return false
			}
			// A count may have overflown where it was counted.
			if g.read < 0 && g.read != keyspace.UnknownEntriesRead && c.Mode != Replay {
				c.Error("ERR value for ENTRIESREAD must be positive or -1")
				return false
			}
		default:
			c.subcommandSyntax("XGROUP")
			return false
		}
	}
	return true
}

// groupStream is the stream that XGROUP names, nil when it is absent and may be made;
// otherwise an error has been answered.
func (c *Ctx) groupStream(make bool) (s *keyspace.Stream, ok bool) {
	s, ok = c.writeStream(c.Args[2])
	if ok && s == nil && !make {
		c.Error("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
		return nil, false
	}
	return s, ok
}

// group is the group that XGROUP names; when ok is false an error has been answered.
func (c *Ctx) group() (s *keyspace.Stream, g *keyspace.StreamGroup, ok bool) {
	if s, ok = c.groupStream(false); !ok {
		return nil, nil, false
	}
	if g = s.Group(c.Args[3]); g == nil {
		c.noGroupOf(c.Args[2], c.Args[3])
		return nil, nil, false
	}
	return s, g, true
}

// noGroupOf answers that a stream has no such group.
func (c *Ctx) noGroupOf(key, group []byte) {
	c.Error(errorf("NOGROUP No such consumer group '%s' for key name '%s'", text(group), text(key)))
}

// groupID reads argument 4 as an ID or "$", the last ID of s, which may be nil.
func (c *Ctx) groupID(s *keyspace.Stream, form idForm) (id keyspace.StreamID, ok bool) {
	if string(text(c.Args[4])) == "$" {
		if s != nil {
			id = s.LastID()
		}
		return id, true
	}
	if id, _, ok = parseStreamID(c.Args[4], form, 0); !ok {
		c.Error(errStreamID)
	}
	return id, ok
}

func cmdXGroupCreate(c *Ctx) {
	key, name := c.Args[2], c.Args[3]
	o := groupOptions{create: true}
	if !o.parse(c) {
		return
	}
	s, ok := c.groupStream(o.make)
	if !ok {
		return
	}
	if len(c.Args) > 8 {
		c.subcommandSyntax("XGROUP")
		return
	}
	id, ok := c.groupID(s, idPlain)
	if !ok {
		return
	}
	made := s == nil
	if made {
		s = c.KS.NewStream()
		c.db().SetObject(key, s)
	}
	g, created := s.CreateGroup(name, id, o.read)
	if !created {
		c.Error("BUSYGROUP Consumer Group name already exists")
		return
	}
	var text [48]byte
	effect := c.beginEffect(wordXGROUP, wordCREATE, key, name, g.LastID().Append(text[:0]))
	if made {
		effect = append(effect, wordMKSTREAM)
	}
	c.endEffect(append(effect, wordENTRIESREAD, c.digits(o.read)), true)
	c.Changed(EventStream, "xgroup-create", key)
	c.Out.OK()
}

func cmdXGroupSetID(c *Ctx) {
	var o groupOptions
	if !o.parse(c) {
		return
	}
	s, g, ok := c.group()
	if !ok {
		return
	}
	if len(c.Args) > 7 {
		c.subcommandSyntax("XGROUP")
		return
	}
	id, ok := c.groupID(s, idEdges)
	if !ok {
		return
	}
	g.SetLastID(id, o.read)
	c.effectGroupID(c.Args[2], g)
	c.Changed(EventStream, "xgroup-setid", c.Args[2])
	c.Out.OK()
}

func cmdXGroupDestroy(c *Ctx) {
	s, ok := c.groupStream(false)
	if !ok {
		return
	}
	if !s.DestroyGroup(c.Args[3]) {
		c.Out.Int(0)
		return
	}
	c.EffectSelf()
	c.Changed(EventStream, "xgroup-destroy", c.Args[2])
	c.Out.Int(1)
}

func cmdXGroupCreateConsumer(c *Ctx) {
	_, g, ok := c.group()
	if !ok {
		return
	}
	consumer, created := g.CreateConsumer(c.Args[4], c.Now)
	if created {
		c.effectSeen(c.Args[2], g, consumer)
		c.Changed(EventStream, "xgroup-createconsumer", c.Args[2])
	}
	c.boolInt(created)
}

func cmdXGroupDelConsumer(c *Ctx) {
	_, g, ok := c.group()
	if !ok {
		return
	}
	pending, found := g.DeleteConsumer(c.Args[4])
	if found {
		c.EffectSelf()
		c.Changed(EventStream, "xgroup-delconsumer", c.Args[2])
	}
	c.Out.Int(int64(pending))
}
