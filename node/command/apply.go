package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

// ErrBadEffect says that an effect cannot be applied: it is no command of the
// table, or answered an error. The log or the data is damaged, or the log was
// written by a newer engine.
var ErrBadEffect = errors.New("command: effect cannot be applied")

// Replayer applies effects to a keyspace, in replicas and when a log is read
// back. It keeps its memory from one effect to the next and is for one
// goroutine at a time.
type Replayer struct {
	table *Table
	ctx   Ctx
	out   resp.Writer
}

// NewReplayer returns a Replayer that changes ks. The listener hears of the
// changes as it would on the primary; it may be nil.
func NewReplayer(t *Table, ks *keyspace.Keyspace, l Listener) *Replayer {
	r := &Replayer{table: t, ctx: Ctx{KS: ks, Mode: Replay, Listener: l}}
	r.ctx.Out = &r.out
	return r
}

// Apply applies the effects of a unit in order; then nothing may be held any more of what
// they deleted (keyspace.Keyspace.Reclaim). Error: ErrBadEffect; what came
// before the bad effect stays applied, the keyspace is of no use any more.
func (r *Replayer) Apply(effects []wal.Effect) error {
	c := &r.ctx
	if broken.Is(broken.RelativeExpiry) {
		c.Now = time.Now().UnixMilli()
	}
	for i := range effects {
		e := &effects[i]
		cmd, err := r.table.Lookup(e.Args)
		if err != nil {
			return badEffect(e, err.Error())
		}
		if cmd.Flags&Write == 0 || e.DB >= c.KS.NumDBs() {
			return badEffect(e, "it is no change of a database here")
		}
		c.Args, c.Cmd, c.DB = e.Args, cmd, e.DB
		r.out.B = r.out.B[:0]
		cmd.Handler(c)
		if len(r.out.B) > 0 && r.out.B[0] == '-' {
			return badEffect(e, string(r.out.B[1:len(r.out.B)-2]))
		}
	}
	c.KS.Reclaim()
	return nil
}

func badEffect(e *wal.Effect, why string) error {
	return fmt.Errorf("%w: %q in database %d: %s", ErrBadEffect, clip(e.Args[0], maxName), e.DB, why)
}
