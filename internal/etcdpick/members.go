package etcdpick

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// firstPause is how long a member is left out at first.
	firstPause = time.Second
	// longestPause is how long it is left out at most.
	longestPause = 8 * time.Second
	// patience is how long a request has to have waited for an answer for its end to
	// say anything of the member.
	patience = 100 * time.Millisecond
)

// members is what is known of the members, by address. It is kept when connections
// are made anew: a new one does not make a member answer.
type members struct {
	mu    sync.Mutex
	state map[string]*member
}

type member struct {
	pause time.Duration // how long it is left out; 0: it is not
	until time.Time     // up to when
}

func newMembers() *members { return &members{state: make(map[string]*member)} }

// choose returns which of the addresses is next, beginning with the one at first.
func (m *members) choose(addrs []string, first int, now time.Time) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range addrs {
		at := (first + i) % len(addrs)
		s := m.state[addrs[at]]
		switch {
		case s == nil || s.pause == 0:
			return at
		case !now.Before(s.until):
			// This request tries it. Others leave it out until the answer is there.
			s.until = now.Add(s.pause)
			return at
		}
	}
	return first % len(addrs)
}

// answered takes note of how a request to addr ended that was sent at sent; heard: it
// had an answer, or the beginning of one.
func (m *members) answered(addr string, sent, now time.Time, heard bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state[addr]
	switch judge(err, heard, now.Sub(sent)) {
	case well:
		// A watch that has gone on since before the member was left out says nothing.
		if s != nil && !sent.Before(s.until.Add(-s.pause)) {
			s.pause = 0
		}
	case unwell:
		if s == nil {
			s = &member{}
			m.state[addr] = s
		}
		// Of a member that is left out, only the request that tries it says anything
		// new: others were sent before, or because no member is left.
		if s.pause == 0 || sent.Equal(s.until.Add(-s.pause)) {
			s.pause = min(max(2*s.pause, firstPause), longestPause)
			s.until = now.Add(s.pause)
		}
	}
}

// verdict is what a request's end says of the member it was sent to.
type verdict int

const (
	nothing verdict = iota
	well
	unwell
)

// judge says what it means for a member that a request ended with err after it had
// waited for so long, having heard of the member or not.
func judge(err error, heard bool, waited time.Duration) verdict {
	switch status.Code(err) {
	case codes.DeadlineExceeded:
		if waited >= patience && !heard { // what was heard is a stream whose time is over
			return unwell
		}
		return nothing
	case codes.Unavailable: // its connection broke, it knows of no leader, or waited for the quorum in vain
		return unwell
	case codes.Canceled: // by who asked, as at the end of each stream
		if heard {
			return well
		}
		return nothing
	}
	return well // whatever it said, it said something
}
