package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// sampleEvery is how often a Monitor looks at the process.
const sampleEvery = 20 * time.Millisecond

// Resident is the resident memory of a process in bytes.
func Resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0, fmt.Errorf("resident memory: %q: %w", b, err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// Monitor samples the resident memory of a process until Stop.
type Monitor struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	most int64
	err  error
}

// Watch starts a Monitor. It owns a goroutine, which Stop ends.
func Watch(pid int) *Monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Monitor{cancel: cancel}
	m.done.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			m.sample(pid)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return m
}

func (m *Monitor) sample(pid int) {
	n, err := Resident(pid)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most = max(m.most, n)
	if err != nil && m.err == nil {
		m.err = err
	}
}

// Stop returns the largest sample. It is idempotent.
func (m *Monitor) Stop() (most int64, err error) {
	m.cancel()
	m.done.Wait()
	return m.most, m.err
}

// Info is an INFO reply.
type Info map[string]string

// ReadInfo asks for all of INFO.
func ReadInfo(ctx context.Context, db redis.Cmdable) (Info, error) {
	text, err := db.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("INFO: %w", err)
	}
	info := Info{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// Number is a field's value; -1 when there is none.
func (i Info) Number(name string) int64 {
	n, err := strconv.ParseInt(i[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
