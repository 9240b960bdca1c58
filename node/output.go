package node

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errOutputLimit: the client did not read its replies and passed
// client-output-buffer-limit.
var errOutputLimit = errors.New("node: client output buffer limit reached")

// errLost: the connection waited for a write whose epoch ended first; its
// outcome is for the client to find out from the next primary.
var errLost = errors.New("node: the epoch ended before the write was committed")

// output is the sending half of a connection. Replies leave in order; one that
// waits for a commit holds back those after it. Replies that need not wait
// are written by the connection's own goroutine; held ones by a second
// goroutine that is started when the connection first needs it.
type output struct {
	nc    net.Conn
	limit func() outputLimit
	count *atomic.Uint64 // bytes sent by all connections; may be nil
	mem   *footprint     // of the connection, for what is held; may be nil
	ended func()         // called once when nothing is sent any more; may be nil

	mu       sync.Mutex
	changed  sync.Cond // on mu: something was released, written or cut
	held     []heldReply
	heldSize int64
	released uint64 // replies that wait for this seq or less may leave
	writing  bool   // somebody is writing to nc without the lock
	started  bool   // the second goroutine runs
	err      error  // why nothing is sent any more
	sent     int64
	softAt   time.Time // since when the soft limit is passed
	wg       sync.WaitGroup
}

// What the second goroutine keeps for the next time: a busier time must not
// leave a large buffer with every connection.
const (
	keepJoined = 4 << 10 // bytes
	keepHeld   = 64      // replies
)

type heldReply struct {
	seq uint64
	b   []byte
}

// mark says that the replies up to end (an offset) wait for seq.
type mark struct {
	end int
	seq uint64
}

func newOutput(nc net.Conn, limit func() outputLimit) *output {
	o := &output{nc: nc, limit: limit}
	o.changed.L = &o.mu
	return o
}

// send takes the replies of one chunk, executed in generation gen. What may
// leave at once is written before it returns; b may be reused then, unless it
// is longer than maxChunkReply: what is held of it is not copied.
func (o *output) send(b []byte, marks []mark, g *gate, gen uint64) error {
	free, err := o.take(b, marks, g, gen)
	if err != nil {
		return err
	}
	return o.flush(b[:free])
}

// take is the part of send that does not wait for the client: it holds back what
// has to wait for a commit and returns how much of b has not, for flush.
func (o *output) take(b []byte, marks []mark, g *gate, gen uint64) (free int, err error) {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return 0, o.err
	}
	released := o.released
	if len(o.held) == 0 && !o.writing {
		for len(marks) > 0 && marks[0].seq <= released {
			free, marks = marks[0].end, marks[1:]
		}
	}
	start := free
	for _, m := range marks {
		reply := b[start:m.end:m.end]
		if len(b) <= maxChunkReply {
			reply = append([]byte(nil), reply...)
		}
		o.held = append(o.held, heldReply{m.seq, reply})
		o.hold(len(reply), 1)
		start = m.end
	}
	if len(o.held) > 0 {
		o.startHeld()
	}
	err = o.judge(int64(free))
	switch {
	case err != nil:
	case free > 0:
		o.writing = true // what is held must not overtake it
	case len(marks) > 0:
		o.changed.Broadcast()
	}
	o.mu.Unlock()
	if err != nil {
		return 0, err
	}
	// Registered without the lock: the gate takes its own lock first.
	for _, m := range marks {
		if m.seq > released {
			g.hold(gen, m.seq, o)
		}
	}
	return free, nil
}

// flush writes what take has left to be written at once.
func (o *output) flush(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write(b)
}

// write sends b without the lock held; it returns with the lock.
func (o *output) write(b []byte) error {
	o.writing = true
	lim := o.limit()
	o.mu.Unlock()
	timed := lim.soft > 0 && int64(len(b)) > lim.soft
	if timed {
		o.nc.SetWriteDeadline(time.Now().Add(lim.softFor))
	}
	n, err := o.nc.Write(b)
	if timed {
		o.nc.SetWriteDeadline(time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errOutputLimit
		}
	}
	o.mu.Lock()
	o.writing = false
	o.sent += int64(n)
	if o.count != nil {
		o.count.Add(uint64(n))
	}
	if err != nil {
		o.fail(err)
	}
	o.changed.Broadcast()
	return err
}

// judge applies client-output-buffer-limit to what waits plus more bytes.
func (o *output) judge(more int64) error {
	lim, size := o.limit(), o.heldSize+more
	switch {
	case lim.hard > 0 && size > lim.hard:
		o.fail(errOutputLimit)
	case lim.soft > 0 && size > lim.soft:
		if o.softAt.IsZero() {
			o.softAt = time.Now()
		} else if time.Since(o.softAt) > lim.softFor {
			o.fail(errOutputLimit)
		}
	default:
		o.softAt = time.Time{}
	}
	return o.err
}

// hold accounts for replies that are held, or with negative numbers no more.
func (o *output) hold(bytes, replies int) {
	o.heldSize += int64(bytes)
	if o.mem != nil {
		o.mem.add(int64(bytes) + heldMemory*int64(replies))
	}
}

// writeHeld sends held replies as they are released.
func (o *output) writeHeld() {
	defer o.wg.Done()
	var joined []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		n := o.sendable()
		switch {
		case o.err != nil:
			return
		case n == 0 || o.writing:
			o.changed.Wait()
			continue
		}
		b := o.held[0].b
		if n > 1 {
			joined = joined[:0]
			for _, h := range o.held[:n] {
				joined = append(joined, h.b...)
			}
			b = joined
		}
		o.held = slices.Delete(o.held, 0, n)
		if o.write(b) != nil {
			return
		}
		o.hold(-len(b), -n)
		o.changed.Broadcast()
		if cap(joined) > keepJoined {
			joined = nil
		}
		if len(o.held) == 0 && cap(o.held) > keepHeld {
			o.held = nil
		}
	}
}

// sendable is how many of the held replies may be sent now, in one write.
func (o *output) sendable() int {
	n, size := 0, 0
	for n < len(o.held) && o.held[n].seq <= o.released && (n == 0 || size+len(o.held[n].b) <= maxChunkReply) {
		size += len(o.held[n].b)
		n++
	}
	return n
}

// push sends b, which nobody asked for, behind what is held and once seq is committed,
// which was executed in generation gen. It does not wait for the client. b must not be
// changed any more.
func (o *output) push(b []byte, seq uint64, g *gate, gen uint64) {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return
	}
	o.held = append(o.held, heldReply{seq, b})
	o.hold(len(b), 1)
	o.startHeld()
	o.judge(0)
	o.changed.Broadcast()
	waits := seq > o.released
	o.mu.Unlock()
	if waits { // without the lock: the gate takes its own lock first
		g.hold(gen, seq, o)
	}
}

// startHeld starts the second goroutine, if it does not run.
func (o *output) startHeld() {
	if !o.started {
		o.started = true
		o.wg.Add(1)
		go o.writeHeld()
	}
}

// release lets replies leave that wait for seq or less.
func (o *output) release(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq > o.released {
		o.released = seq
		o.changed.Broadcast()
	}
}

// cut ends the connection without sending what is held.
func (o *output) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(errLost)
}

func (o *output) fail(err error) (first bool) {
	if o.err != nil {
		return false
	}
	o.err = err
	o.nc.Close()
	if o.ended != nil {
		o.ended()
	}
	o.changed.Broadcast()
	return true
}

// wait blocks while more than limit bytes are held, so that a connection that
// pipelines writes is bounded in memory. It returns why nothing is sent any
// more, if so.
func (o *output) wait(limit int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && o.heldSize > limit {
		o.changed.Wait()
	}
	return o.err
}

// over is why nothing is sent any more; nil as long as something may be.
func (o *output) over() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// drain blocks until everything was sent or cannot be, at most for d.
func (o *output) drain(d time.Duration) {
	timer := time.AfterFunc(d, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.fail(os.ErrDeadlineExceeded)
	})
	defer timer.Stop()
	o.wait(0)
}

// size is how many bytes of replies are held, for CLIENT LIST.
func (o *output) size() (bytes int64, replies int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heldSize, len(o.held)
}

// end ends the connection because of err, and reports whether it had not ended
// before. What runs on it finds that out.
func (o *output) end(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fail(err)
}

// close ends the connection and waits for the second goroutine.
func (o *output) close() {
	o.end(net.ErrClosed)
	o.wg.Wait()
}
