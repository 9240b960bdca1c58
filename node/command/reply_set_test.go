package command_test

import (
	"fmt"
	"slices"

	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// checkRandomMembers checks that a random choice has the size of Redis's, and consists
// of members, different ones unless the count is negative.
func (d *driver) checkRandomMembers(args [][]byte, w, g commandtest.Value) error {
	ref, _ := d.subject.ctx.LookupWrite(args[1])
	s := ref.Set()
	if s == nil {
		return fmt.Errorf("there is no set")
	}
	drawn := []string{g.Text}
	if len(args) > 2 {
		drawn = texts(g)
		if len(w.Elems) != len(g.Elems) {
			return fmt.Errorf("%d members, not %d", len(g.Elems), len(w.Elems))
		}
	}
	seen := map[string]bool{}
	for _, m := range drawn {
		if !s.Contains([]byte(m)) {
			return fmt.Errorf("no member %q", m)
		}
		if seen[m] && args[2][0] != '-' {
			return fmt.Errorf("member %q twice", m)
		}
		seen[m] = true
	}
	return nil
}

// samePopped checks that as many members were popped, no one twice; which they are
// is for popAlike.
func samePopped(w, g commandtest.Value) error {
	popped := texts(g)
	slices.Sort(popped)
	if len(w.Elems) != len(g.Elems) || len(slices.Compact(popped)) != len(g.Elems) {
		return fmt.Errorf("%d members, not %d", len(popped), len(w.Elems))
	}
	return nil
}

func texts(v commandtest.Value) []string {
	var out []string
	for _, e := range v.Elems {
		out = append(out, e.Text)
	}
	return out
}

// popAlike makes the subject's set have lost the members that Redis popped instead of
// those that it popped itself. One that was no member of Redis's set shows at the
// next command, or in the digest.
func (d *driver) popAlike(key, want, got []byte) {
	d.t.Helper()
	theirs, ours := popped(d, want), popped(d, got)
	slices.Sort(theirs)
	slices.Sort(ours)
	if slices.Equal(theirs, ours) {
		return
	}
	events := len(d.subject.events)
	d.subject.strict = false
	d.subject.do(raw(append([]string{"SADD", string(key)}, ours...)...))
	reply, _ := d.subject.do(raw(append([]string{"SREM", string(key)}, theirs...)...))
	if string(reply) != fmt.Sprintf(":%d\r\n", len(theirs)) {
		d.fail("redis popped %q, not all of which were members here", theirs)
	}
	d.subject.events = d.subject.events[:events]
}

// popped are the members of a reply of SPOP.
func popped(d *driver, reply []byte) []string {
	v, err := commandtest.Parse(reply)
	switch {
	case err != nil:
		d.t.Fatal(err)
	case v.Type == '$':
		return []string{v.Text}
	case v.Type == '-', v.Null:
		return nil
	}
	return texts(v)
}

// checkSetEncoding allows the encodings of a set that Redis 7.2 has where 7.0 has
// others: listpack for words; for integers, table or listpack after a SADD or SPOP of
// many members. The exact rules have their tests in package keyspace.
func (d *driver) checkSetEncoding(key []byte, want, got string) error {
	ref, _ := d.subject.ctx.LookupWrite(key)
	if ref.Set() != nil {
		switch want + " " + got {
		case "hashtable listpack", "intset listpack", "intset hashtable":
			return nil
		}
	}
	return fmt.Errorf("encoding %s, not %s", got, want)
}
