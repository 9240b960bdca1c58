package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sample() *Report {
	return &Report{Version: "5:7.0.15", Made: time.Unix(0, 0), Commit: "abc", How: "make compat J=2", Files: []*FileReport{
		{File: "unit/none"},
		{File: "unit/scan", Verdicts: []Verdict{{Result: Result{Name: "a", Outcome: Passed}}, {Result: Result{Name: "b", Outcome: Failed}, Excuse: "why not"}}},
		{File: "unit/type/set", Verdicts: []Verdict{
			{Result: Result{Name: "c", Outcome: Passed}}, {Result: Result{Name: "d `x`", Outcome: Failed, Detail: "n error\nERR an error\n  while"}},
			{Result: Result{Name: "e", Outcome: NotRun}},
		}},
	}}
}

func TestMarkdown(t *testing.T) {
	text := sample().markdown()
	for _, want := range []string{
		"Made on 1970-01-01 00:00 UTC from commit abc by `make compat J=2`",
		"redis 5:7.0.15",
		"| unit/scan | 2 | 1 | 0 | 1 |\n",
		"| unit/type/set | 3 | 1 | 2 | 0 |\n",
		"| **unit/type** | 3 | 1 | 2 | 0 |\n",
		"| **all** | 5 | 2 | 2 | 1 |\n",
		"passes 40.0 %, and 33.3 % of unit/type",
		"why not (1):\n\n- `unit/scan: b`\n",
		"- `unit/type/set: d 'x'`: `ERR an error`\n",
		"- `unit/type/set: e`: `not run: an error before it ended its block`\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("without %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "unit/none") {
		t.Error("a file without tests has a row")
	}
}

func TestPercentIsRoundedDown(t *testing.T) {
	for want, c := range map[string]Counts{"99.9 %": {Real: 2000, Passed: 1999}, "100.0 %": {Real: 7, Passed: 7}, "-": {}, "0.0 %": {Real: 3}} {
		if got := percent(c); got != want {
			t.Errorf("%+v: %s, want %s", c, got, want)
		}
	}
}

func TestReplaceGenerated(t *testing.T) {
	got, err := replaceGenerated("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n", "new")
	if want := "before\n" + beginMark + "\n\nnew\n" + endMark + "\nafter\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", beginMark, endMark + beginMark} {
		if _, err := replaceGenerated(bad, "new"); err == nil {
			t.Errorf("%q has no place for it", bad)
		}
	}
}

func TestFinishTellsFailures(t *testing.T) {
	c := &config{dir: t.TempDir()}
	c.out = filepath.Join(c.dir, "doc.md")
	if err := os.WriteFile(c.out, []byte("# Title\n"+beginMark+endMark), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := finish(c, sample(), &out); err == nil || !strings.Contains(err.Error(), "2 tests") {
		t.Errorf("two failures: %v", err)
	}
	if doc, err := os.ReadFile(c.out); err != nil || !strings.Contains(string(doc), "unit/type/set") {
		t.Errorf("%s, %v", doc, err)
	}
	r := sample()
	r.Files = r.Files[:2]
	if err := finish(c, r, &out); err != nil {
		t.Errorf("all excused: %v", err)
	}
}

func TestBaselineIsOfItsVersion(t *testing.T) {
	name := filepath.Join(t.TempDir(), "baseline.json")
	b, err := loadBaseline(name, "1")
	if err != nil || !reflect.DeepEqual(b.missing([]string{"a", "b"}), []string{"a", "b"}) {
		t.Fatalf("%+v, %v", b, err)
	}
	b.Files["a"] = &FileRun{File: "a", Results: []Result{{Name: "t", Outcome: Passed}}}
	if err := b.save(name); err != nil {
		t.Fatal(err)
	}
	again, err := loadBaseline(name, "1")
	if err != nil || !reflect.DeepEqual(again, b) || !reflect.DeepEqual(again.missing([]string{"a", "b"}), []string{"b"}) {
		t.Errorf("%+v, %v", again, err)
	}
	if other, err := loadBaseline(name, "2"); err != nil || len(other.Files) > 0 {
		t.Errorf("of another version: %+v, %v", other, err)
	}
}
