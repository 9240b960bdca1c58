package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	excuses := &Excuses{
		has: func(c string) bool { return c == "eval" },
		differences: []difference{
			{file: "unit/x", test: "known", reason: "for a reason"},
			{file: "unit/*", test: "better now", reason: "was for a reason"},
			{file: "unit/x", test: "hidden", needs: "subscribe"},
			{file: "unit/x", test: "built", needs: "eval"},
			{file: "unit/y", test: "failed", reason: "of another file"},
		},
	}
	real := &FileRun{File: "unit/x", Results: []Result{
		{Name: "passed", Outcome: Passed}, {Name: "failed", Outcome: Passed}, {Name: "real fails", Outcome: Failed},
		{Name: "known", Outcome: Passed}, {Name: "better now", Outcome: Passed}, {Name: "hidden", Outcome: Passed},
		{Name: "built", Outcome: Passed}, {Name: "names it", Outcome: Passed}, {Name: "names a built one", Outcome: Passed},
		{Name: "twice", Outcome: Passed}, {Name: "twice", Number: 1, Outcome: Passed}, {Name: "gone", Outcome: Passed},
		{Name: "hung", Outcome: Passed},
	}}
	ours := &FileRun{File: "unit/x", Seconds: 2, Results: []Result{
		{Name: "passed", Outcome: Passed}, {Name: "failed", Outcome: Failed, Detail: "why"}, {Name: "real fails", Outcome: Passed},
		{Name: "known", Outcome: Failed}, {Name: "better now", Outcome: Passed}, {Name: "hidden", Outcome: Failed, Detail: "I/O error"},
		{Name: "built", Outcome: Failed}, {Name: "names it", Outcome: Failed, Detail: "ERR unknown command 'subscribe', with args beginning with: 'x'"},
		{Name: "names a built one", Outcome: Failed, Detail: "ERR unknown command 'eval'"},
		{Name: "twice", Outcome: Passed}, {Name: "hung", Outcome: Hung},
	}}
	got := judge(real, ours, excuses)
	want := map[string]string{
		"passed": "passed", "failed": "failed", "known": "for a reason", "better now": "passed",
		"hidden": "not built yet: publish/subscribe", "built": "failed", "names it": "not built yet: publish/subscribe",
		"names a built one": "failed", "twice": "passed", "twice 1": "not run", "gone": "not run", "hung": "hung",
	}
	for _, v := range got.Verdicts {
		name, is := v.Name, string(v.Outcome)
		if v.Number > 0 {
			name += " 1"
		}
		if v.Excuse != "" {
			is = v.Excuse
		}
		if want[name] != is {
			t.Errorf("%s: %s, want %q", name, is, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if c := (Counts{Real: 12, Passed: 3, Failed: 6, Excused: 3}); got.counts() != c {
		t.Errorf("counts %+v, want %+v", got.counts(), c)
	}
	if !reflect.DeepEqual(got.Stale, []string{"better now"}) {
		t.Errorf("stale: %v", got.Stale)
	}
}

// What ended a block excuses the tests that it kept from running only when it is
// excused itself.
func TestJudgeNotRun(t *testing.T) {
	real := &FileRun{File: "unit/x", Results: []Result{{Name: "a", Outcome: Passed}}}
	excuses := &Excuses{has: func(string) bool { return false }}
	for abort, excused := range map[string]bool{
		"ERR unknown command 'subscribe'":                        true,
		"ERR unknown command 'lpush'":                            false,
		"ERR unknown subcommand 'tracking'. Try CLIENT HELP.":    true,
		"ERR unknown subcommand 'tracking'. Try SOMETHING HELP.": false,
		"ERR unknown subcommand 'nosuch'. Try CLIENT HELP.":      false,
	} {
		got := judge(real, &FileRun{File: "unit/x", Aborts: []string{abort}}, excuses)
		if v := got.Verdicts[0]; v.Outcome != NotRun || (v.Excuse != "") != excused {
			t.Errorf("%s: %s, excuse %q", abort, v.Outcome, v.Excuse)
		}
	}
}

func TestSkipped(t *testing.T) {
	e := &Excuses{has: func(c string) bool { return c == "eval" }, differences: []difference{
		{file: "unit/a", test: "*", needs: "subscribe"},
		{file: "unit/b", test: "*", needs: "eval"},
		{file: "unit/b", test: "slow", reason: "r", skip: true},
		{file: "unit/b", test: "fails", reason: "r"},
	}}
	if tests, all := e.skipped("unit/a"); !all || tests != nil {
		t.Errorf("unit/a: %v %v", tests, all)
	}
	if tests, all := e.skipped("unit/b"); all || !reflect.DeepEqual(tests, []string{"slow"}) {
		t.Errorf("unit/b: %v %v", tests, all)
	}
}

// Every known difference has a reason, and commands that it waits for are ones
// that are to come.
func TestDifferences(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range differences {
		key := d.file + ": " + d.test
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if (d.reason == "") == (d.needs == "") {
			t.Errorf("%s has to have a reason or a command that it needs", key)
		}
		if d.needs != "" && strings.ToLower(d.needs) != d.needs {
			t.Errorf("%s: %s is not in lower case", key, d.needs)
		}
		if !strings.HasPrefix(d.file, "unit/") {
			t.Errorf("%s: no file of the suite that is run", key)
		}
	}
}

func TestHas(t *testing.T) {
	for name, want := range map[string]bool{"get": true, "config|set": true, "config|nosuch": false, "nosuch": false, "nosuch|set": false} {
		if has(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
