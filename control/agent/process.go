package agent

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/flock"
)

// exitPoll is how often it is looked whether a process has ended, where the system
// does not say it.
const exitPoll = 100 * time.Millisecond

// handle is a hold on one process, which no other one with its pid can take over.
type handle interface {
	// wait returns true when the process has ended, false when ctx ended first. With an
	// error the system cannot say which it is.
	wait(ctx context.Context) (bool, error)
	signal(syscall.Signal) error
	close() error
}

// osProcess is a real process of a node.
type osProcess struct {
	folder    folder
	pid       int
	began     time.Time
	logOffset int64
	child     *exec.Cmd // nil: another agent has started it
	handle    handle    // nil: the system has none

	mu   sync.Mutex
	exit *fleet.Exit // set when it has ended, with mu held; handle is closed from then on
}

func (p *osProcess) PID() int         { return p.pid }
func (p *osProcess) Began() time.Time { return p.began }

// Wait is of process.
func (p *osProcess) Wait(ctx context.Context) (fleet.Exit, bool) {
	p.mu.Lock()
	known := p.exit
	p.mu.Unlock()
	if known != nil {
		return *known, true
	}
	ended, unknown := false, p.handle == nil
	if p.handle != nil {
		var err error
		ended, err = p.handle.wait(ctx)
		unknown = err != nil
	}
	if unknown {
		// A node must not be left unwatched. That it has ended shows in its lock, too.
		ended = waitUnlocked(ctx, p.folder.lock())
	}
	if !ended {
		return fleet.Exit{}, false
	}
	exit := fleet.Exit{At: time.Now().UTC(), Code: -1}
	if p.child != nil {
		// What it left is collected; it has ended, so this does not take long.
		_ = p.child.Wait() // how it ended is in ProcessState
		exit.Code, exit.Signal = howEnded(p.child)
	}
	exit.Log = tail(p.folder.log(), p.logOffset)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = &exit
	if p.handle != nil {
		_ = p.handle.close() // nothing was written to it
	}
	return exit, true
}

func howEnded(cmd *exec.Cmd) (code int, signal string) {
	if cmd.ProcessState == nil {
		return -1, ""
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -1, unix.SignalName(ws.Signal())
	}
	return cmd.ProcessState.ExitCode(), ""
}

// waitUnlocked returns true when nobody holds the lock any more.
func waitUnlocked(ctx context.Context, path string) bool {
	tick := time.NewTicker(exitPoll)
	defer tick.Stop()
	for {
		if lock, err := flock.Try(path); err == nil {
			return lock.Close() == nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// Signal is of process. That a process was asked to end is written down first: the
// next agent must not ask it again.
func (p *osProcess) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil {
		return nil
	}
	var noted error
	if sig == syscall.SIGTERM {
		noted = p.folder.writeJSON(stoppingFile, time.Now().UTC())
	}
	return errors.Join(noted, p.send(sig))
}

func (p *osProcess) send(sig syscall.Signal) error {
	switch {
	case p.handle != nil:
		return p.handle.signal(sig)
	case p.pid == 0:
		return fmt.Errorf("%s: its process is not known", p.folder)
	}
	lock, err := flock.Try(p.folder.lock())
	if err == nil {
		return lock.Close() // it has ended
	}
	if !errors.Is(err, flock.ErrHeld) {
		return err
	}
	if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.pid, err)
	}
	return nil
}

// apart makes a process live on when the agent, or the terminal it runs in, ends.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
