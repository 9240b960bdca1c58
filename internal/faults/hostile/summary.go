package main

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// summary is what a campaign comes to.
type summary struct {
	atStart, most, bound int64 // resident memory; the largest, and its bound
	connections          int64 // of attackers
	commands             int64 // that the node has run
	errors               int64 // that it has answered
	evicted              int64 // connections
	answers              int   // to good clients
	longest              time.Duration
	mostWork             time.Duration
}

func (s *summary) add(served Served) {
	s.answers += served.Answers
	s.longest = max(s.longest, served.Longest)
	s.mostWork = max(s.mostWork, served.MostWork)
}

func (s *summary) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-34s %s\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("in all:\n")
	line("resident at the start", "%s", MiB(s.atStart))
	line("resident at most, and its bound", "%s, %s", MiB(s.most), MiB(s.bound))
	line("attackers' connections", "%d", s.connections)
	line("commands run, errors answered", "%d, %d", s.commands, s.errors)
	line("connections evicted", "%d", s.evicted)
	line("right answers to good clients", "%d, none was wrong or missing", s.answers)
	line("longest wait of a good client", "%v; the node's processor time in a wait: %v at most", s.longest.Round(time.Millisecond), s.mostWork)
	return strings.TrimRight(b.String(), "\n")
}

// usage is how much processor time went by, and to whom.
type usage struct {
	at                time.Time
	wall, node, ofOwn time.Duration
}

// read takes the counters' present state.
func (usage) read(c *campaign) usage {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		c.t.Fatalf("processor time: %v", err)
	}
	node, err := c.n.proc.CPU()
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	return usage{at: time.Now(), node: node, ofOwn: time.Duration(own.Utime.Nano() + own.Stime.Nano())}
}

func (u usage) minus(start usage) usage {
	return usage{wall: u.at.Sub(start.at), node: u.node - start.node, ofOwn: u.ofOwn - start.ofOwn}
}

func (u usage) String() string {
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / u.wall.Seconds() }
	return fmt.Sprintf("processor: node %.0f %%, attackers and good clients %.0f %%", share(u.node), share(u.ofOwn))
}
