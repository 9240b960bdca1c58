package acl

import "strings"

// Description is what ACL GETUSER says of a set of permissions, each part as rules.
type Description struct{ Commands, Keys, Channels string }

// Describe is the user as rules that make it, as ACL LIST shows them: applied to a new
// user they give the same one.
func (u *User) Describe() string {
	var b strings.Builder
	for _, f := range u.Flags() {
		b.WriteString(f + " ")
	}
	for _, h := range u.Passwords() {
		b.WriteString("#" + h + " ")
	}
	b.WriteString(u.root.describe())
	for _, s := range u.more {
		b.WriteString(" (" + s.describe() + ")")
	}
	return b.String()
}

// Flags are the words that apply to the user as a whole, in Redis's order.
func (u *User) Flags() []string {
	flags := []string{"off"}
	if u.enabled {
		flags[0] = "on"
	}
	if u.noPass {
		flags = append(flags, "nopass")
	}
	if u.sanitize == sanitizeSkip {
		return append(flags, "skip-sanitize-payload")
	}
	return append(flags, "sanitize-payload")
}

// Passwords are the hashes of the user's passwords, in hexadecimal digits.
func (u *User) Passwords() []string {
	all := make([]string, len(u.passwords))
	for i, h := range u.passwords {
		all[i] = h.String()
	}
	return all
}

// Root describes the permissions outside of parentheses.
func (u *User) Root() Description { return u.root.description() }

// Selectors describes the permissions in parentheses, in the order they were given.
func (u *User) Selectors() []Description {
	all := make([]Description, len(u.more))
	for i, s := range u.more {
		all[i] = s.description()
	}
	return all
}

func (s *selector) describe() string {
	d := s.description()
	var parts []string
	if d.Keys != "" {
		parts = append(parts, d.Keys)
	}
	if !s.allChannels {
		parts = append(parts, "resetchannels")
	}
	if d.Channels != "" {
		parts = append(parts, d.Channels)
	}
	return strings.Join(append(parts, d.Commands), " ")
}

func (s *selector) description() Description {
	return Description{
		Commands: s.describeCommands(),
		Keys:     s.describeKeys(),
		Channels: s.describeChannels(),
	}
}

func (s *selector) describeCommands() string {
	begin := "-@all"
	if s.future {
		begin = "+@all"
	}
	return strings.Join(append([]string{begin}, s.rules...), " ")
}

func (s *selector) describeKeys() string {
	if s.allKeys {
		return "~*"
	}
	prefixes := map[access]string{read | write: "~", read: "%R~", write: "%W~"}
	all := make([]string, len(s.keys))
	for i, k := range s.keys {
		all[i] = prefixes[k.may] + k.pattern
		if all[i] == "~*" {
			// Redis writes ~* and then refuses its own file when more patterns follow.
			all[i] = "%RW~*"
		}
	}
	return strings.Join(all, " ")
}

func (s *selector) describeChannels() string {
	if s.allChannels {
		return "&*"
	}
	all := make([]string, len(s.channels))
	for i, c := range s.channels {
		all[i] = "&" + c
	}
	return strings.Join(all, " ")
}
