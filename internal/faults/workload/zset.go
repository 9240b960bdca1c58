package workload

import "context"

// SortedSets reads and writes sorted sets of a few members: ZADD (also with GT, NX and
// INCR), ZINCRBY, ZREM, ZPOPMIN, ZPOPMAX, ZSCORE, ZRANK, ZCARD, ZRANGE by rank and by
// score.
type SortedSets struct {
	env *Env
	ops operations
}

// NewSortedSets is the workload of one round.
func NewSortedSets(env *Env) *SortedSets {
	return &SortedSets{env: env, ops: operations{limit: fewUnknown}}
}

// Name is "zset".
func (w *SortedSets) Name() string { return "zset" }

// Clients share few keys, so that operations on one key overlap.
func (w *SortedSets) Clients() int { return 3 }

// Operations is how many operations were recorded.
func (w *SortedSets) Operations() int { return w.ops.count() }

// maxScore bounds what is set, so that increments stay exact in a score.
const maxScore = 10_000

// Run reads and writes sorted sets at random.
func (w *SortedSets) Run(ctx context.Context, _ int, c *Client) {
	for c.Connect(ctx) && c.Think(ctx) {
		key := w.env.key(w.Name(), w.env.generation(), "-", c.Rand.IntN(3))
		if c.Rand.IntN(100) < 40 || w.ops.crowded(key) {
			w.read(c, key)
		} else {
			w.write(c, key)
		}
	}
}

func (w *SortedSets) write(c *Client, key string) {
	op := zsetOp{member: c.Rand.IntN(zsetMembers), by: c.Rand.Int64N(maxScore) + 1}
	name := zsetName(op.member)
	switch p := c.Rand.IntN(100); {
	case p < 20:
		op.kind = "add"
		w.send(c, key, op, zsetNumber, "ZADD", key, op.by, name)
	case p < 35:
		op.kind, op.and = "addtwo", c.Rand.Int64N(maxScore)
		w.send(c, key, op, zsetNumber, "ZADD", key, op.by, name, op.and, zsetName(op.other()))
	case p < 47:
		op.kind = "gt"
		w.send(c, key, op, zsetNumber, "ZADD", key, "GT", "CH", op.by, name)
	case p < 53:
		op.kind = "nx"
		w.send(c, key, op, zsetNumber, "ZADD", key, "NX", op.by, name)
	case p < 60:
		op.kind = "incr"
		w.send(c, key, op, zsetScore, "ZADD", key, "INCR", op.by, name)
	case p < 75:
		op.kind, op.by = "incr", op.by-maxScore/2
		w.send(c, key, op, zsetScore, "ZINCRBY", key, op.by, name)
	case p < 88:
		op.kind = "rem"
		w.send(c, key, op, zsetNumber, "ZREM", key, name)
	case p < 95:
		op.kind = "popmin"
		w.send(c, key, op, zsetOnly, "ZPOPMIN", key)
	default:
		op.kind = "popmax"
		w.send(c, key, op, zsetOnly, "ZPOPMAX", key)
	}
}

// send sends a write whose answer parse takes apart.
func (w *SortedSets) send(c *Client, key string, op zsetOp, parse func(any) (any, error), command ...any) {
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	var output any
	if r.Outcome == Done && r.Err == nil {
		var err error
		if output, err = parse(r.Value); err != nil {
			w.env.Report(w.Name(), "%v: %v", command, err)
			r.Outcome = Unknown // what it did is not what it says
		}
	}
	w.ops.addWrite(key, r, op, output)
}

func (w *SortedSets) read(c *Client, key string) {
	op := zsetOp{member: c.Rand.IntN(zsetMembers)}
	name := zsetName(op.member)
	switch p := c.Rand.IntN(100); {
	case p < 20:
		op.kind = "score"
		w.ask(c, key, op, zsetScore, "ZSCORE", key, name)
	case p < 35:
		op.kind = "rank"
		w.ask(c, key, op, zsetRank, "ZRANK", key, name)
	case p < 45:
		op.kind = "card"
		w.ask(c, key, op, zsetNumber, "ZCARD", key)
	case p < 65:
		op.kind, op.by, op.and = "between", c.Rand.Int64N(maxScore)-maxScore/4, c.Rand.Int64N(maxScore)
		w.ask(c, key, op, zsetAll, "ZRANGE", key, op.by, op.and, "BYSCORE", "WITHSCORES")
	default:
		w.readAll(c, key)
	}
}

// ask sends a read whose answer parse takes apart.
func (w *SortedSets) ask(c *Client, key string, op zsetOp, parse func(any) (any, error), command ...any) Result {
	r := c.Read(command...)
	if w.env.reportError(w.Name(), r, command...) || r.Outcome != Done {
		return r
	}
	output, err := parse(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%v: %v", command, err)
		return r
	}
	w.ops.addRead(key, r, op, output)
	return r
}

func (w *SortedSets) readAll(c *Client, key string) Result {
	return w.ask(c, key, zsetOp{kind: "all"}, zsetAll, "ZRANGE", key, 0, -1, "WITHSCORES")
}

// Check judges every sorted set on its own.
func (w *SortedSets) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(key string) Result { return w.readAll(c, key) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), zsetModel)
}
