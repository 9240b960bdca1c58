package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseOps(t *testing.T) {
	for _, c := range []struct{ list, want, err string }{
		{"get,set,mix", opGet + "|" + opSet + "|" + opMix, ""},
		{"lrange,xadd", "LRANGE_100 (first 100 elements)|XADD mystream * myfield data", ""},
		{"mix,nonsense", "", `"nonsense" is none of`},
		{"", "", `"" is none of`},
	} {
		ops, err := parseOps(c.list)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want an error with %q", c.list, err, c.err)
			}
		case err != nil || strings.Join(ops, "|") != c.want:
			t.Errorf("%q: %q, %v", c.list, ops, err)
		}
	}
	all, err := parseOps("mix,commands")
	if err != nil || len(all) != 1+len(tests) || !slices.Contains(all, "ZPOPMIN") {
		t.Errorf("commands: %q, %v", all, err)
	}
	for _, op := range all[1:] {
		if _, ok := testOf(op); !ok {
			t.Errorf("%s is no test", op)
		}
	}
}

// TestCommandsRun: redis-benchmark knows every test, under the name that its output
// is searched for.
func TestCommandsRun(t *testing.T) {
	c, err := parseFlags([]string{
		"-redis-only", "-sets", "single", "-ops", "commands", "-rounds", "1", "-requests", "20", "-keys", "10", "-clients", "1", "-pipelines", "1",
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(testContext(t), c, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), " | redis, appendfsync always | "); n != len(tests) {
		t.Errorf("%d rows, want %d:\n%s", n, len(tests), out.String())
	}
}
