package acl

import (
	"slices"

	"github.com/redoubtdb/redoubt/node/command"
)

// Reason is why a request is denied. Of several the largest is told.
type Reason uint8

// The reasons, in Redis's order.
const (
	Allowed Reason = iota
	DeniedCommand
	DeniedKey
	DeniedAuth // a login that failed; no request is denied for it
	DeniedChannel
)

var reasonNames = [...]string{"", "command", "key", "auth", "channel"}

// String is the reason's name in ACL LOG.
func (r Reason) String() string { return reasonNames[r] }

// Verdict is whether a request is allowed.
type Verdict struct {
	Reason Reason
	Arg    int // of the key or channel among the request's arguments
}

// Request is a command with its arguments, whose number has been checked. Its keys are
// found once, when they are asked for. The zero value is ready for Set.
type Request struct {
	cmd   *command.Command
	args  [][]byte
	keys  []command.KeyPos
	found bool
}

// Set makes r another request.
func (r *Request) Set(cmd *command.Command, args [][]byte) {
	r.cmd, r.args, r.found = cmd, args, false
}

func (r *Request) allKeys() []command.KeyPos {
	if !r.found {
		// When the keys cannot be told there are none: the command will refuse the
		// arguments, too.
		r.keys, _ = r.cmd.AppendKeys(r.keys[:0], r.args)
		r.found = true
	}
	return r.keys
}

// Check decides whether the user may run the request.
func (u *User) Check(r *Request) Verdict {
	worst := u.root.check(r)
	if worst.Reason == Allowed {
		return worst
	}
	for _, s := range u.more {
		switch v := s.check(r); {
		case v.Reason == Allowed:
			return v
		case v.Reason > worst.Reason, v.Reason == worst.Reason && v.Arg > worst.Arg:
			worst = v
		}
	}
	return worst
}

// CheckAnyKey decides whether the user may run the request and do what flags say with
// whatever key the data names, as SORT does with its patterns: one and the same set of
// permissions has to allow both.
func (u *User) CheckAnyKey(r *Request, flags command.KeyFlags) bool {
	need := accessOf(flags)
	anyKey := func(s *selector) bool {
		return s.allKeys || slices.ContainsFunc(s.keys, func(k keyPattern) bool { return k.may&need == need && k.pattern == "*" })
	}
	return slices.ContainsFunc(append([]*selector{u.root}, u.more...), func(s *selector) bool {
		return s.check(r).Reason == Allowed && anyKey(s)
	})
}

func (s *selector) check(r *Request) Verdict {
	if !s.mayRun(r) {
		return Verdict{Reason: DeniedCommand}
	}
	if !s.allKeys {
		for _, k := range r.allKeys() {
			if k.Flags&command.KeyNot == 0 && !s.mayTouch(r.args[k.Index], accessOf(k.Flags)) {
				return Verdict{DeniedKey, k.Index}
			}
		}
	}
	if c := r.cmd.Channels; c != nil && !s.allChannels {
		for i := c.First; i < c.End(len(r.args)); i++ {
			if !s.mayUse(r.args[i], c.Patterns) {
				return Verdict{DeniedChannel, i}
			}
		}
	}
	return Verdict{}
}

// mayRun leaves keys and channels aside. What one needs to log in is never denied.
func (s *selector) mayRun(r *Request) bool {
	n := r.cmd.Number()
	switch {
	case s.allCommands, r.cmd.Flags&command.NoAuth != 0, s.commands.has(n):
		return true
	case len(r.args) < 2:
		return false
	}
	return slices.ContainsFunc(s.firstArgs[n], func(a string) bool { return command.EqualFold(r.args[1], a) })
}

// mayTouch: one pattern has to allow all that is done with the key.
func (s *selector) mayTouch(key []byte, need access) bool {
	for i := range s.keys {
		if k := &s.keys[i]; k.may&need == need && command.Match([]byte(k.pattern), key, false) {
			return true
		}
	}
	return false
}

// mayUse: a channel has to match a pattern, a pattern of channels has to be one.
func (s *selector) mayUse(channel []byte, isPattern bool) bool {
	for _, p := range s.channels {
		if isPattern && p == string(channel) || !isPattern && command.Match([]byte(p), channel, false) {
			return true
		}
	}
	return false
}
