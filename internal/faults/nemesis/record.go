package nemesis

import (
	"sync"
	"time"
)

// record is what becomes known of one fault while it lasts.
type record struct {
	mu       sync.Mutex
	event    Event
	parts    []Event       // in place of event: it was several faults
	injected chan struct{} // closed once it took hold, or is over without
	closed   bool
}

func newRecord(name string) *record {
	return &record{event: Event{Name: name}, injected: make(chan struct{})}
}

func (r *record) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event.Start = time.Now()
}

func (r *record) healed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event.Healed, r.event.Err = time.Now(), err
}

// over lets a guest go on that still waits for the fault.
func (r *record) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release()
}

func (r *record) release() {
	if !r.closed {
		r.closed = true
		close(r.injected)
	}
}

// events are what is to be told of a step that ended at end. Of a nemesis that
// was never begun there is nothing.
func (r *record) events(end time.Time) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.event.Start.IsZero() {
		return nil
	}
	if len(r.parts) > 0 && r.event.Err == nil {
		for i := range r.parts {
			r.parts[i].With = r.event.With
		}
		return r.parts
	}
	ev := r.event
	ev.End = end
	if ev.Injected.IsZero() {
		ev.Injected = ev.Start
	}
	return append(r.parts, ev)
}

// hit notes that the fault takes hold now, on one node if one is named. Only the
// first time counts.
func (r *record) hit(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.event.Injected.IsZero() {
		r.event.Injected, r.event.Node = time.Now(), node
	}
	r.release()
}

// led notes that another node was seen to lead.
func (r *record) led(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.event.Led.IsZero() {
		r.event.Led = at
	}
}

// part adds one fault of several that a nemesis consists of.
func (r *record) part(ev Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ev.Name = r.event.Name
	r.parts = append(r.parts, ev)
}
