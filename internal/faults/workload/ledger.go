package workload

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Bounds of a Ledger.
const (
	ledgerClients = 4
	ledgerLines   = 1500 // of one client; then it writes the oldest again
	ledgerBatch   = 250  // are read back at once
)

// Ledger writes and deletes strings and the fields of one hash, each by one
// client alone, so that the client knows what must be there. At the end all are
// read back: what was acknowledged is there, what was refused is not.
type Ledger struct {
	env    *Env
	lines  [ledgerClients][]line
	judged atomic.Int64
}

// NewLedger is the workload of one round.
func NewLedger(env *Env) *Ledger { return &Ledger{env: env} }

// Name is "ledger".
func (w *Ledger) Name() string { return "ledger" }

// Clients write what nobody else writes.
func (w *Ledger) Clients() int { return ledgerClients }

// Operations is how many answers were judged, those of the end included.
func (w *Ledger) Operations() int { return int(w.judged.Load()) }

// Run writes, deletes and reads back lines.
func (w *Ledger) Run(ctx context.Context, n int, c *Client) {
	for i := 0; c.Connect(ctx) && c.Think(ctx); {
		lines := w.lines[n]
		p := c.Rand.IntN(100)
		switch at := c.Rand.IntN(max(1, len(lines))); {
		case p < 70 || len(lines) == 0:
			if len(lines) < ledgerLines {
				w.lines[n] = append(lines, line{place: w.place(n, i)})
			}
			w.write(c, &w.lines[n][i%ledgerLines], fmt.Sprintf("%d.%d", n, i))
			i++
		case p < 82:
			w.write(c, &lines[at], "")
		default:
			w.readBack(c, &lines[at])
		}
	}
}

// place is where a line is kept: a key, or a hash and a field of it.
type place []any

func (w *Ledger) place(n, i int) place {
	name := fmt.Sprintf("%d:%d", n, i%ledgerLines)
	if i%2 == 0 {
		return place{w.env.key(w.Name(), name)}
	}
	return place{w.env.key(w.Name(), "hash"), name}
}

func (p place) isField() bool { return len(p) == 2 }

// command is ofKey or ofField, on the place, with more arguments.
func (p place) command(ofKey, ofField string, more ...any) []any {
	name := ofKey
	if p.isField() {
		name = ofField
	}
	return slices.Concat([]any{name}, p, more)
}

// write sets a line, or deletes it when value is "".
func (w *Ledger) write(c *Client, l *line, value string) {
	command := l.place.command("SET", "HSET", value)
	if value == "" {
		command = l.place.command("DEL", "HDEL")
	}
	r := c.Write(command...)
	if r.Outcome == Done {
		w.judged.Add(1)
		if r.Err != nil {
			w.env.Report(w.Name(), "%v was answered with %v", command, r.Err)
			r.Outcome = Unknown // what it did before
		} else if existed, tells := existedBy(command[0], r.Int()); tells && !l.mayHaveExisted(existed) {
			w.env.Report(w.Name(), "%v was answered with %d, but %v", command, r.Int(), l)
		}
	}
	*l = l.after(r, value)
}

// existedBy tells from the answer to a write whether the line was there before.
func existedBy(command any, answer int64) (existed, tells bool) {
	switch command {
	case "DEL", "HDEL":
		return answer == 1, true
	case "HSET":
		return answer == 0, true
	}
	return false, false
}

// readBack judges one line while clients run, so that a loss is found early.
func (w *Ledger) readBack(c *Client, l *line) {
	r := c.Read(l.place.command("GET", "HGET")...)
	switch {
	case r.Outcome != Done:
	case r.Err != nil:
		w.env.Report(w.Name(), "reading %v was answered with %v", l.place, r.Err)
	default:
		w.judge(l, r.String())
		*l = l.seen(r.String())
	}
}

func (w *Ledger) judge(l *line, got string) {
	w.judged.Add(1)
	if !l.allows(got) {
		w.env.Report(w.Name(), "acknowledged write lost: %v holds %q, but %v", l.place, got, l)
	}
}

// Check reads every line back.
func (w *Ledger) Check(ctx context.Context, c *Client) error {
	for _, lines := range w.lines {
		for _, fields := range []bool{false, true} {
			kind := make([]*line, 0, len(lines))
			for i := range lines {
				if lines[i].place.isField() == fields {
					kind = append(kind, &lines[i])
				}
			}
			for batch := range slices.Chunk(kind, ledgerBatch) {
				if err := w.checkBatch(ctx, c, batch); err != nil {
					return fmt.Errorf("%s: read back: %w", w.Name(), err)
				}
			}
		}
	}
	return nil
}

// checkBatch judges lines that are all keys, or all fields.
func (w *Ledger) checkBatch(ctx context.Context, c *Client, batch []*line) error {
	command := []any{"MGET"}
	if first := batch[0].place; first.isField() {
		command = []any{"HMGET", first[0]}
	}
	for _, l := range batch {
		command = append(command, l.place[len(l.place)-1])
	}
	r, err := c.Ask(ctx, command...)
	if err != nil {
		return err
	}
	values, _ := r.Value.([]any)
	if len(values) != len(batch) {
		w.env.Report(w.Name(), "%s of %d was answered with %d values", command[0], len(batch), len(values))
		return nil
	}
	for i, v := range values {
		got, _ := v.(string)
		w.judge(batch[i], got)
	}
	return nil
}

// line is what its only writer knows of a key or field.
type line struct {
	place place
	value string   // as the newest acknowledged write left it; "" when absent
	late  []string // left by writes of unknown outcome, which may come at any later time
	acked Result   // of the newest acknowledged write
}

// after is the line after a write of value ended with r.
func (l line) after(r Result, value string) line {
	switch r.Outcome {
	case Done:
		l.value, l.acked = value, r
	case Unknown:
		l.late = append(slices.Clip(l.late), value)
	}
	return l
}

// allows reports whether a read after the newest write may return value.
func (l line) allows(value string) bool {
	return value == l.value || slices.Contains(l.late, value)
}

// seen is the line after a read returned value. A write of unknown outcome that
// shows has happened, and does not happen again.
func (l line) seen(value string) line {
	if value == l.value {
		return l
	}
	if i := slices.Index(l.late, value); i >= 0 {
		l.value, l.late = value, slices.Delete(slices.Clone(l.late), i, i+1)
	}
	return l
}

// mayHaveExisted reports whether a write may have found the line to exist, or
// not to.
func (l line) mayHaveExisted(existed bool) bool {
	possible := func(value string) bool { return (value != "") == existed }
	return possible(l.value) || slices.ContainsFunc(l.late, possible)
}

func (l line) String() string {
	s := "nothing was acknowledged"
	if l.acked.Node != "" {
		s = fmt.Sprintf("%q was acknowledged by %s at %v", l.value, l.acked.Node, time.Duration(l.acked.Return).Round(time.Millisecond))
		if l.value == "" {
			s = fmt.Sprintf("its deletion was acknowledged by %s at %v", l.acked.Node, time.Duration(l.acked.Return).Round(time.Millisecond))
		}
	}
	if len(l.late) > 0 {
		s += fmt.Sprintf("; of unknown outcome: %q", l.late)
	}
	return s
}
