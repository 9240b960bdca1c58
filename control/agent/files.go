package agent

import (
	"fmt"
	"syscall"
)

// LimitFiles sets how many files this process and the nodes that it starts may have
// open. Where more than the system allows is asked for, it is as many as it does.
func LimitFiles(n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("read the limit on open files: %w", err)
	}
	hard := l.Max
	l.Cur, l.Max = n, n
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		return nil
	}
	l.Cur, l.Max = hard, hard
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("set the limit on open files: %w", err)
	}
	return fmt.Errorf("the system allows %d", hard)
}
