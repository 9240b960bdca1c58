package testenv

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// fakeTB records what a test would have reported.
type fakeTB struct {
	dir      string
	cleanups []func()
	errors   []string
	logs     []string
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Name() string      { return "fake" }
func (f *fakeTB) TempDir() string   { return f.dir }
func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) Failed() bool      { return f.errors != nil }

func (f *fakeTB) Logf(format string, args ...any) {
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run calls fn as a test of its own, which a Fatalf ends.
func (f *fakeTB) run(fn func()) {
	var wg sync.WaitGroup
	wg.Go(fn)
	wg.Wait()
}

func (f *fakeTB) cleanup() {
	for _, fn := range slices.Backward(f.cleanups) {
		fn()
	}
}
