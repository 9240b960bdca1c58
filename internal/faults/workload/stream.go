package workload

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Streams adds to, deletes from and reads streams: XADD with ids of its own and of the
// server, XDEL, XRANGE, XREVRANGE, XLEN; and has a group of consumers that share the
// work: XREADGROUP, XACK, XCLAIM, XPENDING.
type Streams struct {
	env *Env
	ops operations // by entry

	mu    sync.Mutex
	books map[string]*streamBook // by stream
}

// NewStreams is the workload of one round.
func NewStreams(env *Env) *Streams { return &Streams{env: env, books: map[string]*streamBook{}} }

const (
	streamClients = 4
	streamGroup   = "g"
	streamWindow  = 8   // entries that a read is to show, and that are deleted or claimed
	streamBlock   = 100 // ms, far less than replyTimeout
	streamPending = 100_000
)

// Name is "stream".
func (w *Streams) Name() string { return "stream" }

// Clients share few keys, so that operations on one key overlap. Each is a consumer.
func (w *Streams) Clients() int { return streamClients }

// Operations is how many answers about single entries were recorded.
func (w *Streams) Operations() int { return w.ops.count() }

func (w *Streams) book(stream string) *streamBook {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.books[stream] == nil {
		w.books[stream] = newStreamBook()
	}
	return w.books[stream]
}

// streamUser is one client's use of one stream.
type streamUser struct {
	w       *Streams
	c       *Client
	stream  string
	book    *streamBook
	me      consumer
	inGroup bool                // the group was created
	held    map[string]streamID // what it was given and has not acknowledged, by value
}

func (w *Streams) user(c *Client, stream string, me consumer) *streamUser {
	return &streamUser{w: w, c: c, stream: stream, book: w.book(stream), me: me, held: map[string]streamID{}}
}

// Run uses streams at random.
func (w *Streams) Run(ctx context.Context, n int, c *Client) {
	users := map[string]*streamUser{}
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		stream := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(2))
		u := users[stream]
		if u == nil {
			u = w.user(c, stream, consumer(n+1))
			users[stream] = u
		}
		switch p := c.Rand.IntN(100); {
		case !u.join():
		case p < 30 || u.book.crowded():
			u.look()
		case p < 55:
			u.add(fmt.Sprintf("%d.%d", n, i))
		case p < 60:
			u.delete()
		default:
			u.consume()
		}
	}
}

// join creates the group unless there is one.
func (u *streamUser) join() bool {
	if u.inGroup {
		return true
	}
	r := u.c.Write("XGROUP", "CREATE", u.stream, streamGroup, "0", "MKSTREAM")
	if r.Outcome == Done && (r.Err == nil || strings.HasPrefix(r.Err.Error(), "BUSYGROUP")) {
		u.inGroup = true
	} else {
		u.w.env.reportError(u.w.Name(), r, "XGROUP CREATE", u.stream)
	}
	return u.inGroup
}

// entry names the history of an entry.
func (u *streamUser) entry(value string) string { return u.stream + "#" + value }

// note records what r tells of one entry.
func (u *streamUser) note(value string, r Result, op entryOp, output any) {
	u.w.ops.addWrite(u.entry(value), r, op, output)
	if r.Outcome == Unknown || r.Outcome == Done && r.Err != nil {
		u.book.undecide()
	}
}

// report adds a violation unless err is nil.
func (u *streamUser) report(err error) {
	if err != nil {
		u.w.env.Report(u.w.Name(), "%s: %v", u.stream, err)
	}
}

// answered reports whether the server answered, and reports what it should not answer.
func (u *streamUser) answered(r Result, command []any) bool {
	return !u.w.env.reportError(u.w.Name(), r, command...) && r.Outcome == Done
}

// tooSmall is how XADD refuses an id.
const tooSmall = "equal or smaller than the target stream top item"

// add adds an entry, often under an id that somebody else may choose as well.
func (u *streamUser) add(value string) {
	var id streamID
	name := "*"
	if newest := u.book.newest(); newest != (streamID{}) && u.c.Rand.IntN(2) == 0 {
		id = streamID{newest.ms, newest.seq + uint64(u.c.Rand.IntN(3))}
		name = id.String()
	}
	u.book.send(value, u.w.env.Clock.Now())
	command := []any{"XADD", u.stream, name, streamField, value}
	r := u.c.Write(command...)
	switch {
	case r.Outcome == Refused:
		u.book.refuse(value, streamID{}, r)
		return
	case r.Outcome == Done && r.Err != nil && name != "*" && strings.Contains(r.Err.Error(), tooSmall):
		u.book.refuse(value, id, r)
		return
	}
	u.note(value, r, entryOp{kind: "add"}, true)
	if !u.answered(r, command) {
		return
	}
	got, err := parseStreamID(r.Value)
	if err == nil && id != (streamID{}) && got != id {
		err = fmt.Errorf("the answer is %v", got)
	}
	if err != nil {
		u.report(fmt.Errorf("%v: %w", command, err))
		return
	}
	_, err = u.book.show(shownEntry{got, value}, r.Return)
	u.report(err)
}

// pick chooses one of the entries that became known last; ok when there is one.
func (u *streamUser) pick(keep func(sentEntry) bool) (e sentEntry, ok bool) {
	list := u.book.recent(streamWindow, keep)
	if len(list) == 0 {
		return e, false
	}
	return list[u.c.Rand.IntN(len(list))], true
}

func (u *streamUser) delete() {
	e, ok := u.pick(func(sentEntry) bool { return true })
	if !ok {
		return
	}
	u.book.deletion(e.value, u.w.env.Clock.Now())
	command := []any{"XDEL", u.stream, e.id.String()}
	r := u.c.Write(command...)
	u.note(e.value, r, entryOp{kind: "del"}, r.Int())
	if u.answered(r, command) && r.Int() == 1 {
		u.book.deletionDone(e.value, r)
	}
}

func (u *streamUser) look() {
	switch p := u.c.Rand.IntN(100); {
	case p < 15:
		u.length()
	case p < 30:
		u.pending()
	default:
		from := streamID{}
		if e, ok := u.pick(func(sentEntry) bool { return true }); ok {
			from = e.id
		}
		u.read(from, u.c.Rand.IntN(3) == 0)
	}
}

func (u *streamUser) length() Result {
	r := u.c.Read("XLEN", u.stream)
	if u.answered(r, []any{"XLEN", u.stream}) {
		if least, most := u.book.length(r.Call, r.Return); r.Int() < least || r.Int() > most {
			u.report(fmt.Errorf("XLEN is %d, but at least %d entries are there and at most %d", r.Int(), least, most))
		}
	}
	return r
}

// read reads all entries from an id on; each known one is there or not.
func (u *streamUser) read(from streamID, backward bool) Result {
	command := []any{"XRANGE", u.stream, from.String(), "+"}
	if backward {
		command = []any{"XREVRANGE", u.stream, "+", from.String()}
	}
	r := u.c.Read(command...)
	if !u.answered(r, command) {
		return r
	}
	if list, ok := r.Value.([]any); ok && backward {
		r.Value = reversed(list)
	}
	entries, err := parseEntries(r.Value)
	if err != nil {
		u.report(fmt.Errorf("%v: %w", command, err))
		return r
	}
	shown := u.showAll(entries, r)
	for value := range shown {
		u.note(value, r, entryOp{kind: "see"}, true)
	}
	for _, e := range u.book.recent(-1, func(e sentEntry) bool { return e.id.compare(from) >= 0 && !shown[e.value] }) {
		u.note(e.value, r, entryOp{kind: "see"}, false)
	}
	return r
}

func reversed(list []any) []any {
	back := make([]any, len(list))
	for i, v := range list {
		back[len(list)-1-i] = v
	}
	return back
}

// showAll notes that entries are there and returns their values.
func (u *streamUser) showAll(entries []shownEntry, r Result) map[string]bool {
	shown := map[string]bool{}
	for _, e := range entries {
		value, err := u.book.show(e, r.Return)
		if err != nil {
			u.report(err)
			continue
		}
		shown[value] = true
	}
	return shown
}
