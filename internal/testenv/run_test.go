package testenv

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	sh := func(script string) Command {
		return Command{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"WORD=hello"}, Forbid: []string{"panic:"}}
	}
	for _, c := range []struct {
		name   string
		cmd    Command
		output string
		code   int
		err    string
	}{
		{"output of both kinds", sh("echo $WORD; echo aside >&2"), "hello\naside\n", 0, ""},
		{"exit code", sh("exit 7"), "", 7, ""},
		{"signal", sh("kill -9 $$"), "", -1, ""},
		{"forbidden output", sh("echo panic: oh"), "panic: oh\n", 0, `"panic:" in the output of sh`},
		{"no such program", Command{Name: "none", Path: "/no/such/program"}, "", -1, "run none: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code, err := Run(t.Context(), c.cmd)
			if out != c.output || code != c.code {
				t.Errorf("wrote %q, exit code %d; want %q, %d", out, code, c.output, c.code)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, enough)
	defer cancel()
	_, code, err := Run(ctx, Command{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}})
	if code != -1 || !errors.Is(err, enough) {
		t.Errorf("exit code %d, error %v", code, err)
	}
}

func TestAwait(t *testing.T) {
	tries := 0
	err := Await(t.Context(), "three tries", func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("too few")
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	grounded := errors.New("on the ground")
	err = Await(ctx, "pigs fly", func(context.Context) error { return grounded })
	if !errors.Is(err, grounded) || !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "waited until pigs fly: ") {
		t.Errorf("%v", err)
	}
}
