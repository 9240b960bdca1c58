package main

import "path"

// difference is a test that the real server passes and Redoubt does not, known
// and with its reason.
type difference struct {
	file   string // of the suite; path.Match's patterns
	test   string // its name, or "*" for all of the file
	reason string
	// needs is a command, "config" or "client|tracking", in whose absence the test
	// cannot pass; once Redoubt has it the entry counts no more.
	needs string
	// skip: do not even run it, it would end the server or take minutes.
	skip bool
}

// applies tells whether the difference is one of the test, as things stand.
func (d *difference) applies(file, test string, has func(command string) bool) bool {
	ok, _ := path.Match(d.file, file)
	return ok && (d.test == "*" || d.test == test) && (d.needs == "" || !has(d.needs))
}

// Excuses say which failures are known, for a server with some commands.
type Excuses struct {
	differences []difference
	has         func(command string) bool // whether the server has a command
}

// known is why a test of a file need not pass; "" when it must.
func (e *Excuses) known(file, test string) string {
	for _, d := range e.differences {
		if d.applies(file, test, e.has) {
			if d.needs != "" {
				return notBuilt(d.needs)
			}
			return d.reason
		}
	}
	return ""
}

// skipped are the tests of a file that are not to be run; all when the
// whole file is pointless.
func (e *Excuses) skipped(file string) (tests []string, all bool) {
	for _, d := range e.differences {
		if !d.applies(file, d.test, e.has) {
			continue
		}
		switch {
		case d.test == "*":
			return nil, true
		case d.skip:
			tests = append(tests, d.test)
		}
	}
	return tests, false
}
