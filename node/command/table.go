package command

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Command is a row of the command table: everything the server knows about a
// command before it runs it. The facts are Redis's own; what follows from
// them (First, Last, Step, MovableKeys and the categories that flags imply) is
// filled in by NewTable and not written in rows.
type Command struct {
	Name       string    // lower case; of a subcommand without its container's
	Summary    string    // one line for people
	Group      string    // COMMAND DOCS: "string", "hash", "generic", ...
	Since      string    // first Redis version that has it
	Arity      int       // number of arguments with the name; at least -Arity when negative
	Flags      Flags     //
	Categories Cat       // beyond those that Flags imply
	KeySpecs   []KeySpec // where the keys are
	Channels   *Channels // where the channels are; nil: there are none
	Tips       []string  // hints for cluster-aware clients

	// Sub are the subcommands of a container. A container without a Handler
	// needs one; one with a Handler (COMMAND) may be called alone.
	Sub []*Command

	// Keyspace marks a command that reads or writes keys it does not name
	// (KEYS, DBSIZE, FLUSHALL): its reply waits for the whole log.
	Keyspace bool

	// GetKeys finds the keys where the specs cannot, or where their flags
	// depend on the arguments. It appends to dst; ErrInvalidKeys when the
	// arguments make no sense. The number of arguments has been checked.
	GetKeys func(dst []KeyPos, args [][]byte) ([]KeyPos, error)

	// Handler runs the command. It answers exactly one reply into Out.
	Handler func(*Ctx)

	// First, Last and Step are the range of keys as older clients know it.
	First, Last, Step int

	full   string              // "config|get"
	number int                 // in its table, subcommands included
	sub    map[string]*Command // by name
}

// FullName is the name with the container's: "config|get".
func (c *Command) FullName() string { return c.full }

// Number tells commands of one table apart, subcommands included, from 0 without a
// gap.
func (c *Command) Number() int { return c.number }

// Table finds commands by name. It is immutable and safe for concurrent use.
type Table struct {
	byName map[string]*Command
	all    []*Command // sorted by name
	size   int        // subcommands included
	infos  [2]infos   // for RESP2 and RESP3
}

// NewTable makes a table of the rows of all groups and completes each row. It
// panics on a malformed or duplicate row: that is a mistake in the program.
// Rows belong to the table from here on.
func NewTable(groups ...[]*Command) *Table {
	t := &Table{byName: make(map[string]*Command)}
	for _, g := range groups {
		for _, c := range g {
			c.complete("")
			if t.byName[c.Name] != nil {
				panic("command: duplicate row " + c.Name)
			}
			t.byName[c.Name] = c
			t.all = append(t.all, c)
		}
	}
	next := 0
	for _, c := range t.all {
		c.number = next
		for i, s := range c.Sub {
			s.number = next + 1 + i
		}
		next += 1 + len(c.Sub)
	}
	t.size = next
	slices.SortFunc(t.all, func(a, b *Command) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func (c *Command) complete(container string) {
	c.full = container + c.Name
	switch {
	case c.Name == "" || len(c.Name) > maxName || c.Name != strings.ToLower(c.Name):
		panic(fmt.Sprintf("command: bad name %q", c.full))
	case c.Arity == 0:
		panic("command: no arity: " + c.full)
	case c.Handler == nil && len(c.Sub) == 0:
		panic("command: no handler: " + c.full)
	}
	c.Categories = c.Flags.implied(c.Categories)
	c.First, c.Last, c.Step = legacyRange(c.KeySpecs)
	if movable(c.KeySpecs) {
		c.Flags |= MovableKeys
	}
	if len(c.Sub) == 0 {
		return
	}
	c.sub = make(map[string]*Command, len(c.Sub))
	for _, s := range c.Sub {
		s.complete(c.Name + "|")
		if s.Group == "" {
			s.Group = c.Group
		}
		if c.sub[s.Name] != nil {
			panic("command: duplicate row " + s.full)
		}
		c.sub[s.Name] = s
	}
}

// All returns the top-level commands, sorted by name. It is not to be changed.
func (t *Table) All() []*Command { return t.all }

// Size is the number of commands, subcommands included: every Number is below it.
func (t *Table) Size() int { return t.size }

// Find returns the command of a full name ("get", "config|get") in any case,
// or nil.
func (t *Table) Find(name []byte) *Command {
	for i, b := range name {
		if b == '|' {
			c := lookup(t.byName, name[:i])
			if c == nil {
				return nil
			}
			return lookup(c.sub, name[i+1:])
		}
	}
	return lookup(t.byName, name)
}

// Lookup returns the row that a request names, the subcommand's where there is
// one, and checks the number of arguments. Its errors are replies; the row comes
// along when only that number is wrong.
func (t *Table) Lookup(args [][]byte) (*Command, error) {
	c := lookup(t.byName, args[0])
	if c == nil {
		return nil, unknownCommand(args)
	}
	if c.sub != nil && len(args) > 1 {
		s := lookup(c.sub, args[1])
		if s == nil {
			return nil, unknownSubcommand(c, args[1])
		}
		c = s
	}
	if !c.ArityOK(len(args)) {
		return c, wrongArity(c)
	}
	return c, nil
}

// ArityOK reports whether a request of n arguments, the name among them, has
// enough and not too many.
func (c *Command) ArityOK(n int) bool {
	if c.Arity > 0 {
		return n == c.Arity
	}
	return n >= -c.Arity
}

// maxName bounds the names in a table; what is longer is unknown.
const maxName = 32

// lookup folds the name on the stack, so that nothing is allocated.
func lookup(m map[string]*Command, name []byte) *Command {
	if len(name) > maxName {
		return nil
	}
	var buf [maxName]byte
	for i, b := range name {
		buf[i] = lower(b)
	}
	return m[string(buf[:len(name)])]
}

func unknownCommand(args [][]byte) error {
	var b strings.Builder
	for _, a := range args[1:] {
		if b.Len() >= 128 {
			break
		}
		b.WriteByte('\'')
		b.Write(clip(a, 128-(b.Len()-1)))
		b.WriteString("' ")
	}
	return errorf("ERR unknown command '%s', with args beginning with: %s", clip(args[0], 128), b.String())
}

func unknownSubcommand(c *Command, name []byte) error {
	return errorf("ERR unknown subcommand '%s'. Try %s HELP.", clip(name, 128), strings.ToUpper(c.full))
}

func wrongArity(c *Command) Error {
	return errorf("ERR wrong number of arguments for '%s' command", c.full)
}

// clip is what C's %.*s prints: up to n bytes, up to the first NUL.
func clip(b []byte, n int) []byte {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return b[:min(len(b), n)]
}

// legacyRange is the range that covers the leading simple specs, as Redis
// computes it for clients that do not know key specs.
func legacyRange(specs []KeySpec) (first, last, step int) {
	if len(specs) == 1 && specs[0].simple() {
		s := &specs[0]
		return s.Index, absolute(s.Last, s.Index), s.Step
	}
	first = math.MaxInt
	for i := range specs {
		s := &specs[i]
		if !s.simple() {
			continue
		}
		if s.Step != 1 || last != 0 && last != s.Index-1 {
			return 0, 0, 0
		}
		first = min(first, s.Index)
		// A negative end lies behind every positive one.
		if end := absolute(s.Last, s.Index); last >= 0 && (end < 0 || end > last) || last < 0 && end < 0 && end > last {
			last = end
		}
	}
	if first == math.MaxInt {
		return 0, 0, 0
	}
	return first, last, 1
}

func absolute(last, first int) int {
	if last < 0 {
		return last
	}
	return last + first
}

func movable(specs []KeySpec) bool {
	for i := range specs {
		if !specs[i].simple() || specs[i].Flags&KeyIncomplete != 0 {
			return true
		}
	}
	return false
}
