package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// newProgram returns a Program whose log can be read.
func newProgram(t *testing.T) (*Program, *bytes.Buffer) {
	t.Helper()
	p, log := NewProgram("prog", t.TempDir()), &bytes.Buffer{}
	p.log = log
	return p, log
}

func TestProgramCatch(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		fn     func(p *Program) error
		want   string
		failed bool
	}{
		{"success", func(*Program) error { return nil }, "", false},
		{"error", func(*Program) error { return broken }, "broken", false},
		{"Errorf", func(p *Program) error { p.Errorf("bad %d", 1); return nil }, "", true},
		{"Fatalf", func(p *Program) error { p.Fatalf("bad %d", 2); return broken }, "bad 2", true},
		{"nested", func(p *Program) error {
			if err := p.Catch(func() error { p.Fatalf("inner"); return nil }); err == nil {
				return errors.New("Catch dropped a Fatalf")
			}
			return nil
		}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := newProgram(t)
			got := ""
			if err := p.Catch(func() error { return c.fn(p) }); err != nil {
				got = err.Error()
			}
			if got != c.want || p.Failed() != c.failed {
				t.Errorf("error %q, failed %v; want %q, %v", got, p.Failed(), c.want, c.failed)
			}
		})
	}
}

func TestProgramCatchesOnlyFatalf(t *testing.T) {
	p, _ := newProgram(t)
	defer func() {
		if v := recover(); v != "a bug" {
			t.Errorf("recovered %v", v)
		}
	}()
	_ = p.Catch(func() error { panic("a bug") })
}

func TestProgramClose(t *testing.T) {
	p, log := newProgram(t)
	var order []string
	note := func(s string) func() { return func() { order = append(order, s) } }
	p.Cleanup(note("first"))
	p.Cleanup(func() { p.Cleanup(note("added by a clean-up")) })
	p.Cleanup(func() { p.Fatalf("cannot clean up") })
	p.Cleanup(note("last"))
	p.Close()
	p.Close()
	if want := []string{"last", "first", "added by a clean-up"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
	if !p.Failed() || !strings.Contains(log.String(), "cannot clean up") {
		t.Errorf("failed %v, log %q", p.Failed(), log)
	}
	p.Cleanup(note("after Close"))
	p.Close()
	if !slices.Contains(order, "after Close") {
		t.Error("a Program that was closed cleans up no more")
	}
}

func TestProgramFromManyGoroutines(t *testing.T) {
	p, log := newProgram(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	dirs, cleaned := make(map[string]bool), 0
	const n = 20
	for i := range n {
		wg.Go(func() {
			dir := p.TempDir()
			p.Cleanup(func() { cleaned++ })
			p.Logf("line %d", i)
			if err := p.Catch(func() error { p.Fatalf("%d", i); return nil }); err == nil || err.Error() != fmt.Sprint(i) {
				t.Errorf("goroutine %d caught %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			dirs[dir] = true
		})
	}
	wg.Wait()
	p.Close()
	if len(dirs) != n || cleaned != n || strings.Count(log.String(), "\n") != n {
		t.Errorf("%d directories, %d clean-ups, log %q; want %d of each", len(dirs), cleaned, log, n)
	}
	for dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestProgramEndsItsProcesses(t *testing.T) {
	p, log := newProgram(t)
	proc := Start(p, Command{Name: "sleep", Path: "/bin/sh", Args: []string{"-c", "echo noise; exec sleep 1000"}})
	Eventually(t, 10*time.Second, "the first output", logCount(proc, "noise", 1))
	p.Fail()
	p.Close()
	if proc.Running() {
		t.Error("runs after Close")
	}
	if !strings.Contains(log.String(), "noise") {
		t.Errorf("a failed program must show the output, got %q", log)
	}
}
