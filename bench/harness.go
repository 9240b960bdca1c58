package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// harness is the testenv.TB of a program: its servers live in directories below
// dir and end with close.
type harness struct {
	dir      string
	dirs     int
	cleanups []func()
	failed   bool
}

var _ testenv.TB = (*harness)(nil)

// fatal is what Fatalf panics with; only catch recovers it.
type fatal struct{ message string }

func (h *harness) Helper()           {}
func (h *harness) Name() string      { return "bench" }
func (h *harness) Failed() bool      { return h.failed }
func (h *harness) Cleanup(fn func()) { h.cleanups = append(h.cleanups, fn) }

func (h *harness) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (h *harness) Errorf(format string, args ...any) {
	h.failed = true
	h.Logf(format, args...)
}

func (h *harness) Fatalf(format string, args ...any) {
	h.failed = true
	panic(fatal{fmt.Sprintf(format, args...)})
}

func (h *harness) TempDir() string {
	h.dirs++
	dir := filepath.Join(h.dir, fmt.Sprintf("%03d", h.dirs))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.Fatalf("%v", err)
	}
	return dir
}

// catch calls fn and returns what its Fatalf said.
func (h *harness) catch(fn func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case fatal:
			err = fmt.Errorf("%s", v.message)
		default:
			panic(v)
		}
	}()
	return fn()
}

// close undoes everything, newest first.
func (h *harness) close() {
	cleanups := h.cleanups
	h.cleanups = nil
	for _, fn := range slices.Backward(cleanups) {
		fn()
	}
}
