package acl

import (
	"strings"
	"testing"
)

// FuzzRules: whatever rules make of a user, its description makes the same of a new one,
// and what is allowed does not depend on how it came about.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		"on >a ~a %R~b &c +get -@all +@read -client|id +select|0 (~d +set) (%W~e +@write)",
		"%RW~* ~a (%W~* %R~* ~b)",
		"+@all -@dangerous -client +client|id allkeys resetkeys ~x nopass",
		"reset clearselectors off #" + sha("x") + " !" + sha("x"),
		`( ~"a b" ) (+get ~'c') +client|id +client -client|kill +debug|object`,
	} {
		f.Add(s)
	}
	requests := []string{"get d", "set e 1", "client id", "client kill x", "select 0", "mget a b c d", "copy a b", "debug object", "publish c m", "psubscribe c"}
	f.Fuzz(func(t *testing.T, text string) {
		u := grammar.New("u")
		for _, r := range strings.Split(text, " ") {
			changed, err := grammar.Apply(u, r)
			if err != nil {
				continue
			}
			u = changed
		}
		whole, err := grammar.Apply(grammar.New("u"), strings.Split(text, " ")...)
		if err == nil && !strings.ContainsAny(text, "()") && whole.Describe() != u.Describe() {
			t.Fatalf("%q: all at once %s, one by one %s", text, whole.Describe(), u.Describe())
		}
		for _, u := range []*User{u, whole} {
			if u == nil || ambiguous(u) {
				continue
			}
			again, err := grammar.Apply(grammar.New("u"), strings.Split(u.Describe(), " ")...)
			if err != nil {
				t.Fatalf("%q: %s: %v", text, u.Describe(), err)
			}
			if again.Describe() != u.Describe() {
				t.Fatalf("%q: %s, described again %s", text, u.Describe(), again.Describe())
			}
			for _, r := range requests {
				if a, b := u.Check(request(grammar, r)), again.Check(request(grammar, r)); a != b {
					t.Fatalf("%q: %s: %s: %v, described again %v", text, u.Describe(), r, a, b)
				}
			}
		}
	})
}

// ambiguous users have names of keys or channels that mean something else in a
// description: Redis does not quote them, and neither its file format nor its ACL LIST
// could be read by it if they were.
func ambiguous(u *User) bool {
	for i, s := range append([]*selector{u.root}, u.more...) {
		d := s.description()
		if i > 0 && strings.ContainsAny(d.Keys+d.Channels+d.Commands, `"'()`) {
			return true
		}
	}
	return false
}
