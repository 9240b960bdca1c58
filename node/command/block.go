package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// # Blocking commands
//
// A blocking command (BLPOP, XREAD BLOCK, ...) has the flag Blocking and is
// written like any other: it looks for what it is asked for, and if there is
// something it answers, with effects that name the outcome (BLPOP k 0 has the
// effect LPOP k). If there is nothing it asks to wait:
//
//	until, ok := c.Timeout(len(c.Args) - 1)
//	...
//	if !c.Block(Wait{Keys: keys, Type: keyspace.TypeList, Until: until}) {
//		c.Out.NullArray() // in a transaction or script: as if the time had passed
//	}
//
// and returns without a reply when Block says true. When a unit of the log (a
// command, a transaction, on a replica an entry) has ended and one of the keys holds
// a value of the type, the whole command is run again, as the client's and as a unit
// of its own right behind the one that woke it; it then answers or asks to
// wait again, which leaves it its place in the queue. Whoever waits longest on a
// key comes first, keys in the order in which they became ready. When the time has
// passed the client is answered a null array.
//
// What wakes is Ctx.Changed, so handlers report a change after they made it; see
// Wakes for what does not.

// Wakes reports whether a change that is notified under an event may be what somebody
// waits for. What groups do with a stream, and a trim, gives nobody more to read.
func Wakes(class EventClass, event string) bool {
	switch class {
	case EventKeyMiss:
		return false
	case EventStream:
		return event == "xadd" || event == "xgroup-destroy"
	}
	return true
}

// Wait says what a command that found nothing waits for.
type Wait struct {
	// Keys are the keys, in the connection's database, any of which will do.
	Keys [][]byte
	// Type is the type that a key has to hold for the command to be run again.
	Type keyspace.Type
	// AnyChange runs the command again also when a key is deleted or comes to hold
	// another type, so that it can say so (XREADGROUP).
	AnyChange bool
	// Until is when the client is answered that nothing came, in Unix
	// milliseconds; 0 waits for ever. A command that is run again keeps its first.
	Until int64
	// Args is what is run again in the place of the request as it came, with what
	// depends on the time of the request replaced (XREAD's $); nil: Ctx.Args.
	Args [][]byte
}

// Blocker lets the client of the command that is being run wait.
type Blocker interface {
	// Block copies what it keeps of w.
	Block(w Wait)
}

// Block lets the client wait. False: it cannot here, inside a transaction or
// script, and the command answers as if the time had passed already.
func (c *Ctx) Block(w Wait) bool {
	if c.Blocker == nil {
		return false
	}
	if w.Args == nil {
		w.Args = c.Args
	}
	c.Blocker.Block(w)
	return true
}

const (
	errTimeoutNotFloat   Error = "ERR timeout is not a float or out of range"
	errTimeoutNotInteger Error = "ERR timeout is not an integer or out of range"
	errTimeoutNegative   Error = "ERR timeout is negative"
	errTimeoutRange      Error = "ERR timeout is out of range"
)

// Timeout reads argument i as a timeout in seconds, which may have decimals, and
// returns when it ends as Wait.Until has it; otherwise it answers what is wrong.
func (c *Ctx) Timeout(i int) (until int64, ok bool) {
	seconds, ok := resp.ParseLongDouble(c.Args[i])
	if !ok {
		c.Error(errTimeoutNotFloat)
		return 0, false
	}
	ms, ok := seconds.CeilTimes(1000)
	if !ok {
		c.Error(errTimeoutRange)
		return 0, false
	}
	return c.until(ms)
}

// TimeoutMillis is Timeout for whole milliseconds.
func (c *Ctx) TimeoutMillis(i int) (until int64, ok bool) {
	ms, ok := resp.ParseInt(c.Args[i])
	if !ok {
		c.Error(errTimeoutNotInteger)
		return 0, false
	}
	return c.until(ms)
}

func (c *Ctx) until(ms int64) (int64, bool) {
	switch {
	case ms < 0:
		c.Error(errTimeoutNegative)
		return 0, false
	case ms == 0:
		return 0, true
	case ms > math.MaxInt64-c.Now:
		c.Error(errTimeoutRange)
		return 0, false
	}
	return c.Now + ms, true
}
