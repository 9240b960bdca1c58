package workload

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// parcels is what is known of every value of one queue: whether it was pushed, and
// whether it was taken out for good.
type parcels struct {
	mu       sync.Mutex
	pushes   map[string]Outcome // Unknown until answered
	out      map[string]bool    // by an answered pop, or LREM
	mayBeOut int                // removals of unknown outcome: each may have had one value
}

func newParcels() *parcels {
	return &parcels{pushes: map[string]Outcome{}, out: map[string]bool{}}
}

// push notes that values are about to be sent.
func (p *parcels) push(values []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range values {
		p.pushes[v] = Unknown
	}
}

// pushed notes what became of a push. What a server had done before it answered
// with an error is not known.
func (p *parcels) pushed(values []string, r Result) {
	if r.Outcome == Done && r.Err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range values {
		p.pushes[v] = r.Outcome
	}
}

// removed notes what became of a pop, or of a removal of value. found is whether
// it answered that there was one.
func (p *parcels) removed(r Result, value string, found bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Outcome == Refused:
		return nil
	case r.Outcome == Unknown || r.Err != nil:
		p.mayBeOut++
		return nil
	case !found:
		return nil
	}
	twice := p.out[value]
	p.out[value] = true
	if twice {
		return fmt.Errorf("%s came out of the queue twice", value)
	}
	if _, sent := p.pushes[value]; !sent {
		return fmt.Errorf("%s came out of the queue and was never pushed", value)
	}
	return nil
}

// compare finds what is wrong with what is left in the end: each value is there
// once at most, and none that is out or was refused; of those whose push was
// acknowledged no more are missing than removals of unknown outcome may have taken.
func (p *parcels) compare(left queueValue) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := map[string]int{}
	for _, v := range slices.Concat(left.waiting.values(), left.taken.values()) {
		there[v]++
	}
	var wrong []string
	for v, n := range there {
		outcome, sent := p.pushes[v]
		switch {
		case !sent:
			wrong = append(wrong, fmt.Sprintf("%s is there and was never pushed", v))
		case outcome == Refused:
			wrong = append(wrong, fmt.Sprintf("%s is there and was refused", v))
		case p.out[v]:
			wrong = append(wrong, fmt.Sprintf("%s is there and came out of the queue", v))
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("%s is there %d times", v, n))
		}
	}
	var missing []string
	for v, outcome := range p.pushes {
		switch {
		case outcome == Refused && p.out[v]:
			wrong = append(wrong, fmt.Sprintf("%s came out of the queue and was refused", v))
		case outcome == Done && there[v] == 0 && !p.out[v]:
			missing = append(missing, v)
		}
	}
	if len(missing) > p.mayBeOut {
		slices.Sort(missing)
		wrong = append(wrong, fmt.Sprintf("%d were acknowledged and are neither there nor popped, and only %d pops had no answer: %s",
			len(missing), p.mayBeOut, strings.Join(missing[:min(len(missing), maxWrong)], " ")))
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%d things are wrong: %s", len(wrong), strings.Join(wrong[:min(len(wrong), maxWrong)], "; "))
}
