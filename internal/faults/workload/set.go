package workload

import "context"

// Sets reads and writes two sets of a few members: SADD, SREM, SMOVE, SPOP,
// SISMEMBER, SMISMEMBER, SMEMBERS, SCARD, SRANDMEMBER, SUNION, SINTER.
type Sets struct {
	env *Env
	ops operations
}

// NewSets is the workload of one round.
func NewSets(env *Env) *Sets { return &Sets{env: env, ops: operations{limit: fewUnknown}} }

// Name is "set".
func (w *Sets) Name() string { return "set" }

// Clients share few keys, so that operations on one key overlap.
func (w *Sets) Clients() int { return 3 }

// Operations is how many operations were recorded.
func (w *Sets) Operations() int { return w.ops.count() }

// setKey is one of the two sets of a pair. The pair's name has a hash tag, so that both
// are in one slot.
func setKey(pair string, which int) string { return pair + ":" + "xy"[which:which+1] }

// Run reads and writes pairs of sets at random.
func (w *Sets) Run(ctx context.Context, _ int, c *Client) {
	for c.Connect(ctx) && c.Think(ctx) {
		pair := w.env.key(w.Name(), "{", w.env.generation(), "-", c.Rand.IntN(3), "}")
		if c.Rand.IntN(100) < 40 || w.ops.crowded(pair) {
			w.read(c, pair)
		} else {
			w.write(c, pair)
		}
	}
}

// write changes one of the sets, or moves a member from it to the other.
func (w *Sets) write(c *Client, pair string) {
	which, some := c.Rand.IntN(2), memberBit(c.Rand.IntN(setMembers))
	key := setKey(pair, which)
	if c.Rand.IntN(3) == 0 {
		some |= memberBit(c.Rand.IntN(setMembers))
	}
	switch p := c.Rand.IntN(100); {
	case p < 50:
		w.change(c, pair, setOp{kind: "add", which: which, named: some}, "SADD", key)
	case p < 70:
		w.change(c, pair, setOp{kind: "rem", which: which, named: some}, "SREM", key)
	case p < 85:
		some = memberBit(c.Rand.IntN(setMembers))
		w.change(c, pair, setOp{kind: "move", which: which, named: some}, "SMOVE", key, setKey(pair, 1-which))
	case p < 95:
		w.pop(c, pair, setOp{kind: "pop", which: which, count: 1}, "SPOP", key)
	default:
		w.pop(c, pair, setOp{kind: "pop", which: which, count: 2}, "SPOP", key, 2)
	}
}

// change sends a command that ends with the members it names.
func (w *Sets) change(c *Client, pair string, op setOp, command ...any) {
	for _, name := range op.named.names() {
		command = append(command, name)
	}
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	w.ops.addWrite(pair, r, op, r.Int())
}

func (w *Sets) pop(c *Client, pair string, op setOp, command ...any) {
	r := c.Write(command...)
	w.env.reportError(w.Name(), r, command...)
	got, err := membersOfReply(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s: %v: %v", pair, command, err)
		r.Outcome = Unknown // what it did is not what it says
	}
	w.ops.addWrite(pair, r, op, got)
}

func (w *Sets) read(c *Client, pair string) {
	which := c.Rand.IntN(2)
	key := setKey(pair, which)
	some := memberBit(c.Rand.IntN(setMembers))
	switch p := c.Rand.IntN(100); {
	case p < 15:
		w.ask(c, pair, setOp{kind: "get", which: which, named: some}, someOfReply(some), "SISMEMBER", key, some.names()[0])
	case p < 25:
		some |= memberBit(c.Rand.IntN(setMembers))
		command := []any{"SMISMEMBER", key}
		for _, name := range some.names() {
			command = append(command, name)
		}
		w.ask(c, pair, setOp{kind: "get", which: which, named: some}, someOfReply(some), command...)
	case p < 45:
		w.ask(c, pair, setOp{kind: "get", which: which, named: allMembers}, membersOfReply, "SMEMBERS", key)
	case p < 55:
		w.ask(c, pair, setOp{kind: "card", which: which}, cardOfReply, "SCARD", key)
	case p < 65:
		w.ask(c, pair, setOp{kind: "random", which: which}, membersOfReply, "SRANDMEMBER", key)
	case p < 75:
		w.ask(c, pair, setOp{kind: "union"}, membersOfReply, "SUNION", setKey(pair, 0), setKey(pair, 1))
	case p < 85:
		w.ask(c, pair, setOp{kind: "inter"}, membersOfReply, "SINTER", setKey(pair, 0), setKey(pair, 1))
	default:
		w.readBoth(c, pair)
	}
}

// ask sends a read whose answer parse takes apart.
func (w *Sets) ask(c *Client, pair string, op setOp, parse func(any) (members, error), command ...any) {
	r := c.Read(command...)
	w.note(pair, r, op, parse, command...)
}

func (w *Sets) note(pair string, r Result, op setOp, parse func(any) (members, error), command ...any) {
	if w.env.reportError(w.Name(), r, command...) || r.Outcome != Done {
		return
	}
	got, err := parse(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s: %v: %v", pair, command, err)
		return
	}
	w.ops.addRead(pair, r, op, got)
}

// readBoth reads both sets at once.
func (w *Sets) readBoth(c *Client, pair string) Result {
	r := c.Exec(false, Cmd("SMEMBERS", setKey(pair, 0)), Cmd("SMEMBERS", setKey(pair, 1)))
	w.note(pair, r, setOp{kind: "both"}, bothOfReply, "MULTI SMEMBERS SMEMBERS EXEC", pair)
	return r
}

// Check judges every pair of sets on its own.
func (w *Sets) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(pair string) Result { return w.readBoth(c, pair) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), setModel)
}
