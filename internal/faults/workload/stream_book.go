package workload

import (
	"fmt"
	"slices"
	"sync"
)

// streamBook is what is known of one stream: of every entry that was ever sent, which
// is known by its value, as one of unknown outcome has no known id until it shows.
type streamBook struct {
	mu        sync.Mutex
	entries   map[string]*sentEntry // by value
	values    map[streamID]string
	known     []*sentEntry // with an id, in the order in which they became known
	undecided int          // operations of unknown outcome
	rejected  []dated      // ids that were too small; they were before that moment
	lostPolls []lostPoll
}

// sentEntry is one entry.
type sentEntry struct {
	value     string
	id        streamID // zero: not known
	sent      int64
	there     int64 // when it was known to be there; Never: it is not
	refused   bool
	deleting  int64    // when its first deletion was sent; Never: none was
	deleted   int64    // when its deletion was acknowledged; Never: it was not
	got       int      // how many asked for new entries and were answered with it
	delivered dated    // to the first of them
	owner     consumer // that one
	acked     bool     // one XACK was answered with 1
}

// lostPoll is a question for new entries that was not answered.
type lostPoll struct {
	by   consumer
	sent int64
}

func newStreamBook() *streamBook {
	return &streamBook{entries: map[string]*sentEntry{}, values: map[streamID]string{}}
}

// send notes that an entry is about to be sent.
func (b *streamBook) send(value string, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[value] = &sentEntry{value: value, sent: now, there: Never, deleting: Never, deleted: Never}
}

// show notes that an entry was there before a moment; one that is shown as deleted
// has no value. It returns the entry's value.
func (b *streamBook) show(e shownEntry, before int64) (value string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.value == "" {
		if e.value = b.values[e.id]; e.value == "" {
			return "", fmt.Errorf("%v is there, deleted, and was never shown", e.id)
		}
	}
	s := b.entries[e.value]
	switch {
	case s == nil:
		return "", fmt.Errorf("%v: %s is there and was never added", e.id, e.value)
	case s.refused:
		return "", fmt.Errorf("%v: %s is there and was refused", e.id, e.value)
	case s.id == streamID{}:
		if other, taken := b.values[e.id]; taken {
			return "", fmt.Errorf("%v is %s, and was %s before", e.id, e.value, other)
		}
		s.id = e.id
		b.values[e.id] = e.value
		b.known = append(b.known, s)
	case s.id != e.id:
		return "", fmt.Errorf("%s is there twice: %v and %v", e.value, s.id, e.id)
	}
	s.there = min(s.there, before)
	return e.value, nil
}

// refuse notes that an entry was not added. tooSmall is the id that was the reason.
func (b *streamBook) refuse(value string, tooSmall streamID, r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[value].refused = true
	if tooSmall != (streamID{}) {
		b.rejected = append(b.rejected, dated{id: tooSmall, after: r.Call, before: r.Return})
	}
}

// deletion notes that an entry is about to be deleted.
func (b *streamBook) deletion(value string, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[value].deleting = min(b.entries[value].deleting, now)
}

// deletionDone notes an acknowledged deletion.
func (b *streamBook) deletionDone(value string, r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[value].deleted = min(b.entries[value].deleted, r.Return)
}

// deliver notes that a question for new entries was answered with one.
func (b *streamBook) deliver(value string, to consumer, r Result) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[value]
	if e.got++; e.got > 1 {
		return fmt.Errorf("%v: %s was delivered as new to %v and to %v", e.id, value, e.owner, to)
	}
	e.owner = to
	e.delivered = dated{id: e.id, after: r.Call, before: r.Return}
	return nil
}

func (b *streamBook) ack(value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[value].acked = true
}

// losePoll notes a question for new entries that was not answered.
func (b *streamBook) losePoll(by consumer, sent int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lostPolls = append(b.lostPolls, lostPoll{by, sent})
}

// undecide counts an operation of unknown outcome, and crowded reports whether there
// are as many as can be judged.
func (b *streamBook) undecide() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.undecided++
}

func (b *streamBook) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.undecided >= maxUnknown
}

// recent returns copies of up to n entries that became known last and that keep
// wants; n < 0: of all.
func (b *streamBook) recent(n int, keep func(sentEntry) bool) []sentEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []sentEntry
	for _, e := range slices.Backward(b.known) {
		if len(list) == n {
			break
		}
		if keep(*e) {
			list = append(list, *e)
		}
	}
	return list
}

// newest is the largest id known.
func (b *streamBook) newest() (id streamID) {
	for _, e := range b.recent(-1, func(sentEntry) bool { return true }) {
		if e.id.compare(id) > 0 {
			id = e.id
		}
	}
	return id
}

// valueOf is the entry with an id.
func (b *streamBook) valueOf(id streamID) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	value, ok := b.values[id]
	return value, ok
}

// length bounds what XLEN may answer between two moments.
func (b *streamBook) length(call, returned int64) (least, most int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if e.there < call && e.deleting > returned {
			least++
		}
		if e.sent < returned && !e.refused && e.deleted > call {
			most++
		}
	}
	return least, most
}

// wrong finds what is wrong with the order of ids: of two entries the later one has the
// larger, new entries are delivered in their order, and an id is refused only when
// there was one as large.
func (b *streamBook) wrong() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var added, delivered []dated
	for _, e := range b.known {
		added = append(added, dated{e.id, e.sent, e.there})
		if e.got > 0 {
			delivered = append(delivered, e.delivered)
		}
	}
	if first, second, ok := disorder(added); !ok {
		list = append(list, fmt.Sprintf("%v was added before %v (%s)", first.id, second.id, second.moment()))
	}
	if first, second, ok := disorder(delivered); !ok {
		list = append(list, fmt.Sprintf("%v was delivered before %v (%s)", first.id, second.id, second.moment()))
	}
	for _, r := range b.rejected {
		if !slices.ContainsFunc(added, func(d dated) bool { return d.id.compare(r.id) >= 0 && d.after <= r.before }) {
			list = append(list, fmt.Sprintf("the id %v was refused as too small, and there was none as large (%s)", r.id, r.moment()))
		}
	}
	return list
}

func (d dated) moment() string { return between(d.after, d.before) }
