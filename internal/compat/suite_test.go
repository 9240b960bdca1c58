package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestUnitFiles(t *testing.T) {
	got := unitFiles("unit/dump\nunit/type/list\nintegration/aof\n\nunit/cluster/misc\n")
	if want := []string{"unit/dump", "unit/type/list", "unit/cluster/misc"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

// An edit that does not find its one place says so: the suite would go on as it is.
func TestEditNeedsItsPlace(t *testing.T) {
	dir := t.TempDir()
	e := edit{file: "a.tcl", old: "one\n", new: "two\n"}
	for text, want := range map[string]string{"x\none\ny\n": "x\ntwo\ny\n", "x\n": "", "one\none\n": ""} {
		name := filepath.Join(dir, "a.tcl")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := e.apply(dir)
		got, _ := os.ReadFile(name)
		if (err == nil) != (want != "") || err == nil && string(got) != want {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, bad := range []string{"-j 0", "-stall 1ms", "extra", "-only [", "-nosuch"} {
		if _, err := parseFlags(strings.Fields(bad), io.Discard); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	c, err := parseFlags([]string{"-only", "unit/type/*,unit/scan"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.chosen([]string{"unit/scan", "unit/dump", "unit/type/set"})
	if err != nil || !reflect.DeepEqual(got, []string{"unit/scan", "unit/type/set"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.chosen([]string{"unit/type/set"}); err == nil {
		t.Error("a pattern without a file is accepted")
	}
}

// The suite starts processes of its own: they end with it, and with the time that
// it has.
func TestRunGroupEndsAll(t *testing.T) {
	output := filepath.Join(t.TempDir(), "made", "out.txt")
	out, err := runGroup(t.Context(), t.TempDir(), output, "sh", "-c", "sleep 1000 & echo $!; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "the child is gone", func(context.Context) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return fmt.Errorf("%s", stat)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	out, err = runGroup(ctx, t.TempDir(), output, "sh", "-c", "echo before; sleep 1000 & wait")
	if err != nil || !strings.Contains(out, "before") || !strings.Contains(out, "[exception]") {
		t.Errorf("out of time: %q, %v", out, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := runGroup(ctx, t.TempDir(), output, "sh", "-c", "echo"); err == nil {
		t.Error("a run that was given up is no result")
	}
}
