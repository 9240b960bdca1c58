package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Trace writes down every command with its answer, for people who look into a
// violation. A nil *Trace writes nothing.
type Trace struct {
	mu  sync.Mutex
	out *bufio.Writer
	to  io.WriteCloser
	err error
}

// NewTrace writes to to, which Close closes.
func NewTrace(to io.WriteCloser) *Trace {
	t := &Trace{out: bufio.NewWriterSize(to, 1<<16), to: to}
	fmt.Fprintln(t.out, "# sent..answered (seconds from the start of the round), process, node, outcome, command, reply")
	return t
}

var outcomeNames = [...]string{Done: "done", Aborted: "aborted", Refused: "refused", Unknown: "unknown"}

func (o Outcome) String() string { return outcomeNames[o] }

func (t *Trace) note(r Result, args []any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out == nil || t.err != nil {
		return
	}
	_, t.err = fmt.Fprintf(t.out, "%.6f..%.6f p%d %s %v %v", seconds(r.Call), seconds(r.Return), r.Process, r.Node, r.Outcome, args)
	if t.err == nil {
		if r.Err != nil {
			_, t.err = fmt.Fprintf(t.out, " -> error %v\n", r.Err)
		} else {
			_, t.err = fmt.Fprintf(t.out, " -> %v\n", r.Value)
		}
	}
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }

// Close writes what is buffered and closes the file.
func (t *Trace) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out == nil {
		return nil
	}
	err := errors.Join(t.err, t.out.Flush(), t.to.Close())
	t.out = nil
	return err
}
