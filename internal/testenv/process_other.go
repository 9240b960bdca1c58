//go:build !linux

package testenv

import (
	"errors"
	"syscall"
	"time"
)

// dieWithParent has nothing to ask for: only Linux can end children with their
// parent. Elsewhere a killed test leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }

// stopped trusts the signal: only /proc tells more.
func stopped(int) error { return nil }

func cpuTime(int) (time.Duration, error) {
	return 0, errors.New("processor time of another process: only known on Linux")
}
