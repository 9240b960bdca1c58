package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

type violation = workload.Violation

// pictures bounds how many histories are drawn.
const pictures = 5

// measure takes what the report tells from the round's parts.
func (r *round) measure() {
	r.result.Counts = r.env.Answers.Counts()
	r.result.Entries = r.auditor.Entries()
	r.result.Epochs = len(r.auditor.Epochs())
	r.result.MaxHead = r.auditor.MaxHead()
	unknowns := r.env.Answers.Unknowns()
	for i := range r.result.Faults {
		f := &r.result.Faults[i]
		for _, at := range unknowns {
			if at >= f.At && at <= f.End {
				f.Unknown++
			}
		}
	}
}

// leave keeps or removes what the round has left in its folder: all of it when
// something was found or could not be judged, the result alone otherwise.
func (r *round) leave(failed error) error {
	if failed == nil && !r.keep {
		return os.RemoveAll(r.dir)
	}
	var errs []error
	b, err := json.MarshalIndent(r.result, "", "  ")
	errs = append(errs, err, os.WriteFile(filepath.Join(r.dir, "result.json"), append(b, '\n'), 0o644))
	if r.env != nil {
		errs = append(errs, r.draw())
	}
	// Servers' data can be large and is of no use without the servers.
	errs = append(errs, r.onlyLogs())
	return errors.Join(errs...)
}

// draw writes porcupine's pages of the histories that cannot be explained.
func (r *round) draw() error {
	var errs []error
	kept, _ := r.env.List()
	n := 0
	for _, v := range kept {
		if v.Picture == nil || n == pictures {
			continue
		}
		n++
		errs = append(errs, v.Picture(filepath.Join(r.dir, fmt.Sprintf("history-%d-%s.html", n, v.Workload))))
	}
	return errors.Join(errs...)
}

// onlyLogs moves the processes' logs to the round's folder and removes the rest
// of their files.
func (r *round) onlyLogs() error {
	processes := filepath.Join(r.dir, "processes")
	var errs []error
	err := filepath.WalkDir(processes, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".log") && !strings.Contains(path, "member") {
			errs = append(errs, os.Rename(path, filepath.Join(r.dir, d.Name())))
		}
		return err
	})
	return errors.Join(append(errs, err, os.RemoveAll(processes))...)
}
