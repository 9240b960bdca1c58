package main

import "strings"

// Verdict is one test that the real server passes, as Redoubt does it.
type Verdict struct {
	Result
	Excuse string // why a failure is not counted as one; "" when it is
}

// FileReport is one file of the suite, judged.
type FileReport struct {
	File     string
	Verdicts []Verdict
	Aborts   []string
	Stale    []string // tests with a known difference that pass
	Seconds  float64
}

type testKey struct {
	name   string
	number int
}

// judge compares what Redoubt did with what the real server passes.
func judge(real, ours *FileRun, excuses *Excuses) *FileReport {
	r := &FileReport{File: real.File, Aborts: ours.Aborts, Seconds: ours.Seconds}
	did := map[testKey]Result{}
	for _, t := range ours.Results {
		did[testKey{t.Name, t.Number}] = t
	}
	for _, want := range real.Results {
		if want.Outcome != Passed {
			continue
		}
		got, ok := did[testKey{want.Name, want.Number}]
		if !ok {
			got = Result{Name: want.Name, Number: want.Number, Outcome: NotRun}
		}
		v := Verdict{Result: got}
		known := excuses.known(real.File, want.Name)
		switch {
		case got.Outcome != Passed && known != "":
			v.Excuse = known
		case got.Outcome != Passed:
			v.Excuse = excuses.missing(got.Detail)
			if v.Excuse == "" && got.Outcome == NotRun {
				// What ended the block ended this test.
				v.Excuse = excuses.missing(strings.Join(ours.Aborts, "\n"))
			}
		case known != "":
			r.Stale = append(r.Stale, want.Name)
		}
		r.Verdicts = append(r.Verdicts, v)
	}
	return r
}

// Counts are the numbers of a report's row.
type Counts struct {
	Real, Passed, Failed, Excused int // of Real, what the real server passes
}

func (c *Counts) add(o Counts) {
	c.Real += o.Real
	c.Passed += o.Passed
	c.Failed += o.Failed
	c.Excused += o.Excused
}

func (r *FileReport) counts() Counts {
	c := Counts{Real: len(r.Verdicts)}
	for _, v := range r.Verdicts {
		switch {
		case v.Outcome == Passed:
			c.Passed++
		case v.Excuse != "":
			c.Excused++
		default:
			c.Failed++
		}
	}
	return c
}
