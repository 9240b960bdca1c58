package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// journal tells people what happens in a round: each fault on the console, and
// everything in faults.log.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	out   io.Writer
	clock *workload.Clock
	err   error
}

func newJournal(dir string, out io.Writer) (*journal, error) {
	f, err := os.Create(filepath.Join(dir, "faults.log"))
	if err != nil {
		return nil, err
	}
	return &journal{file: f, out: out, clock: workload.NewClock()}, nil
}

// begin sets the clock and writes down what will happen.
func (j *journal) begin(clock *workload.Clock, r *round) {
	j.mu.Lock()
	j.clock = clock
	j.mu.Unlock()
	j.detail("seed %d; to repeat: %s", r.seed, r.replay())
	for _, n := range r.cluster.Nodes {
		j.detail("%s at %s, behind a proxy at %s", n.ID, n.Direct, n.Addr)
	}
}

// detail writes a line to the file.
func (j *journal) detail(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := fmt.Fprintf(j.file, "%9.3fs %s\n", time.Duration(j.clock.Now()).Seconds(), fmt.Sprintf(format, args...))
	j.err = errors.Join(j.err, err)
}

// fault writes a fault that is over to the file and the console.
func (j *journal) fault(f fault) {
	j.detail("%s", f)
	fmt.Fprintf(j.out, "  %8.1fs %s\n", time.Duration(f.At).Seconds(), f)
}

// Close closes the file.
func (j *journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.err, j.file.Close())
}
