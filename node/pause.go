package node

import (
	"errors"
	"os"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// CLIENT PAUSE. A command that is paused is not run: the chunk it is in ends before it,
// the replies of what ran are sent, and the connection's goroutine reads on, so that it
// notices the client leave, until it is woken and runs the chunk from that command
// on. Nothing is locked meanwhile. Commands that a key has woken are run again when the
// pause is over, too. Data stands still: a primary hides keys that have expired,
// like a replica, and deletes none. The log, replicas and hand-overs go on; a node that
// becomes another wakes those who are paused, so that they are told.

// pauseMode is which commands are paused; more comes after less.
type pauseMode uint8

const (
	pauseNothing pauseMode = iota
	pauseWrites
	pauseEverything
)

// pausing is the node's CLIENT PAUSE, guarded by the engine's lock.
type pausing struct {
	mode    pauseMode
	until   int64 // Unix milliseconds
	timer   *time.Timer
	changed bool // since the unit began
	// postponed are the connections that wait for its end.
	postponed map[*conn]struct{}
	// woken are clients that wait for a key whose command is to be run again.
	woken []*blockedClient
}

// at is what is paused at a time in Unix milliseconds.
func (p *pausing) at(now int64) pauseMode {
	if now >= p.until {
		return pauseNothing
	}
	return p.mode
}

// holds reports whether a command with these flags has to wait.
func (p *pausing) holds(flags command.Flags, now int64) bool {
	switch p.at(now) {
	case pauseEverything:
		return true
	case pauseWrites:
		return flags&(command.Write|command.MayReplicate) != 0
	}
	return false
}

// extend pauses at least mode until at least a time; what is paused already stays so.
func (p *pausing) extend(mode pauseMode, until, now int64) {
	if p.at(now) == pauseNothing {
		p.mode, p.until = pauseNothing, 0
	}
	p.mode, p.until = max(p.mode, mode), max(p.until, until)
	p.changed = true
}

// wake makes those who wait try again.
func (p *pausing) wake() {
	for c := range p.postponed {
		c.nc.SetReadDeadline(longPast)
	}
	clear(p.postponed)
}

// end ends the pause. Commands in woken are left to serveBlocked.
func (p *pausing) end() {
	p.mode, p.until, p.changed = pauseNothing, 0, true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.wake()
}

// due takes the clients out of woken whose commands may be run again now.
func (p *pausing) due(now int64) []*blockedClient {
	if len(p.woken) == 0 || p.at(now) != pauseNothing {
		return nil
	}
	due := p.woken
	p.woken = nil
	for _, b := range due {
		b.postponed = false
	}
	return due
}

// postpone keeps the command of b, which a key has woken, until the pause is over.
func (p *pausing) postpone(b *blockedClient) {
	if !b.postponed {
		b.postponed = true
		p.woken = append(p.woken, b)
	}
}

// schedulePauseEnd makes the pause end by itself.
func (e *engine) schedulePauseEnd(now time.Time) {
	if e.pause.timer != nil {
		e.pause.timer.Stop()
	}
	left := farAway
	if at := time.UnixMilli(e.pause.until); at.Before(now.Add(farAway)) {
		left = at.Sub(now)
	}
	e.pause.timer = time.AfterFunc(left, func() { e.pauseOver(time.Now()) })
}

// pauseOver ends a pause whose time has passed and serves who has been woken during it.
func (e *engine) pauseOver(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pause.at(now.UnixMilli()) != pauseNothing { // longer meanwhile, or the clock was set back
		e.schedulePauseEnd(now)
		return
	}
	e.pause.end()
	e.hold(now)
	e.serveBlocked() // its only error is the term's end, which the role loop is told, too
}

// postpone makes c wait for the end of the pause with the command it is about to run.
func (e *engine) postpone(c *conn) {
	if e.pause.postponed == nil {
		e.pause.postponed = map[*conn]struct{}{}
	}
	e.pause.postponed[c] = struct{}{}
	// Set before anybody can wake it, who sets another one.
	c.nc.SetReadDeadline(time.Time{})
	c.deadline, c.postponed = true, true
}

// awaitUnpaused reads on until the connection may try again to run the chunk from
// command number next on. unreadable: the reader has met bytes that are no commands.
func (c *conn) awaitUnpaused(next int, unreadable bool) error {
	c.keepRest(next)
	defer func() { c.blockedMemory = 0 }()
	var err error
	for err == nil {
		err = c.readAhead(unreadable)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.postponed = false
	return nil
}

// forgetPostponed is for when the connection ends.
func (c *conn) forgetPostponed() {
	if c.postponed {
		e := c.srv.engine
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.pause.postponed, c)
	}
}

func clientPause(x *command.Ctx) {
	mode := pauseEverything
	switch {
	case len(x.Args) == 3 || len(x.Args) == 4 && command.EqualFold(x.Args[3], "ALL"):
	case len(x.Args) == 4 && command.EqualFold(x.Args[3], "WRITE"):
		mode = pauseWrites
	case len(x.Args) == 4:
		x.Out.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
		return
	default:
		x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try CLIENT HELP.")
		return
	}
	until, ok := x.TimeoutMillis(2)
	if !ok {
		return
	}
	e := client(x).srv.engine
	e.pause.extend(mode, until, x.Now)
	e.schedulePauseEnd(time.Now())
	x.Out.OK()
}

func clientUnpause(x *command.Ctx) {
	client(x).srv.engine.pause.end()
	x.Out.OK()
}
