package node

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/node/resp"
)

// Bounds of what one connection does and holds.
const (
	// maxChunk is how many pipelined commands run under one hold of the
	// engine's lock.
	maxChunk = 128
	// maxChunkReply is how many bytes of replies a chunk produces before it
	// lets go of the lock, give or take one reply.
	maxChunkReply = 256 << 10
	// maxChunkArgs is how many arguments the commands of a chunk have before it
	// takes no more, give or take one command.
	maxChunkArgs = 16 << 10
	// maxHold is how long a chunk goes on after a command that took its time.
	// Others wait for the lock meanwhile, and a pipeline of slow commands is no
	// reason to make them wait for all of it.
	maxHold = time.Millisecond
	// maxHeld is how many bytes of replies may wait for a commit before the
	// connection stops reading.
	maxHeld = 1 << 20
	// smallBuffer is a read buffer, in bytes, that an idle connection may keep;
	// a larger one is given back after idleAfter.
	smallBuffer = 1 << 10
	idleAfter   = 2 * time.Second
	// quitGrace is how long a connection that said goodbye waits for its
	// held replies to be committed and sent.
	quitGrace = 5 * time.Second
)

// errGoodbye: the conversation is over: QUIT, CLIENT KILL of itself, or bytes
// that are no commands.
var errGoodbye = errors.New("node: conversation ended")

// conn is one client's connection. Its session state is guarded by the
// engine's lock.
type conn struct {
	srv        *server
	id         int64
	nc         net.Conn
	ctx        context.Context // ends with the connection, for whatever it waits for
	rd         *resp.Reader
	out        *output
	created    time.Time
	deadline   bool         // a read deadline may be set
	bufferSize atomic.Int64 // of the reader, for CLIENT LIST
	received   atomic.Int64 // bytes in it
	newLimits  atomic.Bool  // CONFIG SET changed the protocol's limits
	noEvict    atomic.Bool  // CLIENT NO-EVICT ON
	mem        footprint
	weighed    int64      // what weigh has last found
	turns      turnLength // of its holds of the engine's lock

	// The chunk being executed.
	*chunk
	quit bool // close once the chunk's replies are sent
	slow bool // the last command may have taken its time

	// blocked is set while the client waits for a key, under the engine's lock; waited
	// until its goroutine has seen to the end of that.
	blocked, waited *blockedClient
	blockedMemory   int64 // what waiting takes
	monitors        bool  // MONITOR was sent
	postponed       bool  // the command that is next waits for the end of CLIENT PAUSE

	session
}

// session is what a connection has set, as RESET returns it to.
type session struct {
	db            int
	proto         int
	name          string
	libName       string
	libVer        string
	account       *account // whom it is logged in as
	authenticated bool
	readonly      bool // READONLY was sent: reads from a replica are accepted
	reply         replyMode
	tx            *transaction
	lastCommand   string
	lastActive    time.Time
	watching      []*watched
	watchMemory   int64 // what watching takes
	watchBroken   bool
}

// replyMode is set by CLIENT REPLY.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // CLIENT REPLY SKIP itself
	replySkip     // the command after it
)

// chunk is the memory of one round of commands. It is pooled, so that idle
// connections hold none.
type chunk struct {
	w     *resp.Writer
	args  [][]byte // arguments of all commands
	ends  []int    // ends[i] is where command i ends in args
	marks []mark
}

var chunks = sync.Pool{New: func() any { return &chunk{w: &resp.Writer{Proto: 2}} }}

func (ch *chunk) release() {
	// One huge reply or pipeline must not stay in the pool. Room for many
	// arguments would make whoever gets it next look like somebody who sent them.
	if cap(ch.w.B) > 2*maxChunkReply || argMemory*cap(ch.args) > patient/2 {
		return
	}
	clear(ch.args[:cap(ch.args)])
	ch.w.B, ch.args, ch.ends, ch.marks = ch.w.B[:0], ch.args[:0], ch.ends[:0], ch.marks[:0]
	ch.w.Over = false
	chunks.Put(ch)
}

// serve reads and runs commands until the connection ends.
func (c *conn) serve() error {
	for {
		if err := c.fill(); err != nil {
			return err
		}
		c.chunk = chunks.Get().(*chunk)
		err := c.runBuffered()
		c.received.Store(int64(c.rd.Buffered()))
		c.chunk.release()
		c.chunk = nil
		if err != nil {
			return err
		}
	}
}

// fill reads what has arrived, waiting for it at most as long as `timeout`. A
// client found idle gives back the buffer that a busier time has left it.
func (c *conn) fill() error {
	if c.newLimits.Swap(false) {
		c.rd.SetLimits(c.srv.cfg.limits())
	}
	timeout := time.Duration(c.srv.cfg.timeout.Load()) * time.Second
	if c.rd.Size() > smallBuffer && c.rd.Buffered() == 0 && (timeout == 0 || timeout > idleAfter) {
		err := c.fillWithin(idleAfter)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.rd.Release()
		c.bufferSize.Store(int64(c.rd.Size()))
		timeout = max(0, timeout-idleAfter)
	}
	return c.fillWithin(timeout)
}

// fillWithin reads, waiting at most d; 0 waits for as long as it takes.
func (c *conn) fillWithin(d time.Duration) error {
	switch {
	case d > 0:
		c.deadline = true
		c.nc.SetReadDeadline(time.Now().Add(d))
	case c.deadline:
		c.deadline = false
		c.nc.SetReadDeadline(time.Time{})
	}
	err := c.rd.Fill(c)
	c.bufferSize.Store(int64(c.rd.Size()))
	c.received.Store(int64(c.rd.Received()))
	return err
}

// Read reads from the client, counting, for the reader's Fill. By now Fill has
// made room for it.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.makeWay(c.ctx); err != nil {
		return 0, err
	}
	n, err := c.nc.Read(b)
	c.srv.engine.stats.netInput.Add(uint64(n))
	return n, err
}

// runBuffered runs every whole command that has been read.
func (c *conn) runBuffered() error {
	for {
		protocolErr := c.parse()
		if err := c.makeWay(c.ctx); err != nil {
			return err
		}
		for next := 0; next < len(c.ends) && !c.quit; {
			if err := c.out.wait(maxHeld); err != nil {
				return err
			}
			if err := c.srv.engine.waitRoom(c.ctx); err != nil {
				return err
			}
			var err error
			if next, err = c.execute(next); err != nil {
				return err
			}
			if c.postponed {
				if err = c.awaitUnpaused(next, protocolErr != nil); err != nil {
					return err
				}
			}
			if c.waited != nil {
				if err = c.awaitServed(next, protocolErr != nil); err != nil {
					return err
				}
			}
		}
		if protocolErr != nil && !c.quit {
			c.w.Error("ERR " + protocolErr.Error())
			if err := c.out.send(c.w.B, []mark{{end: len(c.w.B)}}, c.srv.engine.gate, 0); err != nil {
				return err
			}
		}
		if c.quit || protocolErr != nil {
			c.out.drain(quitGrace)
			return errors.Join(errGoodbye, protocolErr)
		}
		if len(c.ends) == 0 {
			return nil
		}
	}
}

// parse collects whole commands from the reader's buffer, up to maxChunk.
func (c *conn) parse() error {
	c.args, c.ends = c.args[:0], c.ends[:0]
	for len(c.ends) < maxChunk && len(c.args) < maxChunkArgs {
		args, ok, err := c.rd.Next()
		if err != nil || !ok {
			return err
		}
		if len(args) == 0 {
			continue
		}
		c.args = append(c.args, args...)
		c.ends = append(c.ends, len(c.args))
		if !c.authenticated {
			return nil // AUTH changes the limits that the next one is read under
		}
	}
	return nil
}

// execute runs parsed commands from number next on under one hold of the
// engine's lock, until all ran, enough replies have gathered or enough time has
// passed, and sends their replies. It returns the number of the first that did
// not run.
func (c *conn) execute(next int) (int, error) {
	c.w.Limit = c.srv.replyLimit()
	e := c.srv.engine
	long := c.turns.long(func() bool { return c.fast(e.table) })
	e.turns.take(long)
	if c.ctx.Err() != nil { // evicted, most likely, while it waited
		e.turns.end(long)
		return next, c.out.over()
	}
	tenure := e.primary
	if tenure != nil {
		e.gate.enter()
	}
	now := time.Now()
	e.hold(now)
	err := error(nil)
	for more := true; more && next < len(c.ends) && !e.queueFull(); {
		start := 0
		if next > 0 {
			start = c.ends[next-1]
		}
		if err = c.run(c.args[start:c.ends[next]]); c.postponed {
			break
		}
		next++
		more = err == nil && !c.quit && c.waited == nil && len(c.w.B) < maxChunkReply && e.primary == tenure &&
			(!c.slow || time.Since(now) < maxHold)
	}
	c.lastActive = now
	c.weigh()
	took := time.Since(now)
	e.readClock(now.Add(took).Sub(e.stats.started))
	c.turns.note(took)
	e.turns.end(long)
	free, err := c.settle(tenure, err)
	c.srv.evict(c.weighed > patient)
	if err != nil {
		return next, err
	}
	return next, c.flush(free)
}

// settle judges the replies of a chunk that was executed in a tenure, or in none,
// and holds back those that wait. It returns how much may be written at once.
func (c *conn) settle(tenure *tenure, err error) (free int, _ error) {
	g, gen := c.srv.engine.gate, uint64(0)
	if tenure != nil {
		defer g.leave()
		gen = tenure.gen
	}
	switch {
	case err != nil:
		return 0, err
	case tenure != nil && !tenure.term.Valid():
		// DESIGN invariant 3: the lease's deadline is judged after the commands
		// ran and before any of their replies leaves. A process that was stopped
		// between a check and the read would answer from the past.
		return 0, errLost
	}
	return c.out.take(c.w.B, c.marks, g, gen)
}

// flush writes the replies of a chunk that need not wait. The memory of large
// ones goes with them.
func (c *conn) flush(free int) error {
	err := c.out.flush(c.w.B[:free])
	if len(c.w.B) > maxChunkReply {
		c.w.B = nil
		c.weigh()
	}
	c.w.B, c.marks = c.w.B[:0], c.marks[:0]
	return err
}

// mark notes that what was written to the chunk since the last mark waits for
// seq. Replies of one connection keep their order, so a reply may as well wait
// with the one before it.
func (c *conn) mark(seq uint64) {
	end := len(c.w.B)
	if n := len(c.marks); n > 0 {
		if seq <= c.marks[n-1].seq {
			c.marks[n-1].end = end
			return
		}
	}
	c.marks = append(c.marks, mark{end: end, seq: seq})
}
