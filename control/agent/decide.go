package agent

import (
	"maps"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// verb is what is to be done about a node.
type verb string

const (
	nothing   verb = ""
	start     verb = "start"     // a process
	renew     verb = "renew"     // the certificate of the process
	terminate verb = "terminate" // ask the process to hand over and end
	kill      verb = "kill"      // end it
	settle    verb = "settle"    // end the lease that the ended process may have held
	remove    verb = "remove"    // its folder
	forget    verb = "forget"    // that there ever was one
)

// facts are what is known of one node.
type facts struct {
	known    bool              // assignments have been read: without one it is not assigned
	assigned *fleet.Assignment // nil: none
	// generation of the newest assignment, also of one that has gone since
	generation int64
	leaving    bool              // the agent ends, and takes its nodes with it
	launched   *fleet.Assignment // what the process was started with; nil: nothing runs
	stopping   time.Time         // when the process was asked to end; zero: it was not
	killed     bool
	unwanted   bool // an earlier agent has left the process, and it is to be killed
	// A process has ended: its lease is to be ended, is being ended.
	unsettled, settling bool
	folder              bool      // something of it is on the disk
	retryAt             time.Time // it is not started before
}

// decide is what to do about a node now, and when to look again at the latest (zero:
// when something happens).
func decide(f facts, now time.Time, grace time.Duration) (verb, time.Time) {
	wanted := f.assigned != nil && f.assigned.Goal != fleet.Stop
	unsure := f.assigned == nil && !f.known
	switch {
	case f.launched != nil && f.unwanted && !f.killed:
		return kill, time.Time{}
	case f.launched != nil:
		stay := !f.leaving && (unsure || wanted && !needsRestart(*f.launched, *f.assigned))
		killAt := f.stopping.Add(grace)
		switch {
		case f.stopping.IsZero() && stay && wanted && renewable(*f.launched, *f.assigned):
			if now.Before(f.retryAt) {
				return nothing, f.retryAt
			}
			return renew, time.Time{}
		case f.stopping.IsZero() && stay, f.killed:
			return nothing, time.Time{}
		case f.stopping.IsZero():
			return terminate, time.Time{}
		case now.Before(killAt):
			return nothing, killAt
		}
		return kill, time.Time{}
	case f.settling:
		return nothing, time.Time{}
	case f.unsettled:
		return settle, time.Time{}
	case f.leaving, unsure:
		return nothing, time.Time{}
	case wanted && now.Before(f.retryAt):
		return nothing, f.retryAt
	case wanted:
		return start, time.Time{}
	case f.folder && now.Before(f.retryAt):
		return nothing, f.retryAt
	case f.folder:
		return remove, time.Time{}
	case f.assigned == nil:
		return forget, time.Time{}
	}
	return nothing, time.Time{}
}

// needsRestart tells whether a process that was started with one assignment has to
// be started again to be what the other says.
func needsRestart(a, b fleet.Assignment) bool {
	return a.Cluster != b.Cluster || a.Shard != b.Shard || a.Engine != b.Engine || a.Memory != b.Memory || a.Port != b.Port || a.Managed != b.Managed ||
		!maps.Equal(a.Parameters, b.Parameters) || (a.TLS == nil) != (b.TLS == nil) || a.TLS != nil && a.TLS.MinVersion != b.TLS.MinVersion
}

// pacing is how restarts are spaced out.
type pacing struct {
	first  time.Duration // after the first failure, doubled with each further one
	most   time.Duration
	stable time.Duration // a process that ran for so long had not failed to start
}

// after is how many failures in a row there are when a process has run for ran, and
// how long to wait: nothing when it had been stable. random is in [0, 1): of waits
// the second half is random, so that nodes that fail together do not start together.
func (p pacing) after(failures int, ran time.Duration, random float64) (int, time.Duration) {
	if ran >= p.stable {
		return 0, 0
	}
	failures++
	wait := p.most
	if shift := failures - 1; shift < 30 && p.first<<shift < p.most {
		wait = p.first << shift
	}
	return failures, wait/2 + time.Duration(random*float64(wait/2))
}
