package node

import (
	"errors"
	"os"
)

// What the goroutine of a client's connection does while the client waits for a key.

// awaitServed reads on until the client that has just begun to wait is answered. next
// is the first command of the chunk that has not run. unreadable: the reader has met
// bytes that are no commands.
func (c *conn) awaitServed(next int, unreadable bool) error {
	b := c.waited
	c.keepRest(next)
	for {
		readErr := c.readAhead(unreadable)
		o, err := c.ended(b, readErr)
		if o != nil || err != nil {
			c.waited, c.blockedMemory = nil, 0
		}
		switch {
		case err != nil:
			return err
		case o != nil:
			return c.sendOutcome(o)
		}
	}
}

// keepRest copies the commands of the chunk from number next on: what is read from now
// on may move what they are made of.
func (c *conn) keepRest(next int) {
	start := 0
	if next > 0 {
		start = c.ends[next-1]
	}
	rest := copyArgs(c.args[start:])
	copy(c.args[start:], rest)
	c.blockedMemory += argsMemory(rest)
}

// readAhead reads once. Behind bytes that are no commands nothing is of interest but
// that the client leaves.
func (c *conn) readAhead(unreadable bool) error {
	if unreadable {
		_, err := c.Read(make([]byte, 512))
		return err
	}
	err := c.rd.Fill(c)
	c.bufferSize.Store(int64(c.rd.Size()))
	return err
}

// ended looks after a read whether the wait of b is over. The engine's lock is
// not taken once b was served: a primary that leaves its place waits for replies
// under it.
func (c *conn) ended(b *blockedClient, readErr error) (*outcome, error) {
	e := c.srv.engine
	late := errors.Is(readErr, os.ErrDeadlineExceeded)
	b.mu.Lock()
	o := b.outcome
	b.over = b.over || readErr != nil
	b.mu.Unlock()
	switch {
	case o == nil && readErr == nil:
		return nil, nil
	case o == nil && late:
		e.mu.Lock()
		defer e.mu.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		e.end(b, byTimeout)
		return b.outcome, nil
	case o == nil:
		e.mu.Lock()
		defer e.mu.Unlock()
		e.unblock(b)
		return nil, readErr
	case o.err != nil:
		return nil, c.drop(o, o.err)
	case readErr != nil && !late:
		return nil, c.drop(o, readErr)
	}
	return o, nil
}

// drop settles an outcome that is not sent because of err, which it returns.
func (c *conn) drop(o *outcome, err error) error {
	_, err = c.settle(o.tenure, err)
	return err
}

// stopWaiting ends what wait there is when the connection ends because of err.
func (c *conn) stopWaiting(err error) {
	c.forgetPostponed()
	b := c.waited
	if b == nil {
		return
	}
	b.mu.Lock()
	o := b.outcome
	b.over = true
	b.mu.Unlock()
	if o != nil {
		c.drop(o, err)
		return
	}
	c.srv.engine.mu.Lock()
	defer c.srv.engine.mu.Unlock()
	c.srv.engine.unblock(b)
}

// sendOutcome sends what a client that waited is answered.
func (c *conn) sendOutcome(o *outcome) error {
	c.w.B = append(c.w.B, o.reply...)
	c.silence(0)
	c.mark(o.seq)
	c.quit = o.last
	c.weigh()
	free, err := c.settle(o.tenure, nil)
	if err != nil {
		return err
	}
	return c.flush(free)
}
