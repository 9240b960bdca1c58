package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

// engine runs commands one at a time over the data of one node: one lock, one
// serial history (DESIGN section 9). It turns writes into units of the log and
// says which seq each reply has to wait for.
type engine struct {
	table *command.Table
	gate  *gate

	mu       sync.Mutex
	turns    turns // mu, as connections take it
	ks       *keyspace.Keyspace
	retired  []*keyspace.Keyspace // to be closed, see release.go
	role     Role
	applied  wal.Position // the last entry that was applied, or executed before it
	replayer *command.Replayer
	primary  *tenure // set while role is RolePrimary
	last     *lastWrite
	watched  watchTable
	waits    *waitTable
	pause    pausing
	ctx      command.Ctx
	stats    stats
	users    *users

	activeExpire bool

	clock              time.Duration   // since stats.started, when it was last read
	untimed            []*commandStats // of commands that have run since
	monitors           map[*conn]struct{}
	monitorLines       []monitorLine // of the unit under way
	inExec             bool          // the commands of a transaction run
	latencyTracking    bool
	latencyPercentiles percentiles
	latency            latencyMonitor
	slowlog            slowlog

	appender atomic.Pointer[wal.Appender] // of primary, for waitRoom without the lock

	// The unit being built, see begin.
	unit       wal.Unit
	slots      []uint16
	everything bool
	wait       uint64
}

func newEngine(t *command.Table, ks *keyspace.Keyspace) *engine {
	e := &engine{
		table: t, ks: ks, gate: &gate{}, role: RoleLoading,
		last: newLastWrite(), watched: watchTable{}, waits: newWaitTable(), activeExpire: true,
		latencyTracking: true, latencyPercentiles: usualPercentiles, slowlog: slowlog{slowerThan: 10_000, maxLen: 128},
	}
	e.users = newUsers(t)
	e.turns.mu = &e.mu
	e.stats.started = time.Now()
	e.ctx.Listener = e
	e.ctx.Stats = &e.stats.Stats
	e.adopt(ks, wal.Position{})
	return e
}

// adopt replaces the data with ks, the state after position p.
func (e *engine) adopt(ks *keyspace.Keyspace, p wal.Position) {
	e.retire(ks)
	e.ks = ks
	e.applied = p
	e.replayer = command.NewReplayer(e.table, ks, e)
	e.watched.touchAll()
	e.unblockAll()
}

// mode is how commands judge expired keys: only a primary that can log the
// deletion, and is not paused, deletes them, so that reads go on while the head is full.
func (e *engine) mode() command.Mode {
	if p := e.primary; p != nil && !p.leaving && e.pause.at(e.ctx.Now) == pauseNothing && p.admitHead(0) == nil {
		return command.Primary
	}
	return command.Replica
}

// waitRoom blocks while too much waits to be committed. It returns an error
// only when ctx ends.
func (e *engine) waitRoom(ctx context.Context) error {
	if a := e.appender.Load(); a != nil {
		// An appender that has ended is no reason: commands then meet the
		// node's next role.
		a.WaitRoom(ctx)
	}
	return ctx.Err()
}

// queueFull reports whether so much waits to be committed that nothing may run
// before waitRoom.
func (e *engine) queueFull() bool {
	return e.primary != nil && e.primary.appender.QueuedBytes() > maxQueue
}

// hold prepares for a run of units under one hold of the lock: for all of them
// it is the same time, as within one turn of Redis's event loop.
func (e *engine) hold(now time.Time) {
	e.ctx.KS = e.ks
	e.ctx.Unit = &e.unit
	e.ctx.Now = now.UnixMilli()
	e.ctx.Mode = e.mode()
	e.pause.changed = false
	e.clock = now.Sub(e.stats.started)
}

// begin starts an atomic unit: one command, or a transaction. The one before is over, and
// all that it answered and logged was copied.
func (e *engine) begin() {
	e.ks.Reclaim()
	e.unit.Reset()
	e.slots = e.slots[:0]
	e.everything = false
	e.wait = 0
	e.monitorLines = e.monitorLines[:0]
}

// invokeAlone runs the command that a unit consists of for c, whose reply goes to out. If
// it is a blocking one it may let c wait instead of answering.
func (e *engine) invokeAlone(c *conn, out *resp.Writer, cmd *command.Command, args [][]byte) {
	if cmd.Flags&command.Blocking != 0 {
		e.ctx.Blocker = c
		defer func() { e.ctx.Blocker = nil }()
	}
	e.invoke(c, out, cmd, args)
}

// invoke runs one command of the unit for c, whose reply goes to out. Handlers of
// transactions invoke further commands.
func (e *engine) invoke(c *conn, out *resp.Writer, cmd *command.Command, args [][]byte) {
	ctx := &e.ctx
	outerArgs, outerCmd := ctx.Args, ctx.Cmd
	ctx.Args, ctx.Cmd, ctx.DB, ctx.Session, ctx.Out = args, cmd, c.db, c, out
	timed := e.timesAlone(cmd, args)
	if len(e.untimed) > 0 && (timed || len(e.untimed) >= maxChunk) {
		e.readClock(time.Since(e.stats.started))
	}
	before, start := len(out.B), e.clock
	ctx.StringLimit = int(c.srv.cfg.maxBulk.Load())
	again := c.blocked != nil // it has waited
	cmd.Handler(ctx)
	ctx.Args, ctx.Cmd = outerArgs, outerCmd
	if len(e.monitors) > 0 && !again && (outerCmd == nil || e.inExec) {
		e.feedMonitors(c, cmd, args)
	}
	if timed {
		e.readClock(time.Since(e.stats.started))
	}
	if reply := out.B[before:]; len(reply) > 0 || cmd.Flags&command.Blocking == 0 { // otherwise c waits
		s := e.count(cmd, reply)
		if timed {
			e.time(s, c, cmd, args, e.clock-start)
		} else {
			e.untimed = append(e.untimed, s)
		}
	}
	if e.unit.Empty() { // otherwise the unit's own entry comes later than all it read
		e.wait = max(e.wait, e.dependsOn(cmd, args))
	}
}

// finish ends the unit: its effects get their place in the log, and the seq
// that the unit's replies wait for is returned. An error means that the term
// is over and the reply must not leave.
func (e *engine) finish() (uint64, error) {
	if e.unit.Empty() {
		return e.wait, nil
	}
	seq, err := e.primary.appender.Add(&e.unit)
	if err != nil {
		e.primary.tainted = true
		return 0, err
	}
	e.primary.executed = seq
	if e.everything {
		e.last.floor = seq
	}
	for _, s := range e.slots {
		e.last.slots[s] = seq
	}
	return seq, nil
}

// Touched notes a changed key for the reply gate and for WATCH.
func (e *engine) Touched(db int, key []byte) {
	e.slots = append(e.slots, e.last.slot(key))
	if len(e.watched) > 0 {
		e.watched.touch(db, key, func(key []byte) keyState { return e.keyState(db, key, e.ctx.Now) })
	}
}

// TouchedDB notes that any key of a database may have changed.
func (e *engine) TouchedDB(db int) {
	e.everything = true
	e.watched.touchDB(db, func(key []byte) keyState { return e.keyState(db, key, e.ctx.Now) })
	for _, k := range e.waits.keysOf(db) {
		e.wake(db, []byte(k.key))
	}
}

// Event is where keyspace notifications leave; nobody can subscribe yet. It wakes who
// waits for the key.
func (e *engine) Event(class command.EventClass, event string, db int, key []byte) {
	if command.Wakes(class, event) {
		e.wake(db, key)
	}
}

// waitForAll makes the unit's replies wait for everything executed so far.
func (e *engine) waitForAll() {
	if e.primary != nil {
		e.wait = max(e.wait, e.primary.executed)
	}
}

// dependsOn is the seq that a reply of cmd has to wait for because of what it
// may have read.
func (e *engine) dependsOn(cmd *command.Command, args [][]byte) uint64 {
	p := e.primary
	if p == nil || p.executed <= p.appender.Committed() || broken.Is(broken.DirtyRead) {
		return 0
	}
	if cmd.Keyspace {
		return p.executed
	}
	if cmd.First > 0 && cmd.Flags&command.MovableKeys == 0 {
		end := cmd.Last
		if end < 0 {
			end += len(args)
		}
		wait := uint64(0)
		for i := cmd.First; i <= end && i < len(args); i += cmd.Step {
			wait = max(wait, e.last.of(args[i]))
		}
		return wait
	}
	keys, err := cmd.AppendKeys(nil, args)
	if err != nil {
		return p.executed
	}
	wait := uint64(0)
	for _, k := range keys {
		wait = max(wait, e.last.of(args[k.Index]))
	}
	return wait
}

// apply replays one entry of the log on a replica, as a whole.
func (e *engine) apply(entry *wal.Entry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.applied.Check(entry); err != nil {
		return err
	}
	if entry.Kind == wal.KindEffects {
		e.slots = e.slots[:0]
		if err := wal.EachUnit(entry.Payload, e.replayer.Apply); err != nil {
			return err
		}
	}
	e.applied = entry.Position()
	e.stats.entriesApplied++
	if len(e.waits.ready) == 0 {
		return nil
	}
	e.hold(time.Now())
	_, err := e.serveBlocked()
	return err
}

// position is the place in the log that the data is at.
func (e *engine) position() wal.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.applied
}

// becomeReplica lets reads in, once the data has caught up with the log.
func (e *engine) becomeReplica() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.role == RoleLoading {
		e.role = RoleReplica
	}
}
