package command_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, s string
		fold, want bool
	}{
		{"", "", false, true},
		{"", "a", false, false},
		{"*", "", false, false}, // as in Redis; KEYS and SCAN treat "*" apart
		{"**", "", false, false},
		{"*", "abc", false, true},
		{"a*", "a", false, true},
		{"a**b*", "aXXb", false, true},
		{"*a*b*c", "xaybzc", false, true},
		{"*a*b*c", "xaybz", false, false},
		{"?", "a", false, true},
		{"?", "", false, false},
		{"a?", "a", false, false},
		{"[abc]x", "bx", false, true},
		{"[^abc]x", "bx", false, false},
		{"[^abc]x", "dx", false, true},
		{"[a-c]", "b", false, true},
		{"[c-a]", "b", false, true},
		{"[a-c]", "d", false, false},
		{"[a-]", "]", false, true}, // a range up to the bracket, and never closed
		{"[a", "a", false, true},
		{"[", "[", false, false},
		{"[^", "x", false, true},
		{"[]", "x", false, false},
		{"[\\]]", "]", false, true},
		{"\\*", "*", false, true},
		{"\\*", "a", false, false},
		{"\\", "\\", false, true},
		{"a\\", "a\\", false, true},
		{"[\x80-\x7f]", "a", false, true}, // bytes are signed
		{"[\x01-\xff]", "a", false, false},
		{"HELLO", "hello", false, false},
		{"HELLO", "hello", true, true},
		{"[A-C]?z", "bXZ", true, true},
		{"[\\A]", "a", true, false}, // an escaped byte of a set is not folded
	}
	for _, tt := range tests {
		if got := command.Match([]byte(tt.pattern), []byte(tt.s), tt.fold); got != tt.want {
			t.Errorf("Match(%q, %q, %v) = %v", tt.pattern, tt.s, tt.fold, got)
		}
	}
}

// TestMatchEqualsRedis matches random patterns with many strings by KEYS, and in
// any case with the names of all commands by COMMAND LIST.
func TestMatchEqualsRedis(t *testing.T) {
	redis := commandtest.Dial(t, testenv.StartRedis(t).Addr)
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(alphabet string, n int) string {
		b := make([]byte, rng.IntN(n))
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	const letters = "aabbc]-^\\*\xff\x80A"
	var keys []string
	for range 400 {
		keys = append(keys, word(letters, 6))
		redis.Do("SET", keys[len(keys)-1], "")
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	check := func(pattern string, fold bool, all []string, reply []byte) {
		t.Helper()
		v, err := commandtest.Parse(reply)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, e := range v.Elems {
			want = append(want, e.Text)
		}
		slices.Sort(want)
		for _, k := range all {
			if command.Match([]byte(pattern), []byte(k), fold) {
				got = append(got, k)
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%q matches %q, in Redis %q", pattern, got, want)
		}
	}
	for range 3000 {
		pattern := word(letters+"**??[[[", 10)
		if pattern == "*" {
			continue // KEYS does not match it at all
		}
		check(pattern, false, keys, redis.Do("KEYS", pattern))
	}
	v, err := commandtest.Parse(redis.Do("COMMAND", "LIST"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range v.Elems {
		names = append(names, e.Text)
	}
	slices.Sort(names)
	for range 1000 {
		pattern := "*" + word("GgEeTtSsAaZz-[]^?*", 8)
		check(pattern, true, names, redis.Do("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern))
	}
}

// TestMatchIsBounded gives Match what makes backtracking matchers take for ever.
func TestMatchIsBounded(t *testing.T) {
	pattern := []byte(strings.Repeat("a*", 2000) + "b")
	s := bytes.Repeat([]byte("a"), 2000)
	start := time.Now()
	if command.Match(pattern, s, false) {
		t.Error("matched")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("*a?[b-d]\\x"), []byte("zzaacx"), false)
	f.Add([]byte("[^"), []byte("x"), true)
	f.Add([]byte("[\\"), []byte("\\"), false)
	f.Add([]byte("[a-"), []byte("-"), true)
	f.Fuzz(func(t *testing.T, pattern, s []byte, fold bool) {
		matched := command.Match(pattern, s, fold)
		if len(s) > 0 && !command.Match(append([]byte("*"), s...), s, false) && !bytes.ContainsAny(s, `*?[\`) {
			t.Errorf("%q does not match what ends in it", s)
		}
		if matched && len(s) > 0 && !command.Match(append([]byte("*"), pattern...), s, fold) {
			t.Errorf("%q matches %q, with a star before it no more", pattern, s)
		}
		var literal []byte
		for _, b := range s {
			literal = append(literal, '\\', b)
		}
		if !command.Match(literal, s, fold) {
			t.Errorf("%q, escaped, does not match itself", s)
		}
		if command.Match(literal, append(s, 'x'), fold) {
			t.Errorf("%q, escaped, matches a longer string", s)
		}
	})
}
