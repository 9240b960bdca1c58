package workload

import (
	"context"
	"errors"
	"fmt"
)

// consume does what a consumer of the group does.
func (u *streamUser) consume() {
	for value, id := range u.held {
		if u.c.Rand.IntN(2) == 0 {
			u.ack(value, id)
			return
		}
		break
	}
	switch p := u.c.Rand.IntN(100); {
	case p < 70:
		u.poll(1+u.c.Rand.IntN(3), u.c.Rand.IntN(4) == 0)
	case p < 85:
		u.mine()
	default:
		u.claim()
	}
}

// poll asks for entries that nobody in the group has got, and may wait for them.
func (u *streamUser) poll(count int, block bool) Result {
	command := []any{"XREADGROUP", "GROUP", streamGroup, u.me.String(), "COUNT", count}
	if block {
		command = append(command, "BLOCK", streamBlock)
	}
	command = append(command, "STREAMS", u.stream, ">")
	r := u.c.Write(command...)
	if r.Outcome == Unknown || r.Outcome == Done && r.Err != nil {
		u.book.losePoll(u.me, r.Call)
		u.book.undecide()
	}
	if !u.answered(r, command) {
		return r
	}
	entries, err := parseReadEntries(r.Value)
	if err != nil {
		u.book.losePoll(u.me, r.Call)
		u.report(fmt.Errorf("%v: %w", command, err))
		return r
	}
	shown := u.showAll(entries, r)
	for _, e := range entries {
		if e.value == "" {
			u.report(fmt.Errorf("%v was delivered as new, and deleted", e.id))
		}
		if !shown[e.value] {
			continue // was reported
		}
		u.held[e.value] = e.id
		u.report(u.book.deliver(e.value, u.me, r))
		u.note(e.value, r, entryOp{kind: "deliver", by: u.me}, true)
	}
	// What comes before the last one, or at all when there was room, somebody else
	// has got, or nobody can.
	upTo := lastStreamID
	if len(entries) == count {
		upTo = entries[count-1].id
	}
	for _, e := range u.book.recent(-1, func(e sentEntry) bool { return e.got == 0 && e.id.compare(upTo) < 0 }) {
		u.note(e.value, r, entryOp{kind: "skip", by: u.me}, true)
	}
	return r
}

// mine reads again what it was given and has not acknowledged.
func (u *streamUser) mine() {
	command := []any{"XREADGROUP", "GROUP", streamGroup, u.me.String(), "STREAMS", u.stream, "0"}
	r := u.c.Write(command...)
	if !u.answered(r, command) {
		return
	}
	entries, err := parseReadEntries(r.Value)
	if err != nil {
		u.report(fmt.Errorf("%v: %w", command, err))
		return
	}
	pending := map[string]bool{}
	for _, e := range entries {
		life := "there"
		if e.value == "" {
			life = "deleted"
		}
		value, err := u.book.show(e, r.Return)
		if err != nil {
			u.report(err)
			continue
		}
		pending[value] = true
		u.held[value] = e.id // perhaps from an answer that was lost
		u.note(value, r, entryOp{kind: "mine", by: u.me}, life)
	}
	for value := range u.held {
		if !pending[value] {
			u.note(value, r, entryOp{kind: "mine", by: u.me}, "")
			delete(u.held, value) // somebody has claimed it
		}
	}
}

func (u *streamUser) ack(value string, id streamID) {
	command := []any{"XACK", u.stream, streamGroup, id.String()}
	r := u.c.Write(command...)
	u.note(value, r, entryOp{kind: "ack"}, r.Int())
	if r.Outcome == Refused {
		return
	}
	delete(u.held, value)
	if u.answered(r, command) && r.Int() == 1 {
		u.book.ack(value)
	}
}

// claim takes over what somebody was given.
func (u *streamUser) claim() {
	e, ok := u.pick(func(e sentEntry) bool { return e.got > 0 && !e.acked })
	if !ok {
		return
	}
	command := []any{"XCLAIM", u.stream, streamGroup, u.me.String(), 0, e.id.String()}
	r := u.c.Write(command...)
	entries, err := parseEntries(r.Value)
	if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0] != (shownEntry{e.id, e.value}) {
		u.report(fmt.Errorf("%v was answered with %v", command, r.Value))
		r.Outcome = Unknown // what it did is not what it says
	}
	u.note(e.value, r, entryOp{kind: "claim", by: u.me}, len(entries) == 1)
	if u.answered(r, command) && len(entries) == 1 {
		u.held[e.value] = e.id
	}
}

// pending reads with whom every entry is pending.
func (u *streamUser) pending() Result {
	command := []any{"XPENDING", u.stream, streamGroup, "-", "+", streamPending}
	r := u.c.Read(command...)
	if !u.answered(r, command) {
		return r
	}
	all, err := parsePending(r.Value)
	if err != nil {
		u.report(fmt.Errorf("%v: %w", command, err))
		return r
	}
	pending := map[string]bool{}
	for _, p := range all {
		// An entry that was delivered by an answer that was lost may not be known yet.
		if value, known := u.book.valueOf(p.id); known {
			pending[value] = true
			u.note(value, r, entryOp{kind: "owner"}, p.owner)
		}
	}
	for _, e := range u.book.recent(-1, func(e sentEntry) bool { return e.got > 0 && !e.acked && !pending[e.value] }) {
		u.note(e.value, r, entryOp{kind: "owner"}, consumer(0))
	}
	return r
}

// Check judges every entry on its own, and the order of each stream's.
func (w *Streams) Check(ctx context.Context, c *Client) error {
	w.mu.Lock()
	books := w.books
	w.mu.Unlock()
	for stream, book := range books {
		u := w.user(c, stream, streamClients+1)
		// What nobody has got comes now.
		for _, step := range []func() Result{
			func() Result { return u.joined() },
			func() Result { return u.poll(streamPending, false) },
			func() Result { return u.read(streamID{}, false) },
			func() Result { return u.length() },
			func() Result { return u.pending() },
		} {
			if err := untilDone(ctx, c, step); err != nil {
				return fmt.Errorf("%s: read %s back: %w", w.Name(), stream, err)
			}
		}
		for _, what := range book.wrong() {
			u.report(errors.New(what))
		}
		w.addLostPolls(u)
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), entryModel)
}

// joined is join for those who wait.
func (u *streamUser) joined() Result {
	if u.join() {
		return Result{Outcome: Done}
	}
	return Result{Outcome: Refused}
}

// addLostPolls lets each question that was not answered have got any entry of the
// stream that no answered one has got. Where one has, a lost one can have changed
// nothing that the history allows.
func (w *Streams) addLostPolls(u *streamUser) {
	u.book.mu.Lock()
	defer u.book.mu.Unlock()
	for value, e := range u.book.entries {
		if e.got > 0 || e.refused {
			continue
		}
		for _, p := range u.book.lostPolls {
			w.ops.addWrite(u.entry(value), Result{Outcome: Unknown, Call: p.sent, Return: Never}, entryOp{kind: "deliver", by: p.by}, nil)
		}
	}
}

// untilDone repeats a step until a server has answered it.
func untilDone(ctx context.Context, c *Client, step func() Result) error {
	for r := step(); r.Outcome != Done; r = step() {
		if !c.Connect(ctx) || !c.Think(ctx) {
			return fmt.Errorf("%w (last: %v)", ctx.Err(), r.Err)
		}
	}
	return nil
}
