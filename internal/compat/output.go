package main

import (
	"regexp"
	"strings"
)

// Outcome is what became of one test.
type Outcome string

// The outcomes. The suite itself says the first four.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped" // by --skiptest
	Ignored Outcome = "ignored" // by its tags
	Hung    Outcome = "hung"
	NotRun  Outcome = "not run" // its file ended before
)

// Result is one test of a file. Number tells tests of one name apart.
type Result struct {
	Name    string
	Number  int `json:",omitempty"`
	Outcome Outcome
	Detail  string `json:",omitempty"` // of a failure: the error, all lines
}

// Log is what one process of the suite has said about its file.
type Log struct {
	Results []Result
	Aborts  []string // errors outside of tests: the rest of a block or file did not run
	Hanging string   // the test that --timeout ended
	Done    bool     // the file ran to its end
}

var (
	escapes   = regexp.MustCompile("\x1b\\[[0-9;]*m")
	statement = regexp.MustCompile(`^\[(ok|err|skip|ignore|exception|TIMEOUT|\d+/\d+ done)\]:? ?(.*)$`)
	elapsed   = regexp.MustCompile(` \(\d+ ms\)$`)
	ignored   = regexp.MustCompile(`^(.*): (Tag: .*|Not supported .*|large memory flag not provided)$`)
	busy      = regexp.MustCompile(`^sock\w+ => \((IN PROGRESS|OK|ERR)\) (.*)$`)
)

// parseOutput reads the output of a run of one file.
func parseOutput(file, output string) *Log {
	l := &Log{}
	seen := map[string]int{}
	add := func(name string, o Outcome, detail string) {
		l.Results = append(l.Results, Result{Name: name, Number: seen[name], Outcome: o, Detail: detail})
		seen[name]++
	}
	lines := strings.Split(escapes.ReplaceAllString(output, ""), "\n")
	timedOut := false
	for i := 0; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) == "The End" {
			break // what follows repeats
		}
		if b := busy.FindStringSubmatch(lines[i]); timedOut && b != nil {
			if b[1] == "IN PROGRESS" {
				l.Hanging = b[2]
			}
			continue
		}
		m := statement.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		text := m[2]
		switch m[1] {
		case "ok":
			add(elapsed.ReplaceAllString(text, ""), Passed, "")
		case "skip":
			add(text, Skipped, "")
		case "ignore":
			if i := ignored.FindStringSubmatch(text); i != nil { // otherwise a block without a name
				add(i[1], Ignored, i[2])
			}
		case "err", "exception":
			detail := []string{}
			for i+1 < len(lines) && !statement.MatchString(lines[i+1]) && strings.TrimSpace(lines[i+1]) != "The End" {
				i++
				detail = append(detail, lines[i])
			}
			name, ok := strings.CutSuffix(text, " in tests/"+file+".tcl")
			if ok && m[1] == "err" {
				add(name, Failed, strings.TrimSpace(strings.Join(detail, "\n")))
			} else {
				l.Aborts = append(l.Aborts, strings.TrimSpace(text+"\n"+strings.Join(detail, "\n")))
			}
		case "TIMEOUT":
			timedOut = true
		default:
			l.Done = true
		}
	}
	return l
}
