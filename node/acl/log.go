package acl

import "slices"

// Context is where a request was denied.
type Context uint8

// The contexts.
const (
	TopLevel Context = iota
	InMulti
)

var contextNames = [...]string{"toplevel", "multi"}

// String is the context's name in ACL LOG.
func (c Context) String() string { return contextNames[c] }

// Entry is one or more denials of the same kind. Times are Unix milliseconds.
type Entry struct {
	Count            int64
	Reason           Reason
	Context          Context
	Object           string // the command, key or channel
	User             string
	Client           string // who was denied last, as CLIENT LIST shows it
	ID               int64
	Created, Updated int64
}

// Denials that are alike are one entry when they follow each other within mergeWithin
// milliseconds, and the entry is among the first mergeAmong.
const (
	mergeWithin = 60_000
	mergeAmong  = 10
)

// Log keeps the newest denials. The zero value keeps none.
type Log struct {
	max     int64
	nextID  int64
	entries []*Entry // the newest first
	counts  [len(reasonNames)]uint64
}

// SetMax changes how many entries are kept at most; more of them go when the next
// denial comes, as in Redis.
func (l *Log) SetMax(n int64) { l.max = n }

// Max is how many entries are kept at most.
func (l *Log) Max() int64 { return l.max }

// Add notes a denial at e.Updated.
func (l *Log) Add(e Entry) {
	l.counts[e.Reason]++
	if l.max == 0 {
		l.entries = nil
		return
	}
	recent := l.entries[:min(len(l.entries), mergeAmong)]
	if at := slices.IndexFunc(recent, e.resembles); at >= 0 {
		same := l.entries[at]
		same.Count++
		same.Client, same.Updated = e.Client, e.Updated
		copy(l.entries[1:at+1], l.entries[:at])
		l.entries[0] = same
		return
	}
	e.Count, e.ID, e.Created = 1, l.nextID, e.Updated
	l.nextID++
	l.entries = slices.Insert(l.entries, 0, &e)
	if int64(len(l.entries)) > l.max {
		clear(l.entries[l.max:])
		l.entries = l.entries[:l.max]
	}
}

func (e *Entry) resembles(o *Entry) bool {
	apart := e.Updated - o.Updated
	return e.Reason == o.Reason && e.Context == o.Context && e.Object == o.Object && e.User == o.User &&
		max(apart, -apart) <= mergeWithin
}

// Newest are the newest entries, at most n.
func (l *Log) Newest(n int64) []*Entry { return l.entries[:max(0, min(n, int64(len(l.entries))))] }

// Reset drops all entries. Their ids are not used again.
func (l *Log) Reset() { l.entries = nil }

// Denied is how often something was denied for the reason.
func (l *Log) Denied(r Reason) uint64 { return l.counts[r] }
