package testenv

import "time"

// paceSteps is how many portions a second of a throttled flow comes in.
const paceSteps = 50

// pace is the speed limit of one flow. The proxy's mutex guards it.
type pace struct {
	rate    int64         // bytes a second; 0: no limit
	busy    time.Time     // until when the line is taken by what was admitted
	changed chan struct{} // closed when the limit changes
}

func newPace() pace { return pace{changed: make(chan struct{})} }

// set changes the limit, also for what is waiting.
func (p *pace) set(rate int64) {
	close(p.changed)
	*p = pace{rate: max(0, rate), changed: make(chan struct{})}
}

// admit says how many of n bytes may go next, and when they have passed the line.
func (p *pace) admit(now time.Time, n int) (share int, at time.Time) {
	if p.rate == 0 {
		return n, now
	}
	share = min(n, int(max(1, p.rate/paceSteps)))
	if p.busy.Before(now) {
		p.busy = now
	}
	p.busy = p.busy.Add(time.Duration(share) * time.Second / time.Duration(p.rate))
	return share, p.busy
}

// takeTurn waits for the line and returns how many of n bytes of a flow may be written now.
func (p *Proxy) takeTurn(l *link, dir Direction, n int) (share int, err error) {
	p.mu.Lock()
	pace := &p.flows[dir].pace
	share, at := pace.admit(time.Now(), n)
	changed := pace.changed
	p.mu.Unlock()
	wait := time.Until(at)
	if wait <= 0 {
		return share, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	}
	return share, nil
}
