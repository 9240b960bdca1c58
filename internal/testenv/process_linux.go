package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// userHZ is the unit of the times in /proc: Linux fixes it at 100 for programs,
// whatever the kernel counts in.
const userHZ = 100

func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// stopped returns nil when all threads of pid are stopped.
func stopped(pid int) error {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	if len(stats) == 0 {
		return &hopelessError{fmt.Errorf("process %d is gone", pid)}
	}
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		s, err := parseStat(b)
		if err != nil {
			return err
		}
		if s.state != 'T' {
			return fmt.Errorf("%s: state %c", name, s.state)
		}
	}
	return nil
}

func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	s, err := parseStat(b)
	if err != nil {
		return 0, err
	}
	return s.cpu, nil
}

type procStat struct {
	state byte
	cpu   time.Duration // user and system time
}

// parseStat reads a line of /proc/<pid>/stat: "pid (name) state ppid ...", where
// the name may hold spaces and parentheses; utime and stime are fields 14 and 15.
func parseStat(b []byte) (procStat, error) {
	const stateField, utimeField, stimeField = 3, 14, 15
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return procStat{}, fmt.Errorf("parse process status %q: no name", b)
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) <= stimeField-stateField {
		return procStat{}, fmt.Errorf("parse process status %q: %d fields after the name", b, len(fields))
	}
	var ticks int64
	for _, n := range []int{utimeField, stimeField} {
		v, err := strconv.ParseInt(string(fields[n-stateField]), 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("parse process status: field %d: %w", n, err)
		}
		ticks += v
	}
	return procStat{state: fields[0][0], cpu: time.Duration(ticks) * time.Second / userHZ}, nil
}
