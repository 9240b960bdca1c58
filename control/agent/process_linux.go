package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfProgram is the program of this process whatever is at its path by now, and that of
// a child until it executes another: /proc/self is whoever asks.
const selfProgram = "/proc/self/exe"

// pollMillis is how long the end of a process is waited for before it is looked
// whether to wait any longer.
const pollMillis = 250

// pidfd is a handle by the kernel's own.
type pidfd int

// openProcess takes hold of a process; of the one that was born so, if born is not
// nil. nil when it has ended, is another one, or the kernel knows no pidfds.
func openProcess(pid int, born *birth) handle {
	if pid <= 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	// Looked at after it is held: from here on the pid cannot become another's
	// without this one having ended.
	if born != nil && (birthOf(pid) != *born || born.Ticks == 0) {
		_ = unix.Close(fd)
		return nil
	}
	return pidfd(fd)
}

func (p pidfd) wait(ctx context.Context) (bool, error) {
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(p), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, pollMillis)
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("watch process: %w", err)
		case err != nil || n == 0:
		case fds[0].Revents&unix.POLLNVAL != 0: // says nothing of the process
			return false, fmt.Errorf("watch process: %w", unix.EBADF)
		default:
			return true, nil
		}
	}
	return false, nil
}

func (p pidfd) signal(sig syscall.Signal) error {
	err := unix.PidfdSendSignal(int(p), sig, nil, 0)
	if err == nil || errors.Is(err, unix.ESRCH) {
		return nil // sent, or it has ended
	}
	return fmt.Errorf("signal process: %w", err)
}

func (p pidfd) close() error { return unix.Close(int(p)) }

// birthOf reads when a process began; zero when it has gone.
func birthOf(pid int) birth {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return birth{}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return birth{}
	}
	return birth{Ticks: startTicks(stat), Boot: string(bytes.TrimSpace(boot))}
}

// startTicks reads field 22 of /proc/<pid>/stat, "pid (name) state ppid ...", where
// the name may hold spaces and parentheses; 0 when it is not there.
func startTicks(stat []byte) uint64 {
	const stateField, startField = 3, 22
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startField-stateField {
		return 0
	}
	n, err := strconv.ParseUint(string(fields[startField-stateField]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// lockHolder looks for the process that has a lock file open, other than this one; 0
// when there is none that may be looked at.
func lockHolder(path string) int {
	want, err := os.Stat(path)
	if err != nil {
		return 0
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0
	}
	for _, link := range links {
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil || pid == os.Getpid() {
			continue
		}
		if is, err := os.Stat(link); err == nil && os.SameFile(is, want) {
			return pid
		}
	}
	return 0
}
