package node

import (
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

// Clients that wait for a key. How a command comes to wait, and what it waits for, is
// said in command/block.go; who is served next, in waits.go.
//
// A client that waits executes nothing: its goroutine reads on, so that it notices the
// client leave, but what arrives stays in the buffer. When a unit has ended, the
// goroutine that ran it runs the commands that it woke again, still under the
// engine's lock. Each is a unit of its own, the next in the log, and is admitted like
// any write: a primary that may not write serves nobody. The reply is handed to
// the client's own goroutine, which sends it like the replies of a chunk: it judges
// the lease of the tenure that the command ran in, and holds the reply until the
// commit.
//
// Nothing waits on with a node that has become another: when a primary leaves its
// place, or data is loaded anew, all are told so and their connections end.

const errUnblockedByRole = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"

const errUnblockedByClient = "UNBLOCKED client unblocked via CLIENT UNBLOCK"

// farAway is from when on a timeout is as good as none: Go's times end in 292 years.
const farAway = 100 * 365 * 24 * time.Hour

// long past: a read deadline that wakes a connection's goroutine.
var longPast = time.Unix(1, 0)

// blockedClient is a client that waits, and what came of it. But for what mu guards it
// is guarded by the engine's lock, which is taken before mu.
type blockedClient struct {
	waiter
	c         *conn
	cmd       *command.Command
	args      [][]byte
	more      bool // run again, the command found nothing again
	postponed bool // by CLIENT PAUSE, after a key has woken it
	// tenure is the one in which the wait began; nil: in none.
	tenure *tenure

	mu      sync.Mutex
	over    bool     // nobody may serve it any more
	outcome *outcome // what it is answered; nil while it waits, or when its goroutine ended it
}

// outcome is the answer to a client that waited.
type outcome struct {
	reply  []byte
	seq    uint64  // that the reply waits for
	tenure *tenure // in which it was made; nil: in none
	err    error   // why there is no reply: the connection ends
	last   bool    // the connection ends after it
}

// Block implements command.Blocker: it lets c wait.
func (c *conn) Block(w command.Wait) {
	e := c.srv.engine
	if b := c.blocked; b != nil {
		b.more = true // it keeps its place
		return
	}
	b := &blockedClient{c: c, cmd: e.ctx.Cmd, args: copyArgs(w.Args), tenure: e.primary}
	b.waiter = waiter{typ: w.Type, anyChange: w.AnyChange, client: b}
	memory := queuedMemory + argsMemory(b.args)
	for _, k := range w.Keys {
		b.keys = append(b.keys, watchKey{c.db, string(k)})
		memory += watchedMemory + int64(len(k))
	}
	e.waits.add(&b.waiter)
	c.blocked, c.waited, c.blockedMemory = b, b, memory
	deadline := time.Time{}
	if at := time.UnixMilli(w.Until); w.Until > 0 && at.Before(time.Now().Add(farAway)) {
		deadline = at
	}
	// Set before anybody can serve it, who sets another one.
	c.nc.SetReadDeadline(deadline)
	c.deadline = true
}

// copyArgs returns arguments that alias the connection's buffer as a copy of one
// allocation.
func copyArgs(args [][]byte) [][]byte {
	total := 0
	for _, a := range args {
		total += len(a)
	}
	block := make([]byte, 0, total)
	kept := make([][]byte, len(args))
	for i, a := range args {
		block = append(block, a...)
		kept[i] = block[len(block)-len(a) : len(block) : len(block)]
	}
	return kept
}

// argsMemory is what copied arguments take.
func argsMemory(args [][]byte) int64 {
	memory := argMemory * int64(len(args))
	for _, a := range args {
		memory += int64(len(a))
	}
	return memory
}

// wake hears that a key has changed.
func (e *engine) wake(db int, key []byte) {
	if q := e.waits.queues[watchKey{db, string(key)}]; q != nil {
		k := watchKey{db, string(key)}
		e.waits.touched(k, e.holds(k))
	}
}

func (e *engine) holds(k watchKey) content {
	ref, found := e.ks.DB(k.db).Lookup([]byte(k.key))
	if !found {
		return content{}
	}
	return content{found: true, typ: ref.Type()}
}

// serveBlocked runs the commands of clients that the units before it have woken. The
// engine's lock is held, hold has been called. The error is that the term is over.
func (e *engine) serveBlocked() (served bool, err error) {
	for _, b := range e.pause.due(e.ctx.Now) {
		if b.c.blocked != b {
			continue
		}
		served = true
		if err = e.runAgain(b); err != nil {
			return served, err
		}
	}
	if len(e.waits.ready) == 0 {
		return served, nil
	}
	err = e.waits.serve(e.holds, func(w *waiter) error {
		served = true
		return e.runAgain(w.client)
	})
	return served, err
}

// runAgain runs the command of a client that waits once more.
func (e *engine) runAgain(b *blockedClient) error {
	c := b.c
	b.mu.Lock() // until it is decided, its goroutine cannot end the wait
	defer b.mu.Unlock()
	if b.over || c.ctx.Err() != nil {
		e.unblock(b) // it is about to go
		return nil
	}
	if e.pause.holds(b.cmd.Flags, e.ctx.Now) {
		e.pause.postpone(b)
		return nil
	}
	e.begin()
	b.more = false
	out := &resp.Writer{Proto: c.proto, Limit: c.srv.replyLimit()}
	if err := c.admit(b.cmd, b.args); err != nil {
		out.Error(err.Error())
		e.stats.of(b.cmd).rejected++
		e.stats.errorReply(out.B)
	} else {
		e.invokeAlone(c, out, b.cmd, b.args)
	}
	seq, err := e.finish()
	switch {
	case err != nil:
		return err
	case b.more:
		return nil
	case out.Over:
		e.resolve(b, &outcome{err: errOutputLimit})
	default:
		e.resolve(b, &outcome{reply: out.B, seq: seq})
	}
	return nil
}

// resolve ends the wait of b, whose mu is held, and wakes its goroutine.
func (e *engine) resolve(b *blockedClient, o *outcome) {
	e.unblock(b)
	b.over, b.outcome = true, o
	if o.tenure = e.primary; o.tenure != nil {
		e.gate.enter() // until its goroutine has settled it
	}
	b.c.nc.SetReadDeadline(longPast)
}

// unblock takes b out of the table.
func (e *engine) unblock(b *blockedClient) {
	e.waits.remove(&b.waiter)
	if b.c.blocked == b {
		b.c.blocked = nil
	}
}

// ending is how a wait ends but by being served.
type ending uint8

const (
	byTimeout ending = iota // also by CLIENT UNBLOCK
	byClient                // CLIENT UNBLOCK ERROR
	byRole                  // the node is not what it was
)

// end ends the wait of b, whose mu is held, without its command having been served.
func (e *engine) end(b *blockedClient, how ending) {
	if b.tenure != nil && b.tenure != e.primary {
		how = byRole // it cannot be told that nothing came: it may have, elsewhere
	}
	out := &resp.Writer{Proto: b.c.proto}
	switch how {
	case byTimeout:
		out.NullArray()
	case byClient:
		out.Error(errUnblockedByClient)
	case byRole:
		out.Error(errUnblockedByRole)
	}
	e.count(b.cmd, out.B)
	e.resolve(b, &outcome{reply: out.B, seq: e.dependsOn(b.cmd, b.args), last: how == byRole})
}

// tryEnd is end for another goroutine than the client's own. It reports whether b
// still waited.
func (e *engine) tryEnd(b *blockedClient, how ending) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return false
	}
	e.end(b, how)
	return true
}

// unblockAll tells everybody who waits that the node is not what it was. Who is paused
// finds out by trying again.
func (e *engine) unblockAll() {
	for _, w := range e.waits.all() {
		e.tryEnd(w.client, byRole)
	}
	e.waits = newWaitTable()
	e.pause.woken = nil
	e.pause.wake()
}
