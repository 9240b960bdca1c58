package node

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// commandStats is what INFO commandstats and latencystats tell of a command.
type commandStats struct {
	calls, rejected, failed uint64
	total                   time.Duration
	latency                 *histogram // nil before the first call that was tracked
}

// maxErrorNames bounds the names of errors that are told apart.
const maxErrorNames = 128

// of returns the numbers of a command. The engine's lock is held.
func (s *stats) of(cmd *command.Command) *commandStats {
	if n := cmd.Number(); n >= len(s.byCommand) {
		s.byCommand = append(s.byCommand, make([]*commandStats, n+1-len(s.byCommand))...)
	}
	at := &s.byCommand[cmd.Number()]
	if *at == nil {
		*at = &commandStats{}
	}
	return *at
}

// known is of for a command that may not have been called: nil then.
func (s *stats) known(cmd *command.Command) *commandStats {
	if n := cmd.Number(); n < len(s.byCommand) {
		return s.byCommand[n]
	}
	return nil
}

// errorReply counts an error reply by the first word of it.
func (s *stats) errorReply(reply []byte) {
	s.errorReplies++
	name := reply[1:]
	if i := bytes.IndexAny(name, " \r"); i >= 0 {
		name = name[:i]
	}
	if _, known := s.errors[string(name)]; known || len(s.errors) < maxErrorNames {
		if s.errors == nil {
			s.errors = map[string]uint64{}
		}
		s.errors[string(name)]++
	}
}

// timesAlone reports whether a command is worth two looks at the clock, which cost
// more than a fast command does. Fast ones that follow each other in a pipeline share
// the time that they took together, unless the slow log is to have such as well.
func (e *engine) timesAlone(cmd *command.Command, args [][]byte) bool {
	return cmd.Flags&command.Fast == 0 || len(args) > fewArgs || e.slowlog.takes(maxHold)
}

// readClock says what time it is, and gives the commands that have run since the
// clock was last read an equal part of it each.
func (e *engine) readClock(now time.Duration) {
	if n := len(e.untimed); n > 0 {
		each := (now - e.clock) / time.Duration(n)
		for i, s := range e.untimed {
			e.took(s, each)
			e.untimed[i] = nil
		}
		e.latency.add("fast-command", e.ctx.Now, each)
		e.untimed = e.untimed[:0]
	}
	e.clock = now
}

// count notes that a command ran and wrote reply.
func (e *engine) count(cmd *command.Command, reply []byte) *commandStats {
	e.stats.commands++
	s := e.stats.of(cmd)
	s.calls++
	if len(reply) > 0 && reply[0] == '-' {
		s.failed++
		e.stats.errorReply(reply)
	}
	return s
}

func (e *engine) took(s *commandStats, d time.Duration) {
	s.total += d
	if e.latencyTracking {
		if s.latency == nil {
			s.latency = &histogram{}
		}
		s.latency.add(d)
	}
}

// time notes that a command ran for d.
func (e *engine) time(s *commandStats, c *conn, cmd *command.Command, args [][]byte, d time.Duration) {
	e.took(s, d)
	if cmd.Flags&command.SkipSlowlog == 0 && e.slowlog.takes(d) {
		e.slowlog.add(e.ctx.Now, d, cmd, args, c)
	}
	event := "command"
	if cmd.Flags&command.Fast != 0 {
		event = "fast-command"
	}
	e.latency.add(event, e.ctx.Now, d)
}

// called calls fn for every command of the table that was called or refused, in
// the order of their names.
func (s *stats) called(t *command.Table, fn func(*command.Command, *commandStats)) {
	visit := func(cmd *command.Command) {
		if numbers := s.known(cmd); numbers != nil {
			fn(cmd, numbers)
		}
	}
	for _, cmd := range t.All() {
		visit(cmd)
		subs := slices.Clone(cmd.Sub)
		slices.SortFunc(subs, func(a, b *command.Command) int { return strings.Compare(a.Name, b.Name) })
		for _, sub := range subs {
			visit(sub)
		}
	}
}

// A histogram counts durations in buckets whose width is a sixteenth of their
// power of two, from 1024 ns on: what is shorter is in the first.
type histogram struct {
	counts [octaves * subBuckets]uint64
	n      uint64
}

const (
	octaves    = 30 // up to 1024 ns * 2^30, 18 minutes
	subBuckets = 16
	shortest   = 1024 * time.Nanosecond
)

func bucketOf(d time.Duration) int {
	if d < shortest {
		return 0
	}
	octave := bits.Len64(uint64(d)) - bits.Len64(uint64(shortest))
	if octave >= octaves {
		return octaves*subBuckets - 1
	}
	width := shortest << octave / subBuckets
	return octave*subBuckets + int((d-shortest<<octave)/width)
}

// upTo is where a bucket ends.
func upTo(bucket int) time.Duration {
	octave, sub := bucket/subBuckets, bucket%subBuckets
	return shortest<<octave + time.Duration(sub+1)*(shortest<<octave/subBuckets)
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.n++
}

// percentile is a duration that p percent of all are not above.
func (h *histogram) percentile(p float64) time.Duration {
	want, seen := p/100*float64(h.n), uint64(0)
	for i, n := range h.counts {
		if seen += n; n > 0 && float64(seen) >= want {
			return upTo(i)
		}
	}
	return 0
}

// cumulative calls fn for each power of two above which there are fewer than
// above the one before, with the number of durations that are not above it.
func (h *histogram) cumulative(fn func(limit time.Duration, n uint64)) {
	seen := uint64(0)
	for octave := range octaves {
		before := seen
		for _, n := range h.counts[octave*subBuckets : (octave+1)*subBuckets] {
			seen += n
		}
		if seen > before {
			fn(shortest<<(octave+1), seen)
		}
	}
}
