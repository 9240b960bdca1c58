package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds on how long a process may take to follow a signal before the test
// fails, and on how much of its output a failed test repeats.
const (
	signalTimeout = 20 * time.Second
	logTail       = 32 << 10
)

// Command says what to start.
type Command struct {
	Name string   // names the process in messages and its output file
	Path string   // the program
	Args []string // without the program's name
	Env  []string // KEY=value, added to the test's own environment
	Dir  string   // working directory; empty: a fresh one
	// Forbid fails the test when one of these appears in the process's output,
	// such as "DATA RACE".
	Forbid []string
}

// Process is a child process. It may be killed, stopped and started again; its
// methods are safe for concurrent use.
type Process struct {
	t   TB
	cmd Command
	log string

	mu  sync.Mutex
	run *run // newest start; never nil after Start returned
}

// run is one life of a Process.
type run struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process was waited for
	err  error         // of cmd.Wait, readable after done
}

// Start starts c and returns without waiting until it serves.
func Start(t TB, c Command) *Process {
	t.Helper()
	dir := t.TempDir()
	if c.Dir == "" {
		c.Dir = dir
	}
	p := &Process{t: t, cmd: c, log: filepath.Join(dir, c.Name+".log")}
	r, err := p.launch(c.Args)
	if err != nil {
		t.Fatalf("start %s: %v", c.Name, err)
	}
	p.run = r
	t.Cleanup(p.cleanup)
	return p
}

// launch starts the program and a goroutine that waits for it. Linux sends
// Pdeathsig when the thread that forked ends, not the process: the goroutine
// therefore forks and waits on one thread of its own, which lives exactly as
// long as the child.
func (p *Process) launch(args []string) (*run, error) {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(p.cmd.Path, args...)
	cmd.Dir = p.cmd.Dir
	cmd.Env = childEnv(os.Environ(), p.cmd.Env)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()

	r := &run{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		r.err = cmd.Wait()
		close(r.done)
	}()
	return r, <-started
}

// childEnv keeps settings of the caller's shell from reaching the servers:
// etcd, versitygw, redoubt and the AWS SDK all read variables of their own.
func childEnv(env, add []string) []string {
	kept := make([]string, 0, len(env)+len(add))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch prefix, _, _ := strings.Cut(name, "_"); prefix {
		case "AWS", "ETCD", "ETCDCTL", "REDOUBT", "ROOT", "VGW":
		default:
			kept = append(kept, kv)
		}
	}
	return append(kept, add...)
}

func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// PID returns the process id of the newest start.
func (p *Process) PID() int { return p.current().cmd.Process.Pid }

// Done is closed once the newest start has ended.
func (p *Process) Done() <-chan struct{} { return p.current().done }

// Running tells whether the process has been started and has not ended. A
// stopped process runs.
func (p *Process) Running() bool { return p.current().running() }

func (r *run) running() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// LogPath returns the file that Log reads.
func (p *Process) LogPath() string { return p.log }

// Log returns all the process has written, over all its starts.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Kill sends SIGKILL and returns when the process is gone. A process that had
// ended already is fine.
func (p *Process) Kill() { p.end(syscall.SIGKILL, signalTimeout) }

// Terminate sends SIGTERM and returns the exit code when the process is gone.
// The test fails when that takes longer than timeout.
func (p *Process) Terminate(timeout time.Duration) int { return p.end(syscall.SIGTERM, timeout) }

// Interrupt is Terminate with SIGINT, what Ctrl-C sends.
func (p *Process) Interrupt(timeout time.Duration) int { return p.end(syscall.SIGINT, timeout) }

func (p *Process) end(sig syscall.Signal, timeout time.Duration) int {
	p.t.Helper()
	p.signal(sig)
	return p.Wait(timeout)
}

// Wait returns the exit code when the process has ended, -1 when a signal ended
// it. The test fails when that takes longer than timeout.
func (p *Process) Wait(timeout time.Duration) int {
	p.t.Helper()
	r := p.current()
	select {
	case <-r.done:
	case <-time.After(timeout):
		p.t.Fatalf("%s (pid %d) still runs after %v", p.cmd.Name, r.cmd.Process.Pid, timeout)
	}
	return r.cmd.ProcessState.ExitCode()
}

// Stop sends SIGSTOP and returns when every thread of the process stands still.
func (p *Process) Stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	pid := p.PID()
	Eventually(p.t, signalTimeout, fmt.Sprintf("%s stands still", p.cmd.Name), func(context.Context) error {
		return stopped(pid)
	})
}

// Cont sends SIGCONT, which lets a stopped process go on.
func (p *Process) Cont() {
	p.t.Helper()
	p.signal(syscall.SIGCONT)
}

func (p *Process) signal(sig syscall.Signal) {
	p.t.Helper()
	err := p.current().cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("send %v to %s: %v", sig, p.cmd.Name, err)
	}
}

// Restart starts the same command again. The test fails when the process still
// runs.
func (p *Process) Restart() {
	p.t.Helper()
	p.RestartWith(p.current().cmd.Args[1:])
}

// RestartWith is Restart with other arguments.
func (p *Process) RestartWith(args []string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run.running() {
		p.t.Fatalf("restart %s: it still runs", p.cmd.Name)
	}
	if err := p.relaunch(args); err != nil {
		p.t.Fatalf("%v", err)
	}
}

// Revive makes the process run whatever was done to it: lets it go on when it
// was stopped, starts it again when it has ended. It does not fail the test.
func (p *Process) Revive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.run.running() {
		return p.relaunch(p.run.cmd.Args[1:])
	}
	if err := p.run.cmd.Process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("let %s go on: %w", p.cmd.Name, err)
	}
	return nil
}

// relaunch needs mu.
func (p *Process) relaunch(args []string) error {
	r, err := p.launch(args)
	if err != nil {
		return fmt.Errorf("restart %s: %w", p.cmd.Name, err)
	}
	p.run = r
	return nil
}

// CPU returns the processor time, user and system, that the newest start has
// used, in steps of 10 ms. Only Linux tells.
func (p *Process) CPU() (time.Duration, error) { return cpuTime(p.PID()) }

// exited returns an await-ending error when the process has ended.
func (p *Process) exited() error {
	if p.Running() {
		return nil
	}
	return &hopelessError{fmt.Errorf("%s ended: %v; its last output:\n%s", p.cmd.Name, p.current().err, tail(p.Log(), 2<<10))}
}

func (p *Process) cleanup() {
	p.Kill()
	log := p.Log()
	for _, bad := range p.cmd.Forbid {
		if strings.Contains(log, bad) {
			p.t.Errorf("%q in the output of %s", bad, p.cmd.Name)
		}
	}
	if p.t.Failed() {
		p.t.Logf("output of %s (%s):\n%s", p.cmd.Name, p.log, tail(log, logTail))
	}
}

// tail returns about the last n bytes of s, from the start of a line.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, whole, ok := strings.Cut(s, "\n"); ok {
		s = whole
	}
	return "[...]\n" + s
}
