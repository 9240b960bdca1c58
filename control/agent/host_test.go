//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// testHost has engines that are shell scripts:
//
//	sleeper   writes "up" and does nothing
//	deaf      the same, and does not heed SIGTERM
//	failing   writes "no luck" and ends with code 7
func testHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	engines := filepath.Join(dir, "engines")
	must(t, os.MkdirAll(engines, 0o700))
	for name, script := range map[string]string{
		"sleeper": "echo up; exec sleep 1000",
		"deaf":    "trap '' TERM; echo up; exec sleep 1000", // what is ignored stays so over exec
		"failing": "echo no luck >&2; exit 7",
	} {
		must(t, os.WriteFile(filepath.Join(engines, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	port := testenv.FreePort(t)
	h := &host{
		dir: filepath.Join(dir, "nodes"), engines: Engines{Dir: engines}, logs: logs{size: 1 << 20, keep: 2}, log: slog.New(slog.DiscardHandler),
		site: site{AZ: "a", Address: "127.0.0.1", Bind: "127.0.0.1", FirstPort: port, LastPort: port},
	}
	t.Cleanup(func() {
		all, err := h.Find()
		must(t, err)
		for _, l := range all {
			if l.process != nil {
				must(t, l.process.Signal(syscall.SIGKILL))
				ended(t, l.process)
			}
		}
	})
	return h
}

func (h *host) step(engine string) step {
	return step{verb: start, node: "n1", starts: 3, assignment: fleet.Assignment{
		Node: "n1", Cluster: "c", Engine: engine, Port: h.site.FirstPort, Generation: 5,
		Parameters: map[string]string{"requirepass": "geheim"},
	}}
}

// up starts a node and returns when it has come so far that it heeds signals.
func (h *host) up(t *testing.T, engine string) process {
	t.Helper()
	p, err := h.Start(h.step(engine))
	must(t, err)
	testenv.Eventually(t, 10*time.Second, "the process to be up", func(context.Context) error {
		if b, _ := os.ReadFile(h.folder("n1").log()); !strings.Contains(string(b), "up") {
			return errors.New(string(b))
		}
		return nil
	})
	return p
}

func ended(t *testing.T, p process) fleet.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // also in Cleanup
	defer cancel()
	exit, ok := p.Wait(ctx)
	if !ok {
		t.Fatal("it has not ended")
	}
	return exit
}

func runs(t *testing.T, p process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if exit, ok := p.Wait(ctx); ok {
		t.Fatalf("it has ended: %+v", exit)
	}
}

// find is what another agent on the same directory finds of n1.
func (h *host) find(t *testing.T) left {
	t.Helper()
	all, err := h.Find()
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("found %v", all)
	}
	return all["n1"]
}

func TestHostProcess(t *testing.T) {
	h := testHost(t)
	if all, err := h.Find(); err != nil || len(all) > 0 {
		t.Fatalf("in no folder: %v, %v", all, err)
	}
	p := h.up(t, "sleeper")
	runs(t, p)
	if _, err := h.Start(h.step("sleeper")); !errors.Is(err, errRuns) {
		t.Fatalf("second start: %v", err)
	}
	if err := h.Remove("n1"); !errors.Is(err, errRuns) {
		t.Fatalf("removal: %v", err)
	}
	if sid, err := sessionOf(p.PID()); err != nil || sid != p.PID() {
		t.Fatalf("session %d of process %d, %v", sid, p.PID(), err)
	}
	must(t, p.Signal(syscall.SIGTERM))
	if exit := ended(t, p); exit.Signal != "SIGTERM" || exit.Code != -1 || !slices.Equal(exit.Log, []string{"up"}) {
		t.Fatalf("%+v", exit)
	}
	must(t, p.Signal(syscall.SIGKILL)) // nothing
	if again := ended(t, p); again.Signal != "SIGTERM" {
		t.Fatalf("asked again: %+v", again)
	}
	l := h.find(t)
	if l.process != nil || l.starts != 3 || l.launched.Generation != 5 {
		t.Fatalf("after its end %+v", l)
	}
	must(t, h.Remove("n1"))
	must(t, h.Remove("n1"))
	if _, err := os.Stat(string(h.folder("n1"))); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}

	p, err := h.Start(h.step("failing"))
	must(t, err)
	if exit := ended(t, p); exit.Code != 7 || exit.Signal != "" || !slices.Equal(exit.Log, []string{"no luck"}) {
		t.Fatalf("%+v", exit)
	}
}

func sessionOf(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var state string
	var ppid, group, session int
	_, err = fmt.Sscan(string(b[strings.LastIndexByte(string(b), ')')+1:]), &state, &ppid, &group, &session)
	return session, err
}

func TestHostAdopts(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, f folder){
		"as it was left": func(*testing.T, folder) {},
		"no pid file":    func(t *testing.T, f folder) { must(t, os.Remove(f.pid())) },
		"half a pid":     func(t *testing.T, f folder) { must(t, os.WriteFile(f.pid(), []byte(`{"pi`), 0o600)) },
		"no launch file": func(t *testing.T, f folder) { must(t, os.Remove(f.launch())) },
		"a pid that became another's": func(t *testing.T, f folder) {
			var p pidFile
			must(t, readJSON(f.pid(), &p))
			p.PID = bystander(t)
			p.Birth.Ticks-- // the bystander may have begun in the same one
			must(t, f.writeJSON("pid", p))
		},
		"a pid of before the machine was started": func(t *testing.T, f folder) {
			var p pidFile
			must(t, readJSON(f.pid(), &p))
			p.PID = bystander(t)
			p.Birth = birthOf(p.PID)
			p.Birth.Boot = "another"
			must(t, f.writeJSON("pid", p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := testHost(t)
			p := h.up(t, "deaf")
			damage(t, h.folder("n1"))
			l := h.find(t)
			if l.process == nil || l.process.PID() != p.PID() || l.launched == nil || !l.stopping.IsZero() {
				t.Fatalf("found %+v, process %d runs", l, p.PID())
			}
			runs(t, l.process)
			must(t, l.process.Signal(syscall.SIGTERM))
			if again := h.find(t); again.stopping.IsZero() {
				t.Fatal("that it was asked to stop is not known any more")
			}
			must(t, l.process.Signal(syscall.SIGKILL))
			if exit := ended(t, l.process); exit.Code != -1 || exit.Signal != "" {
				t.Fatalf("exit of what another one started: %+v", exit)
			}
			if exit := ended(t, p); exit.Signal != "SIGKILL" {
				t.Fatalf("%+v", exit)
			}
			if l := h.find(t); l.process != nil {
				t.Fatalf("found %+v", l)
			}
		})
	}
}

// bystander is a process that is none of the agent's business: it must live on.
func bystander(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	must(t, cmd.Start())
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("the bystander: %v", err)
		}
		must(t, cmd.Process.Kill())
		if state, err := cmd.Process.Wait(); err != nil || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("the bystander: %v, %v", state, err)
		}
	})
	return cmd.Process.Pid
}

func TestHostCannotStart(t *testing.T) {
	h := testHost(t)
	for name, c := range map[string]struct {
		change func(*fleet.Assignment)
		want   string
	}{
		"engine":    {func(a *fleet.Assignment) { a.Engine = "v0" }, `no such engine: version "v0", this host has deaf, failing, sleeper`},
		"path":      {func(a *fleet.Assignment) { a.Engine = "../nodes/n1/x" }, "no such engine"},
		"port":      {func(a *fleet.Assignment) { a.Port++ }, "is not one of this host's"},
		"name":      {func(a *fleet.Assignment) { a.Node = ".." }, "must not begin with a dot"},
		"cluster":   {func(a *fleet.Assignment) { a.Cluster = "a b" }, "is not a letter"},
		"parameter": {func(a *fleet.Assignment) { a.Parameters = map[string]string{"listen": "0.0.0.0:1"} }, "listen is no parameter"},
	} {
		s := h.step("sleeper")
		c.change(&s.assignment)
		if _, err := h.Start(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	l, err := net.Listen("tcp", h.site.listen(h.step("").assignment))
	must(t, err)
	defer l.Close()
	if _, err := h.Start(h.step("sleeper")); err == nil || !strings.Contains(err.Error(), "its port is not free") {
		t.Error(err)
	}
	if err := h.Remove(".."); err == nil {
		t.Error("removed the folder of all nodes")
	}
}

func TestHostWritesSecretsForItselfAlone(t *testing.T) {
	h := testHost(t)
	s := h.step("sleeper")
	s.assignment.TLS = &fleet.TLS{Certificate: "cert", Key: "key", CA: "ca"}
	p, err := h.Start(s)
	must(t, err)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID()))
	must(t, err)
	if strings.Contains(string(line), "geheim") {
		t.Errorf("command line %q", line)
	}
	for name, want := range map[string]string{"node.yaml": "requirepass: geheim\n", "tls/key.pem": "key", "tls/cert.pem": "cert", "launch.json": `"geheim"`, "log": ""} {
		path := h.folder("n1").path(name)
		info, err := os.Stat(path)
		must(t, err)
		b, err := os.ReadFile(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 || !strings.Contains(string(b), want) {
			t.Errorf("%s, mode %v: %q", name, info.Mode(), b)
		}
	}
	s.assignment.TLS = &fleet.TLS{Certificate: "cert2", Key: "key2", CA: "ca"}
	must(t, h.Renew(s))
	for name, want := range map[string]string{keyFile: "key2", certFile: "cert2"} {
		if b, err := os.ReadFile(h.folder("n1").path(name)); err != nil || string(b) != want {
			t.Errorf("after Renew %s: %q, %v", name, b, err)
		}
	}
	if l := h.find(t); l.process == nil || l.process.PID() != p.PID() || l.launched.TLS.Key != "key2" {
		t.Errorf("after Renew %+v", l)
	}
}

func TestTakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	lock, name, err := takeDir(dir)
	must(t, err)
	if _, _, err := takeDir(dir); !errors.Is(err, ErrDirInUse) {
		t.Fatal(err)
	}
	must(t, lock.Close())
	lock, again, err := takeDir(dir)
	must(t, err)
	defer lock.Close()
	if name == "" || again != name {
		t.Fatalf("it was %q and is %q", name, again)
	}
}
