package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the parent of TestChildDiesWithItsParent.
func TestMain(m *testing.M) {
	if os.Getenv("TESTENV_PARENT") != "" {
		playParent()
		return
	}
	os.Exit(m.Run())
}

func TestKillAndRestart(t *testing.T) {
	p := Start(t, Command{Name: "cat", Path: "/bin/sh", Args: []string{"-c", "echo started; exec sleep 1000"}})
	first := p.PID()
	Eventually(t, 10*time.Second, "the first output", logCount(p, "started", 1))
	p.Kill()
	if p.Running() {
		t.Fatal("runs after Kill")
	}
	p.Kill() // a second one is harmless
	p.Restart()
	if p.PID() == first || !p.Running() {
		t.Fatalf("pid %d after %d, running %v", p.PID(), first, p.Running())
	}
	Eventually(t, 10*time.Second, "the second output in the same log", logCount(p, "started", 2))
}

func TestRevive(t *testing.T) {
	p := Start(t, Command{Name: "cat", Path: "/bin/sh", Args: []string{"-c", "echo started; exec sleep 1000"}})
	Eventually(t, 10*time.Second, "the first output", logCount(p, "started", 1))
	pid := p.PID()
	revive := func() {
		t.Helper()
		if err := p.Revive(); err != nil {
			t.Fatal(err)
		}
	}
	revive()
	if p.PID() != pid {
		t.Fatal("a running process was started again")
	}
	p.Stop()
	revive()
	Eventually(t, 10*time.Second, "the process goes on", func(context.Context) error {
		if stopped(pid) == nil {
			return errors.New("stopped")
		}
		return nil
	})
	p.Kill()
	revive()
	if p.PID() == pid || !p.Running() {
		t.Fatalf("pid %d after %d, running %v", p.PID(), pid, p.Running())
	}
	Eventually(t, 10*time.Second, "the second output", logCount(p, "started", 2))
}

func logCount(p *Process, word string, want int) func(context.Context) error {
	return func(context.Context) error {
		if got := strings.Count(p.Log(), word); got != want {
			return fmt.Errorf("%q is %d times in the log, want %d", word, got, want)
		}
		return nil
	}
}

func TestExitCodes(t *testing.T) {
	p := Start(t, Command{Name: "exit", Path: "/bin/sh", Args: []string{"-c", "exit 7"}})
	if got := p.Wait(10 * time.Second); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	p.RestartWith([]string{"-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"})
	Eventually(t, 10*time.Second, "the trap is set", logCount(p, "ready", 1))
	if got := p.Terminate(10 * time.Second); got != 3 {
		t.Errorf("exit code %d after SIGTERM, want 3", got)
	}
}

func TestStopStandsStill(t *testing.T) {
	p := Start(t, Command{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}})
	p.Stop()
	if err := stopped(p.PID()); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	p.Cont()
	Eventually(t, 10*time.Second, "the process goes on", func(context.Context) error {
		if stopped(p.PID()) == nil {
			return errors.New("stopped")
		}
		return nil
	})
}

func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "TESTENV_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(bufio.NewReader(out), &child); err != nil {
		t.Fatalf("read the child's pid: %v", err)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("child %d before its parent's death: %v", child, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed: an error by design
	Eventually(t, 10*time.Second, "the child is dead", func(context.Context) error {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err != nil {
			return nil
		}
		if s, err := parseStat(b); err == nil && s.state == 'Z' {
			return nil // nobody reaped it, which is not ours to do
		}
		return fmt.Errorf("child lives: %s", b)
	})
}

// TestChildOutlivesItsStarterThread: a parent-death signal follows the thread
// that forked, so Start must not fork on its caller's.
func TestChildOutlivesItsStarterThread(t *testing.T) {
	var p *Process
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		p = Start(t, Command{Name: "cat", Path: "/bin/sh", Args: []string{"-c", "echo started; exec sleep 1000"}})
	})
	wg.Wait()
	Eventually(t, 10*time.Second, "the child has run", logCount(p, "started", 1))
	select {
	case <-p.Done():
		t.Fatalf("the child died with its starter's thread: %v", p.current().err)
	case <-time.After(50 * time.Millisecond):
	}
}

// playParent starts a child, prints its pid and waits to be killed.
func playParent() {
	dir, err := os.MkdirTemp("", "testenv")
	if err != nil {
		panic(err)
	}
	p := Start(&fakeTB{dir: dir}, Command{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}})
	os.RemoveAll(dir)
	fmt.Println(p.PID())
	<-p.Done()
}

func TestCleanupReportsForbiddenOutput(t *testing.T) {
	f := &fakeTB{dir: t.TempDir()}
	p := Start(f, Command{
		Name: "racy", Path: "/bin/sh", Args: []string{"-c", "echo WARNING: DATA RACE"},
		Forbid: []string{"DATA RACE"},
	})
	p.Wait(10 * time.Second)
	f.cleanup()
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], `"DATA RACE" in the output of racy`) {
		t.Errorf("errors %q", f.errors)
	}
	if len(f.logs) != 1 || !strings.Contains(f.logs[0], "WARNING: DATA RACE") {
		t.Errorf("a failed test must show the output, got %q", f.logs)
	}
}

func TestCleanupKillsAndIsQuiet(t *testing.T) {
	f := &fakeTB{dir: t.TempDir()}
	p := Start(f, Command{Name: "sleep", Path: "/bin/sh", Args: []string{"-c", "echo noise; exec sleep 1000"}})
	f.cleanup()
	if p.Running() {
		t.Error("runs after the test's clean-up")
	}
	if f.errors != nil || f.logs != nil {
		t.Errorf("errors %q, logs %q", f.errors, f.logs)
	}
}

func TestChildEnv(t *testing.T) {
	got := childEnv([]string{"PATH=/bin", "AWS_PROFILE=x", "ETCD_NAME=x", "REDOUBT_PORT=1", "VGW_PORT=1", "HOME=/h"},
		[]string{"AWS_REGION=r"})
	if want := []string{"PATH=/bin", "HOME=/h", "AWS_REGION=r"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMissingToolSaysHowToGetIt(t *testing.T) {
	f := &fakeTB{dir: t.TempDir()}
	f.run(func() { Tool(f, "no-such-tool") })
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], "no-such-tool is missing, run `make tools`") {
		t.Errorf("errors %q", f.errors)
	}
}

func TestEventuallyGivesUp(t *testing.T) {
	f := &fakeTB{}
	f.run(func() {
		Eventually(f, 10*time.Millisecond, "pigs fly", func(context.Context) error { return errors.New("on the ground") })
	})
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], "pigs fly: not within 10ms: on the ground") {
		t.Errorf("errors %q", f.errors)
	}
	err := await(time.Hour, func(context.Context) error { return &hopelessError{errors.New("hopeless")} })
	if err == nil || err.Error() != "hopeless" {
		t.Errorf("await: %v", err)
	}
}

func TestFreePortsAreConsecutiveAndGivenOnce(t *testing.T) {
	seen := make(map[int]bool)
	for range 50 {
		first := FreePorts(t, 4)
		if first < firstPort || first+4 > lastPort {
			t.Fatalf("ports from %d on", first)
		}
		for port := first; port < first+4; port++ {
			if seen[port] {
				t.Fatalf("port %d twice", port)
			}
			seen[port] = true
		}
	}
}

func TestTail(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"one\ntwo\nthree\n", 8, "[...]\nthree\n"},
		{"onelongline", 4, "[...]\nline"},
	} {
		if got := tail(c.s, c.n); got != c.want {
			t.Errorf("tail(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	const line = "42 (a ) (b) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 1 0 5 6 7"
	got, err := parseStat([]byte(line))
	if want := (procStat{'S', 1750 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"", "42 a S", "42 (a) S 1 2", "42 (a) S 1 42 42 0 -1 4194304 100 0 0 0 x 25"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) succeeded", bad)
		}
	}
}

func TestCPU(t *testing.T) {
	p := Start(t, Command{Name: "spin", Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}})
	Eventually(t, 20*time.Second, "a busy process has used 50 ms", func(context.Context) error {
		used, err := p.CPU()
		if err == nil && used < 50*time.Millisecond {
			err = fmt.Errorf("used %v", used)
		}
		return err
	})
}
