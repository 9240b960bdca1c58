package acl

import (
	"maps"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/node/command"
)

// access is what may be done with a key.
type access uint8

const (
	read access = 1 << iota
	write
)

// accessOf is what a command does with a key's content.
func accessOf(f command.KeyFlags) access {
	a := access(0)
	if f&command.KeyAccess != 0 {
		a |= read
	}
	if f&(command.KeyInsert|command.KeyDelete|command.KeyUpdate) != 0 {
		a |= write
	}
	return a
}

// keyPattern is the keys that match a pattern, and what may be done with them.
type keyPattern struct {
	pattern string
	may     access
}

// selector is one set of permissions. A command is allowed when one selector of the
// user allows all of it.
type selector struct {
	allKeys     bool
	keys        []keyPattern
	allChannels bool
	channels    []string

	// allCommands: nothing has been taken away since +@all. future: what was given
	// began with +@all, so that it includes the commands of newer programs.
	allCommands bool
	future      bool
	commands    bitset
	firstArgs   map[int][]string // by command number: first arguments it is allowed with
	rules       []string         // about commands, those that still matter, in order
}

// bitset is commands by their numbers.
type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) set(i int, on bool) {
	if on {
		b[i/64] |= 1 << (i % 64)
	} else {
		b[i/64] &^= 1 << (i % 64)
	}
}

func (g Grammar) newSelector() *selector {
	return &selector{allChannels: g.AllChannels, commands: make(bitset, (g.Table.Size()+63)/64)}
}

func (s *selector) clone() *selector {
	c := *s
	c.keys, c.channels = slices.Clone(s.keys), slices.Clone(s.channels)
	c.commands, c.rules = slices.Clone(s.commands), slices.Clone(s.rules)
	c.firstArgs = maps.Clone(s.firstArgs) // its slices are clipped: to append copies
	return &c
}

func (s *selector) unrestricted() bool { return s.allCommands && s.allKeys && s.allChannels }

// applyToSelector applies a rule about keys, channels or commands.
func (g Grammar) applyToSelector(s *selector, rule string) error {
	switch lower(rule) {
	case "allkeys", "~*":
		s.allKeys, s.keys = true, nil
		return nil
	case "resetkeys":
		s.allKeys, s.keys = false, nil
		return nil
	case "allchannels", "&*":
		s.allChannels, s.channels = true, nil
		return nil
	case "resetchannels":
		s.allChannels, s.channels = false, nil
		return nil
	case "allcommands", "+@all":
		s.everyCommand(true)
		return nil
	case "nocommands", "-@all":
		s.everyCommand(false)
		return nil
	}
	switch allow := rule[0] == '+'; rule[0] {
	case '~', '%':
		return s.addKeys(rule)
	case '&':
		return s.addChannel(rule[1:])
	case '+', '-':
		if name, ok := strings.CutPrefix(rule[1:], "@"); ok {
			return g.setCategory(s, name, allow)
		}
		return g.setCommand(s, rule[1:], allow)
	}
	return ErrSyntax
}

// addKeys adds the pattern of ~pattern or %RW~pattern.
func (s *selector) addKeys(rule string) error {
	if s.allKeys {
		return ErrAllKeys
	}
	may, pattern := read|write, rule[1:]
	if rule[0] == '%' {
		may = 0
		var done bool
		for !done && pattern != "" {
			switch c := pattern[0] &^ 0x20; { // upper case
			case pattern[0] == '~':
				done = true
			case c == 'R' && may&read == 0:
				may |= read
			case c == 'W' && may&write == 0:
				may |= write
			default:
				return ErrSyntax
			}
			pattern = pattern[1:]
		}
		if may == 0 {
			return ErrSyntax
		}
	}
	if hasSpaces(pattern) {
		return ErrSyntax
	}
	for i := range s.keys {
		if s.keys[i].pattern == pattern {
			s.keys[i].may |= may
			return nil
		}
	}
	s.keys = append(s.keys, keyPattern{pattern, may})
	return nil
}

func (s *selector) addChannel(pattern string) error {
	switch {
	case s.allChannels:
		return ErrAllChannels
	case hasSpaces(pattern):
		return ErrSyntax
	case !slices.Contains(s.channels, pattern):
		s.channels = append(s.channels, pattern)
	}
	return nil
}

func (s *selector) everyCommand(allow bool) {
	s.allCommands, s.future = allow, allow
	s.firstArgs, s.rules = nil, nil
	for i := range s.commands {
		s.commands[i] = 0
		if allow {
			s.commands[i] = ^uint64(0)
		}
	}
}

func (g Grammar) setCategory(s *selector, name string, allow bool) error {
	cat, ok := command.CatByName([]byte(name))
	if !ok {
		return ErrUnknownCommand
	}
	s.note("@"+lower(name), allow)
	for _, c := range g.Table.All() {
		if c.Categories&cat != 0 {
			s.permit(c, allow)
		}
		for _, sub := range c.Sub {
			if sub.Categories&cat != 0 {
				s.permit(sub, allow)
			}
		}
	}
	return nil
}

// setCommand allows or denies a command, a subcommand, or a command with a certain
// first argument.
func (g Grammar) setCommand(s *selector, name string, allow bool) error {
	c := g.Table.Find([]byte(name))
	bar := strings.LastIndexByte(name, '|')
	if allow && bar >= 0 {
		of := g.Table.Find([]byte(name[:bar]))
		switch {
		case of == nil:
			return ErrUnknownCommand
		case strings.Contains(of.FullName(), "|"):
			return ErrFirstArg
		case bar == len(name)-1:
			return ErrSyntax
		case len(of.Sub) == 0:
			s.permitFirstArg(of, name[bar+1:])
			s.note(lower(name), true)
			return nil
		}
	}
	if c == nil {
		return ErrUnknownCommand
	}
	s.permit(c, allow)
	s.note(c.FullName(), allow)
	return nil
}

// permit allows or denies a command with its subcommands.
func (s *selector) permit(c *command.Command, allow bool) {
	s.commands.set(c.Number(), allow)
	delete(s.firstArgs, c.Number())
	for _, sub := range c.Sub {
		s.commands.set(sub.Number(), allow)
	}
	s.allCommands = s.allCommands && allow
}

func (s *selector) permitFirstArg(c *command.Command, arg string) {
	have := s.firstArgs[c.Number()]
	if slices.ContainsFunc(have, func(a string) bool { return lower(a) == lower(arg) }) {
		return
	}
	if s.firstArgs == nil {
		s.firstArgs = map[int][]string{}
	}
	s.firstArgs[c.Number()] = append(slices.Clip(have), arg)
}

// note keeps a rule about commands, in the place of one about the same command or
// category, or about subcommands of it: those say nothing any more.
func (s *selector) note(what string, allow bool) {
	s.rules = slices.DeleteFunc(s.rules, func(r string) bool {
		return r[1:] == what || strings.HasPrefix(r[1:], what+"|")
	})
	sign := "-"
	if allow {
		sign = "+"
	}
	s.rules = append(s.rules, sign+what)
}
