package command_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
		if got := command.CompilePattern([]byte(tt.pattern), tt.fold).Match([]byte(tt.s)); got != tt.want {
			t.Errorf("compiled, %q matches %q (fold %v): %v", tt.pattern, tt.s, tt.fold, got)
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
		compiled := command.CompilePattern([]byte(pattern), fold)
		for _, k := range all {
			matches := command.Match([]byte(pattern), []byte(k), fold)
			if matches {
				got = append(got, k)
			}
			if compiled.Match([]byte(k)) != matches {
				t.Errorf("compiled, %q matches %q: %v", pattern, k, !matches)
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
	// Redis gives up beyond a number of stars.
	long := strings.Repeat("a", 2000)
	redis.Do("SET", long, "")
	keys = append(keys, long)
	for _, stars := range []int{999, 1000, 1001} {
		for _, tail := range []string{"", "*", "**"} {
			pattern := strings.Repeat("*?", stars) + tail
			check(pattern, false, keys, redis.Do("KEYS", pattern))
		}
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

// TestMatchIsBounded matches what makes backtracking matchers take for ever, and what
// makes reading the pattern anew for each string slow.
func TestMatchIsBounded(t *testing.T) {
	repeat := strings.Repeat
	for name, tt := range hostilePatterns() {
		start := processorTime()
		p := command.CompilePattern([]byte(tt.pattern), false)
		for _, s := range tt.subjects {
			if p.Match([]byte(s)) {
				t.Errorf("%s: matched", name)
			}
		}
		if d := processorTime() - start; d > time.Second {
			t.Errorf("%s: took %v of processor time", name, d)
		}
	}
	pattern := []byte(repeat("a*", 900) + "b")
	if s := []byte(repeat("a", 20000)); command.Match(pattern, s, false) {
		t.Error("matched")
	}
}

type hostilePattern struct {
	pattern  string
	subjects []string
}

func hostilePatterns() map[string]hostilePattern {
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = "key:" + strconv.Itoa(i)
	}
	repeat := strings.Repeat
	var sets strings.Builder // more different ones than are compiled
	for i := range 10_000 {
		fmt.Fprintf(&sets, "[%c%c%c]", 'a'+i%26, 'a'+i/26%26, 'A'+i/676)
	}
	long := []string{repeat("a", 100_000)}
	return map[string]hostilePattern{
		"brackets":        {repeat("[", 10_000), keys},
		"brackets, star":  {"*" + repeat("[", 10_000) + "]x", keys},
		"sets":            {repeat("[a-z]", 10_000), keys},
		"sets and stars":  {repeat("*[a-z]", 900), keys},
		"different sets":  {"*" + sets.String(), keys},
		"stars":           {repeat("a*", 900) + "b", long},
		"questions":       {repeat("*?", 1000) + "b", long},
		"too many stars":  {repeat("a*", 100_000) + "b", long},
		"elements":        {repeat("?", 1<<21), long},
		"long set":        {"*[" + repeat("b-z", 1<<18), keys},
		"one long piece":  {"*" + repeat("a", 50_000) + "b*", long},
		"long and a tail": {"*" + repeat("a", 99_000) + "b", long},
	}
}

func processorTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err)
	}
	return time.Duration(use.Utime.Nano())
}

func BenchmarkPattern(b *testing.B) {
	for name, tt := range hostilePatterns() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p := command.CompilePattern([]byte(tt.pattern), false)
				for _, s := range tt.subjects {
					p.Match([]byte(s))
				}
			}
		})
	}
}

// TestPatternIsBounded looks at what a long pattern takes.
func TestPatternIsBounded(t *testing.T) {
	for _, element := range []string{"?", "a", "[ab]", "*", "*?", "[", "\\"} {
		for _, n := range []int{1 << 20, 8 << 20} { // the most that are compiled, and more
			source := []byte(strings.Repeat(element, n))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			command.CompilePattern(source, false)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
				t.Errorf("%d times %q take %d bytes", n, element, took)
			}
		}
	}
}

// TestPatternOfManySets has more different sets than a Pattern keeps.
func TestPatternOfManySets(t *testing.T) {
	var pattern, s []byte
	for i := range 5000 {
		c := []byte{byte('a' + i%26), byte('a' + i/26%26), byte('A' + i/676)}
		pattern = append(append(append(pattern, '['), c...), ']')
		s = append(s, c[i%3])
	}
	p := command.CompilePattern(pattern, false)
	if !p.Match(s) {
		t.Error("does not match")
	}
	s[4999] = '-'
	if p.Match(s) {
		t.Error("matches")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("*a?[b-d]\\x"), []byte("zzaacx"), false)
	f.Add([]byte("[^"), []byte("x"), true)
	f.Add([]byte("[\\"), []byte("\\"), false)
	f.Add([]byte("[a-"), []byte("-"), true)
	f.Fuzz(func(t *testing.T, pattern, s []byte, fold bool) {
		matched := command.Match(pattern, s, fold)
		if compiled := command.CompilePattern(pattern, fold).Match(s); compiled != matched {
			t.Errorf("compiled, %q matches %q: %v", pattern, s, compiled)
		}
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
