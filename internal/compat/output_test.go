package main

import (
	"reflect"
	"testing"
)

func TestParseOutput(t *testing.T) {
	const file = "unit/x"
	for name, c := range map[string]struct {
		output string
		want   Log
	}{
		"all kinds": {
			output: "Cleanup: may take some time... OK\nStarting test server at port 21079\n[ready]: 24446\nTesting unit/x\n" +
				"[\x1b[0;32;49mok\x1b[0m]: GET a key (3 ms) (12 ms)\n" +
				"[err]: SET a key in tests/unit/x.tcl\nExpected '1' to be equal to '2' (context: type eval line 3)\n" +
				"[skip]: left out\n" +
				"[ignore]: big: one: large memory flag not provided\n" +
				"[ignore]: psync: Tag: needs:repl denied\n" +
				"[ignore]: Not supported on external server\n" +
				"[ok]: again (0 ms)\n[ok]: again (1 ms)\n" +
				"[1/1 done]: unit/x (1 seconds)\n\n                   The End\n\n" +
				"!!! WARNING The following tests failed:\n\n*** [err]: SET a key in tests/unit/x.tcl\nExpected\n[ok]: not this one (1 ms)\n",
			want: Log{Done: true, Results: []Result{
				{Name: "GET a key (3 ms)", Outcome: Passed},
				{Name: "SET a key", Outcome: Failed, Detail: "Expected '1' to be equal to '2' (context: type eval line 3)"},
				{Name: "left out", Outcome: Skipped},
				{Name: "big: one", Outcome: Ignored, Detail: "large memory flag not provided"},
				{Name: "psync", Outcome: Ignored, Detail: "Tag: needs:repl denied"},
				{Name: "again", Outcome: Passed},
				{Name: "again", Number: 1, Outcome: Passed},
			}},
		},
		"an error outside of tests": {
			output: "[ok]: one (0 ms)\n[err]: n command 'lpush'\nERR unknown command 'lpush'\n    while executing\n[ok]: two (0 ms)\n[1/1 done]: unit/x (1 seconds)\n",
			want: Log{
				Done:    true,
				Results: []Result{{Name: "one", Outcome: Passed}, {Name: "two", Outcome: Passed}},
				Aborts:  []string{"n command 'lpush'\nERR unknown command 'lpush'\n    while executing"},
			},
		},
		"the client of the suite ended": {
			output: "[ok]: one (0 ms)\n[exception]: Executing test client: I/O error reading reply.\nI/O error reading reply\n    while executing\n\"$r ping\"\n",
			want: Log{
				Results: []Result{{Name: "one", Outcome: Passed}},
				Aborts:  []string{"Executing test client: I/O error reading reply.\nI/O error reading reply\n    while executing\n\"$r ping\""},
			},
		},
		"a hang": {
			output: "[ok]: one (0 ms)\n[TIMEOUT]: clients state report follows.\nsock55e => (IN PROGRESS) BLPOP: waits\n\n                   The End\n",
			want:   Log{Results: []Result{{Name: "one", Outcome: Passed}}, Hanging: "BLPOP: waits"},
		},
		"a hang between tests": {
			output: "[ok]: one (0 ms)\n[TIMEOUT]: clients state report follows.\nsock55e => (OK) one\n",
			want:   Log{Results: []Result{{Name: "one", Outcome: Passed}}},
		},
		"of another file": {
			output: "[err]: name in tests/unit/y.tcl\nwhy\n",
			want:   Log{Aborts: []string{"name in tests/unit/y.tcl\nwhy"}},
		},
		"nothing": {},
	} {
		if got := parseOutput(file, c.output); !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s:\n got  %+v\n want %+v", name, *got, c.want)
		}
	}
}

func TestMarkHung(t *testing.T) {
	got := markHung([]Result{{Name: "a", Outcome: Skipped}, {Name: "b", Outcome: Skipped}, {Name: "b", Outcome: Passed}}, []string{"b"})
	if got[0].Outcome != Skipped || got[1].Outcome != Hung || got[2].Outcome != Passed {
		t.Errorf("%+v", got)
	}
}
