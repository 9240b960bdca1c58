package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// asAgent makes the test's program an agent on the directory that it names, which starts
// one node of its own version after its program was replaced.
const asAgent = "AGENT_TEST_REPLACED"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) == "" {
		os.Exit(m.Run())
	}
	if len(os.Args) > 1 && os.Args[1] == "node" {
		os.Stdout.WriteString("the build of the agent, listed as " + os.Args[0] + "\n")
		return
	}
	if err := startReplaced(os.Getenv(asAgent)); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// startReplaced is that agent.
func startReplaced(program string) error {
	engines, err := OwnEngine("v1")
	if err != nil {
		return err
	}
	if err := os.Rename(program+".new", program); err != nil {
		return err
	}
	address, port, err := net.SplitHostPort(os.Args[2])
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	h := &host{
		dir: os.Args[1], engines: engines, log: slog.New(slog.DiscardHandler),
		site: site{AZ: "a", Address: address, Bind: address, FirstPort: number, LastPort: number},
	}
	p, err := h.Start(h.step("v1"))
	if err != nil {
		return err
	}
	if exit, ended := p.Wait(context.Background()); !ended || exit.Code != 0 {
		return fmt.Errorf("the node ended so: %+v", exit)
	}
	return nil
}

// TestReplacedProgram: an agent whose program was replaced goes on starting nodes with
// the build that it is of, under that build's version.
func TestReplacedProgram(t *testing.T) {
	t.Parallel()
	h := testHost(t)
	program := filepath.Join(t.TempDir(), "redoubt")
	own, err := os.Executable()
	must(t, err)
	// Not written by this process: another test's child would have the file open, too, and
	// what is open for writing cannot be run.
	must(t, exec.Command("cp", own, program).Run())
	must(t, os.WriteFile(program+".new", []byte("#!/bin/sh\necho another build\n"), 0o755))
	agent := exec.Command(program, h.dir, h.site.listen(h.step("").assignment))
	agent.Env = append(os.Environ(), asAgent+"="+program)
	output, err := agent.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if log, err := os.ReadFile(h.folder("n1").log()); err != nil || string(log) != "the build of the agent, listed as "+program+"\n" {
		t.Fatalf("the node says %q, %v", log, err)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, other := filepath.Join(dir, "redoubt"), filepath.Join(dir, "other")
	now := time.Now()
	for _, f := range []string{file, other} {
		must(t, os.WriteFile(f, []byte("v1"), 0o755))
		must(t, os.Chtimes(f, now, now))
	}
	was, err := os.Stat(file)
	must(t, err)
	must(t, unchanged(file, was))
	refused := func(how string) {
		t.Helper()
		if err := unchanged(file, was); err == nil || !strings.Contains(err.Error(), "the program was replaced since this agent started: "+file) {
			t.Errorf("%s: %v", how, err)
		}
	}
	must(t, os.Chtimes(file, now, now.Add(time.Second)))
	refused("written again")
	must(t, os.Chtimes(file, now, now))
	must(t, unchanged(file, was))
	must(t, os.Rename(other, file))
	refused("another file, as large and as old")
	must(t, os.Remove(file))
	refused("gone")
}

func TestProgram(t *testing.T) {
	t.Parallel()
	h := testHost(t)
	path, name, err := h.engines.Program("deaf")
	if want := filepath.Join(h.engines.Dir, "deaf"); err != nil || path != want || name != want {
		t.Errorf("of a directory: %s, listed as %s, %v", path, name, err)
	}
	given := Engines{Own: "/nowhere", OwnVersion: "devel"}
	if path, name, err := given.Program("devel"); err != nil || path != "/nowhere" || name != path {
		t.Errorf("of a given program: %s, listed as %s, %v", path, name, err)
	}
	own, err := OwnEngine("v1")
	must(t, err)
	if all, err := own.List(); err != nil || !slices.Equal(all, []string{"v1"}) {
		t.Errorf("own versions: %v, %v", all, err)
	}
	if path, name, err := own.Program("v1"); err != nil || path != selfProgram || name != own.Own {
		t.Errorf("own: %s, listed as %s, %v", path, name, err)
	}
}
