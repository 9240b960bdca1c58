package command

import (
	"slices"
	"strings"
	"sync"

	"github.com/redoubtdb/redoubt/node/resp"
)

// Introspection returns the rows of COMMAND, which describe the table that t
// returns: the one these rows end up in.
func Introspection(t func() *Table) []*Command {
	on := func(f func(*Ctx, *Table)) func(*Ctx) {
		return func(c *Ctx) { f(c, t()) }
	}
	return []*Command{{
		Name: "command", Summary: "Describes all commands", Group: "server", Since: "2.8.13", Arity: -1, Flags: Loading | Stale,
		Categories: CatConnection, Tips: []string{TipAnyOrder},
		Handler: on(func(c *Ctx, t *Table) {
			writeAllInfos(c, t)
		}),
		Sub: []*Command{
			{Name: "count", Summary: "Counts the commands",
				Since: "2.8.13", Arity: 2, Flags: Loading | Stale, Categories: CatConnection,
				Handler: on(func(c *Ctx, t *Table) { c.Out.Int(int64(len(t.all))) })},
			{Name: "info", Summary: "Describes commands: arity, flags, keys",
				Since: "2.8.13", Arity: -2, Flags: Loading | Stale, Categories: CatConnection,
				Tips: []string{TipAnyOrder}, Handler: on(commandInfo)},
			{Name: "docs", Summary: "Documents commands",
				Since: "7.0.0", Arity: -2, Flags: Loading | Stale, Categories: CatConnection,
				Tips: []string{TipAnyOrder}, Handler: on(commandDocs)},
			{Name: "list", Summary: "Lists the names of commands",
				Since: "7.0.0", Arity: -2, Flags: Loading | Stale, Categories: CatConnection,
				Tips: []string{TipAnyOrder}, Handler: on(commandList)},
			{Name: "getkeys", Summary: "Finds the keys in a request",
				Since: "2.8.13", Arity: -4, Flags: Loading | Stale, Categories: CatConnection,
				Handler: on(func(c *Ctx, t *Table) { commandGetKeys(c, t, false) })},
			{Name: "getkeysandflags", Summary: "Finds the keys in a request and what it does with them",
				Since: "7.0.0", Arity: -4, Flags: Loading | Stale, Categories: CatConnection,
				Handler: on(func(c *Ctx, t *Table) { commandGetKeys(c, t, true) })},
			{Name: "help", Summary: "Explains the subcommands", Since: "5.0.0", Arity: 2, Flags: Loading | Stale, Categories: CatConnection,
				Handler: func(c *Ctx) { c.Help(commandHelp...) }},
		},
	}}
}

var commandHelp = []string{
	"(no subcommand)",
	"    Return details about all Redis commands.",
	"COUNT",
	"    Return the total number of commands in this Redis server.",
	"LIST",
	"    Return a list of all commands in this Redis server.",
	"INFO [<command-name> ...]",
	"    Return details about multiple Redis commands.",
	"    If no command names are given, documentation details for all",
	"    commands are returned.",
	"DOCS [<command-name> ...]",
	"    Return documentation details about multiple Redis commands.",
	"    If no command names are given, documentation details for all",
	"    commands are returned.",
	"GETKEYS <full-command>",
	"    Return the keys from a full Redis command.",
	"GETKEYSANDFLAGS <full-command>",
	"    Return the keys and the access flags from a full Redis command.",
}

func commandInfo(c *Ctx, t *Table) {
	names := c.Args[2:]
	if len(names) == 0 {
		writeAllInfos(c, t)
		return
	}
	rows := t.infosFor(c.Out.Proto)
	c.Out.Array(len(names))
	for _, n := range names {
		if cmd := t.Find(n); cmd != nil {
			c.Out.Raw(rows.of[cmd])
		} else {
			c.Out.Null()
		}
	}
}

func writeAllInfos(c *Ctx, t *Table) {
	rows := t.infosFor(c.Out.Proto)
	c.Out.Array(len(t.all))
	for _, cmd := range t.all {
		c.Out.Raw(rows.of[cmd])
	}
}

// infos are the rows of a table as COMMAND INFO describes them, encoded once:
// clients ask for them over and over.
type infos struct {
	once sync.Once
	of   map[*Command][]byte
}

func (t *Table) infosFor(proto int) *infos {
	rows := &t.infos[0]
	if proto >= 3 {
		rows = &t.infos[1]
	}
	rows.once.Do(func() {
		rows.of = make(map[*Command][]byte)
		for _, cmd := range t.all {
			for _, cmd := range append([]*Command{cmd}, cmd.Sub...) {
				w := &resp.Writer{Proto: proto}
				writeInfo(w, cmd)
				rows.of[cmd] = w.B
			}
		}
	})
	return rows
}

// writeInfo writes a command as COMMAND INFO describes it.
func writeInfo(w *resp.Writer, cmd *Command) {
	w.Array(10)
	w.BulkString(cmd.full)
	w.Int(int64(cmd.Arity))
	writeStatusSet(w, "", (cmd.Flags &^ MayReplicate).Names()) // which Redis keeps to itself
	w.Int(int64(cmd.First))
	w.Int(int64(cmd.Last))
	w.Int(int64(cmd.Step))
	writeStatusSet(w, "@", cmd.Categories.Names())
	w.Set(len(cmd.Tips))
	for _, tip := range cmd.Tips {
		w.BulkString(tip)
	}
	w.Set(len(cmd.KeySpecs))
	for i := range cmd.KeySpecs {
		writeKeySpec(w, &cmd.KeySpecs[i])
	}
	if len(cmd.Sub) == 0 {
		w.Set(0)
		return
	}
	w.Array(len(cmd.Sub))
	for _, s := range cmd.Sub {
		writeInfo(w, s)
	}
}

func writeStatusSet(w *resp.Writer, prefix string, names []string) {
	w.Set(len(names))
	for _, n := range names {
		w.SimpleString(prefix + n)
	}
}

func writeKeySpec(w *resp.Writer, s *KeySpec) {
	if s.Notes != "" {
		w.Map(4)
		w.BulkString("notes")
		w.BulkString(s.Notes)
	} else {
		w.Map(3)
	}
	w.BulkString("flags")
	writeStatusSet(w, "", s.Flags.Names())

	part := func(name, kind string, fields ...any) {
		w.BulkString(name)
		w.Map(2)
		w.BulkString("type")
		w.BulkString(kind)
		w.BulkString("spec")
		w.Map(len(fields) / 2)
		for _, f := range fields {
			switch f := f.(type) {
			case string:
				w.BulkString(f)
			case int:
				w.Int(int64(f))
			}
		}
	}
	switch s.Begin {
	case BeginIndex:
		part("begin_search", "index", "index", s.Index)
	case BeginKeyword:
		part("begin_search", "keyword", "keyword", s.Keyword, "startfrom", s.From)
	default:
		part("begin_search", "unknown")
	}
	switch s.Find {
	case FindRange:
		part("find_keys", "range", "lastkey", s.Last, "keystep", s.Step, "limit", s.Limit)
	case FindKeyNum:
		part("find_keys", "keynum", "keynumidx", s.Num, "firstkey", s.First, "keystep", s.Step)
	default:
		part("find_keys", "unknown")
	}
}

func commandDocs(c *Ctx, t *Table) {
	cmds := t.all
	if names := c.Args[2:]; len(names) > 0 {
		cmds = nil
		for _, n := range names {
			if cmd := t.Find(n); cmd != nil {
				cmds = append(cmds, cmd)
			}
		}
	}
	c.Out.Map(len(cmds))
	for _, cmd := range cmds {
		writeDocs(c, cmd)
	}
}

// writeDocs writes what the row knows of a command's documentation.
func writeDocs(c *Ctx, cmd *Command) {
	w := c.Out
	w.BulkString(cmd.full)
	fields := 3
	if len(cmd.Sub) > 0 {
		fields++
	}
	w.Map(fields)
	w.BulkString("summary")
	w.BulkString(cmd.Summary)
	w.BulkString("since")
	w.BulkString(cmd.Since)
	w.BulkString("group")
	w.BulkString(cmd.Group)
	if len(cmd.Sub) == 0 {
		return
	}
	w.BulkString("subcommands")
	w.Map(len(cmd.Sub))
	for _, s := range cmd.Sub {
		writeDocs(c, s)
	}
}

func commandList(c *Ctx, t *Table) {
	keep := func(*Command) bool { return true }
	switch args := c.Args[2:]; {
	case len(args) == 0:
	case len(args) != 3 || !EqualFold(args[0], "FILTERBY"):
		c.Error(ErrSyntax)
		return
	case EqualFold(args[1], "MODULE"):
		keep = func(*Command) bool { return false } // there are no modules
	case EqualFold(args[1], "ACLCAT"):
		cat, _ := CatByName(args[2])
		keep = func(cmd *Command) bool { return cmd.Categories&cat != 0 }
	case EqualFold(args[1], "PATTERN"):
		pattern := CompilePattern(args[2], true)
		keep = func(cmd *Command) bool { return pattern.Match([]byte(cmd.full)) }
	default:
		c.Error(ErrSyntax)
		return
	}
	var names []string
	for _, cmd := range t.all {
		if keep(cmd) {
			names = append(names, cmd.full)
		}
		for _, s := range cmd.Sub {
			if keep(s) {
				names = append(names, s.full)
			}
		}
	}
	c.Out.Array(len(names))
	for _, n := range names {
		c.Out.BulkString(n)
	}
}

func commandGetKeys(c *Ctx, t *Table, flags bool) {
	args := c.Args[2:]
	cmd := lookup(t.byName, args[0])
	if cmd != nil && cmd.sub != nil && len(args) > 1 {
		cmd = lookup(cmd.sub, args[1])
	}
	switch {
	case cmd == nil:
		c.Error("ERR Invalid command specified")
		return
	case !cmd.hasKeys():
		c.Error("ERR The command has no key arguments")
		return
	case !cmd.ArityOK(len(args)):
		c.Error("ERR Invalid number of arguments specified for command")
		return
	}
	keys, err := cmd.AppendKeys(nil, args)
	keys = slices.DeleteFunc(keys, func(k KeyPos) bool { return k.Flags&KeyNot != 0 })
	if err != nil || len(keys) == 0 {
		if cmd.Flags&NoMandatoryKeys != 0 {
			c.Out.Array(0)
			return
		}
		c.Error("ERR Invalid arguments specified for command")
		return
	}
	c.Out.Array(len(keys))
	for _, k := range keys {
		if flags {
			c.Out.Array(2)
		}
		c.Out.Bulk(args[k.Index])
		if flags {
			writeStatusSet(c.Out, "", k.Flags.Names())
		}
	}
}

func (c *Command) hasKeys() bool {
	return c.GetKeys != nil || slices.ContainsFunc(c.KeySpecs, func(s KeySpec) bool { return s.Flags&KeyNot == 0 })
}

// Help answers a container's HELP subcommand in Redis's form.
func (c *Ctx) Help(lines ...string) {
	container, _, _ := strings.Cut(c.Cmd.full, "|")
	c.Out.Array(len(lines) + 3)
	c.Out.SimpleString(strings.ToUpper(container) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.Out.SimpleString(l)
	}
	c.Out.SimpleString("HELP")
	c.Out.SimpleString("    Prints this help.")
}
