package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Program is the TB of a program that is no test. It is safe for concurrent use.
//
// Fatalf panics, as a goroutine of a program has nobody to end it quietly: what
// may call it runs within Catch, which turns the panic into an error. What the
// program started ends with Close; the directories it was given stay.
type Program struct {
	name string
	dir  string
	log  io.Writer

	mu       sync.Mutex
	dirs     int
	failed   bool
	cleanups []func()
}

var _ TB = (*Program)(nil)

// fatal is what Fatalf panics with.
type fatal struct{ message string }

// NewProgram returns a TB that makes its temporary directories below dir and logs
// to stderr.
func NewProgram(name, dir string) *Program {
	return &Program{name: name, dir: dir, log: os.Stderr}
}

// Helper does nothing: a program's log names no lines.
func (p *Program) Helper() {}

// Name returns the program's name.
func (p *Program) Name() string { return p.name }

// TempDir returns a fresh directory.
func (p *Program) TempDir() string {
	p.mu.Lock()
	p.dirs++
	dir := filepath.Join(p.dir, fmt.Sprintf("%03d", p.dirs))
	p.mu.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.Fatalf("%v", err)
	}
	return dir
}

// Cleanup has fn called by Close.
func (p *Program) Cleanup(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, fn)
}

// Failed tells whether Fail, Errorf or Fatalf was ever called.
func (p *Program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// Fail notes that the program has failed: servers then leave the end of their
// output when they are ended.
func (p *Program) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = true
}

// Logf writes a line to stderr.
func (p *Program) Logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.log, format+"\n", args...)
}

// Errorf is Logf and Fail.
func (p *Program) Errorf(format string, args ...any) {
	p.Fail()
	p.Logf(format, args...)
}

// Fatalf is Fail and a panic, which Catch of the same goroutine ends.
func (p *Program) Fatalf(format string, args ...any) {
	p.Fail()
	panic(fatal{fmt.Sprintf(format, args...)})
}

// Catch calls fn and returns its error, or what its Fatalf said.
func (p *Program) Catch(fn func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case fatal:
			err = errors.New(v.message)
		default:
			panic(v)
		}
	}()
	return fn()
}

// Close calls what Cleanup was given, newest first. A clean-up that fails does
// not keep the others from their turn. The Program may be used again.
func (p *Program) Close() {
	for {
		p.mu.Lock()
		cleanups := p.cleanups
		p.cleanups = nil
		p.mu.Unlock()
		if len(cleanups) == 0 {
			return
		}
		for _, fn := range slices.Backward(cleanups) {
			if err := p.Catch(func() error { fn(); return nil }); err != nil {
				p.Logf("%v", err)
			}
		}
	}
}
