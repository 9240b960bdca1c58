package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Report is the whole of what was run.
type Report struct {
	Version string // of the suite's Debian package
	Made    time.Time
	Commit  string // of Redoubt
	How     string // the command that made it
	Files   []*FileReport
}

// total sums the files whose names begin with prefix.
func (r *Report) total(prefix string) Counts {
	var c Counts
	for _, f := range r.Files {
		if strings.HasPrefix(f.File, prefix) {
			c.add(f.counts())
		}
	}
	return c
}

func percent(c Counts) string {
	if c.Real == 0 {
		return "-"
	}
	// Rounded down: 100 % means all.
	return fmt.Sprintf("%.1f %%", float64(1000*c.Passed/c.Real)/10)
}

// markdown is the generated part of docs/COMPATIBILITY.md.
func (r *Report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made on %s from commit %s by `%s`, with Redis's own tests from the Debian source\npackage of redis %s.\n\n",
		r.Made.UTC().Format("2006-01-02 15:04 MST"), r.Commit, r.How, r.Version)
	b.WriteString("| file | redis-server passes | Redoubt passes | fails | not applicable |\n|---|--:|--:|--:|--:|\n")
	row := func(name string, c Counts) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name, c.Real, c.Passed, c.Failed, c.Excused)
	}
	for _, f := range r.Files {
		if c := f.counts(); c.Real > 0 {
			row(f.File, c)
		}
	}
	row("**unit/type**", r.total("unit/type/"))
	row("**all**", r.total(""))
	types, all := r.total("unit/type/"), r.total("")
	fmt.Fprintf(&b, "\nOf what redis-server passes, Redoubt passes %s, and %s of unit/type.\n", percent(all), percent(types))
	r.writeExcused(&b)
	r.writeFailed(&b)
	return b.String()
}

// writeExcused lists the reasons with their tests.
func (r *Report) writeExcused(b *strings.Builder) {
	tests := map[string][]string{}
	for _, f := range r.Files {
		for _, v := range f.Verdicts {
			if v.Outcome != Passed && v.Excuse != "" {
				tests[v.Excuse] = append(tests[v.Excuse], f.File+": "+v.Name)
			}
		}
	}
	if len(tests) == 0 {
		return
	}
	b.WriteString("\n### Not applicable, and why\n")
	for _, reason := range sortedKeys(tests) {
		fmt.Fprintf(b, "\n%s (%d):\n\n", reason, len(tests[reason]))
		for _, t := range tests[reason] {
			fmt.Fprintf(b, "- %s\n", code(t))
		}
	}
}

func (r *Report) writeFailed(b *strings.Builder) {
	if r.total("").Failed == 0 {
		return
	}
	b.WriteString("\n### Failures\n\n")
	for _, f := range r.Files {
		for _, v := range f.Verdicts {
			if v.Outcome != Passed && v.Excuse == "" {
				fmt.Fprintf(b, "- %s: %s\n", code(f.File+": "+v.Name), code(v.line()))
			}
		}
	}
}

// line is what went wrong, in one line.
func (v *Verdict) line() string {
	if v.Outcome == NotRun {
		return "not run: an error before it ended its block"
	}
	if v.Detail == "" {
		return string(v.Outcome)
	}
	return firstLine(v.Detail)
}

// firstLine is what an error says. The suite cuts ten bytes off all errors for
// the sake of assertions, and repeats other errors whole in the next line.
func firstLine(detail string) string {
	first, rest, _ := strings.Cut(detail, "\n")
	if second, _, _ := strings.Cut(rest, "\n"); len(second) > len(first) && strings.HasSuffix(second, first) {
		first = second
	}
	return shorten(first)
}

// shorten keeps a line readable; some tests compare values of kilobytes.
func shorten(line string) string {
	if runes := []rune(line); len(runes) > 200 {
		return string(runes[:200]) + "..."
	}
	return line
}

// code makes text a code span of one bounded line.
func code(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == '`' {
			return '\''
		}
		return r
	}, text)
	return "`" + strings.TrimSpace(shorten(text)) + "`"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Marks of the generated part of a Markdown file.
const (
	beginMark = "<!-- begin: make compat -->"
	endMark   = "<!-- end: make compat -->"
)

// replaceGenerated puts text between the marks of a document.
func replaceGenerated(document, text string) (string, error) {
	before, rest, ok := strings.Cut(document, beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return "", fmt.Errorf("it has no part between %s and %s", beginMark, endMark)
	}
	return before + beginMark + "\n\n" + text + "\n" + endMark + after, nil
}

func updateDocument(name, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	next, err := replaceGenerated(string(old), text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, []byte(next), 0o644)
}
