package command

import (
	"math/rand/v2"
	"strconv"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

// Mode is the part a command's execution plays in the shard's history.
type Mode uint8

const (
	// Primary: the command makes history. A key that has expired is deleted
	// when it is met, and the deletion is an effect, even in a command that
	// only reads.
	Primary Mode = iota
	// Replica: the command only reads. A key that has expired is hidden and
	// left for the primary to delete. A primary that cannot write (its log is
	// full) runs reads in this mode too.
	Replica
	// Replay: the command is an effect. Time plays no part: what has expired
	// is there until its deletion comes along.
	Replay
)

// Listener hears what commands change, as it happens. Keys are valid during
// the call only.
type Listener interface {
	// Touched says that a key was set, changed or deleted.
	Touched(db int, key []byte)
	// TouchedDB says the same of any key of a database (FLUSHDB, SWAPDB).
	TouchedDB(db int)
	// Event is a keyspace notification in Redis's words.
	Event(class EventClass, event string, db int, key []byte)
}

// EventClass is a class of keyspace notifications, by its letter in
// notify-keyspace-events.
type EventClass byte

// The classes of keyspace notifications.
const (
	EventGeneric EventClass = 'g'
	EventString  EventClass = '$'
	EventList    EventClass = 'l'
	EventSet     EventClass = 's'
	EventHash    EventClass = 'h'
	EventZSet    EventClass = 'z'
	EventStream  EventClass = 't'
	EventExpired EventClass = 'x'
	EventEvicted EventClass = 'e'
	EventKeyMiss EventClass = 'm'
	EventNew     EventClass = 'n'
)

// Stats counts what lookups met.
type Stats struct {
	Hits, Misses uint64 // lookups of reading commands
	Expired      uint64 // keys deleted because their time had come
}

// Ctx is one command's execution. The caller fills in the exported fields and
// calls Cmd.Handler; it may use the Ctx again for the next command. A Ctx
// serves one command at a time.
type Ctx struct {
	Args [][]byte // the request; valid during the call, see the package comment
	Cmd  *Command // its row
	KS   *keyspace.Keyspace
	DB   int   // the connection's database
	Now  int64 // Unix milliseconds, fixed for a command, transaction or script
	Mode Mode

	// StringLimit is the longest string in bytes that a command may make
	// (proto-max-bulk-len); 0: MaxString, as for effects.
	StringLimit int

	Out  *resp.Writer // where the reply goes
	Unit *wal.Unit    // where effects go; unused in modes Replica and Replay

	Listener Listener   // may be nil
	Blocker  Blocker    // lets the client wait; nil where nobody may
	Rand     *rand.Rand // seeded at first use when nil
	Stats    *Stats     // may be nil

	// Session is the connection's state, for the commands that know its type.
	Session any

	argv   [][]byte // arguments of an effect being put together
	number [64]byte // digits of such an argument
	sketch []byte   // a sparse HyperLogLog that is being changed
}

// KeyGuard is a Session that knows what its client may do. One that is none may do
// everything.
type KeyGuard interface {
	// MayReadAnyKey tells whether the command may read whatever keys the data names.
	MayReadAnyKey(*Ctx) bool
}

func (c *Ctx) mayReadAnyKey() bool {
	g, guarded := c.Session.(KeyGuard)
	return !guarded || g.MayReadAnyKey(c)
}

// Effect records that the command changed data, as a command that has the same
// outcome whenever and wherever it is applied. The arguments are copied.
func (c *Ctx) Effect(args ...[]byte) {
	if c.Mode == Primary {
		c.Unit.Add(c.DB, args...)
	}
}

// EffectIn is Effect in another database.
func (c *Ctx) EffectIn(db int, args ...[]byte) {
	if c.Mode == Primary {
		c.Unit.Add(db, args...)
	}
}

// EffectSelf records the request as it came, which has to be deterministic.
func (c *Ctx) EffectSelf() {
	if c.Mode == Primary {
		c.Unit.Add(c.DB, c.Args...)
	}
}

// Changed tells the listener that key changed, and the event it is notified
// under.
func (c *Ctx) Changed(class EventClass, event string, key []byte) {
	c.ChangedIn(c.DB, class, event, key)
}

// event tells the listener of a further event of a key that changed.
func (c *Ctx) event(class EventClass, event string, key []byte) {
	if c.Listener != nil {
		c.Listener.Event(class, event, c.DB, key)
	}
}

// ChangedIn is Changed in another database.
func (c *Ctx) ChangedIn(db int, class EventClass, event string, key []byte) {
	if c.Listener != nil {
		c.Listener.Touched(db, key)
		c.Listener.Event(class, event, db, key)
	}
}

// Touched tells the listener that key changed in a way that has no event.
func (c *Ctx) Touched(db int, key []byte) {
	if c.Listener != nil {
		c.Listener.Touched(db, key)
	}
}

// ChangedDB tells the listener that any key of a database may have changed.
func (c *Ctx) ChangedDB(db int) {
	if c.Listener != nil {
		c.Listener.TouchedDB(db)
	}
}

// Error answers an error.
func (c *Ctx) Error(e Error) { c.Out.Error(string(e)) }

// WrongType answers that a key holds another type than the command is for.
func (c *Ctx) WrongType() { c.Error(ErrWrongType) }

// SyntaxError answers that the options make no sense.
func (c *Ctx) SyntaxError() { c.Error(ErrSyntax) }

// maxString is StringLimit, or MaxString.
func (c *Ctx) maxString() int {
	if c.StringLimit > 0 {
		return min(c.StringLimit, MaxString)
	}
	return MaxString
}

// rng is the source of chance.
func (c *Ctx) rng() *rand.Rand {
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return c.Rand
}

// digits writes an integer argument of an effect. It is valid until the next
// call.
func (c *Ctx) digits(n int64) []byte { return strconv.AppendInt(c.number[:0], n, 10) }
