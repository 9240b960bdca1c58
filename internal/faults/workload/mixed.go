package workload

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Mixed writes keys of all types in one transaction: MULTI, INCR count, HSET and
// HINCRBY of a hash, SET last, APPEND to a log, LPUSH, SADD, ZINCRBY, XADD, EXEC.
// Readers read all of them in one transaction, and all must tell of the same writes.
//
// One client a node reads that node's copy.
type Mixed struct {
	env   *Env
	ops   operations
	looks atomic.Int64 // at copies

	mu    sync.Mutex
	fates map[string]fates // by group
}

// NewMixed is the workload of one round.
func NewMixed(env *Env) *Mixed { return &Mixed{env: env, fates: map[string]fates{}} }

const mixedWriters = 4

// Name is "mixed".
func (w *Mixed) Name() string { return "mixed" }

// Clients is those that read and write, and one reader a node.
func (w *Mixed) Clients() int { return mixedWriters + len(w.env.Targets) }

// Operations is how many operations and looks at replicas were recorded.
func (w *Mixed) Operations() int { return w.ops.count() + int(w.looks.Load()) }

// group names the keys of a generation. Its name is a hash tag, so that all of
// them are in one slot.
func (w *Mixed) group(generation int64) string { return w.env.key(w.Name(), "{", generation, "}") }

// Run reads and writes groups, or reads a node's copies.
func (w *Mixed) Run(ctx context.Context, n int, c *Client) {
	if n >= mixedWriters {
		w.env.auditReplica(ctx, w.env.Targets[n-mixedWriters], w.lookAtCopy)
		return
	}
	for i := 0; c.Connect(ctx) && c.Think(ctx); i++ {
		group := w.group(w.env.generation())
		if c.Rand.IntN(100) < 45 || w.ops.crowded(group) {
			w.read(c, group)
		} else {
			w.write(c, group, newTag(n, i))
		}
	}
}

func (w *Mixed) write(c *Client, group string, t tag) {
	r := c.Exec(true,
		Cmd("INCR", group+":count"),
		Cmd("HSET", group+":hash", t.writer(), string(t)),
		Cmd("HINCRBY", group+":hash", mixedNumber, 1),
		Cmd("SET", group+":last", string(t)),
		Cmd("APPEND", group+":log", string(t)),
		Cmd("LPUSH", group+":list", string(t)),
		Cmd("SADD", group+":set", string(t)),
		Cmd("ZINCRBY", group+":zset", 1, mixedNumber),
		Cmd("XADD", group+":stream", "*", mixedNumber, string(t)))
	w.env.reportError(w.Name(), r, "MULTI INCR HSET HINCRBY SET APPEND LPUSH SADD ZINCRBY XADD EXEC", group, t)
	var answer mixedAnswer
	if r.Outcome == Done && r.Err == nil {
		var err error
		if answer, err = parseMixedAnswer(r.Value); err != nil {
			w.env.Report(w.Name(), "%s of %s: %v", t, group, err)
			r.Outcome = Unknown // what it did is not what it says
		}
	}
	w.note(group, t, r)
	w.ops.addWrite(group, r, mixedOp{kind: "write", tag: t}, answer)
}

// note remembers what is known of a write for the day of reckoning.
func (w *Mixed) note(group string, t tag, r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.fates[group]
	if !ok {
		f = fates{}
		w.fates[group] = f
	}
	if f[t] = r.Outcome; r.Err != nil && r.Outcome == Done {
		f[t] = Unknown
	}
}

// readCommands read a whole group.
func readCommands(group string) [][]any {
	return [][]any{
		Cmd("GET", group+":count"),
		Cmd("HLEN", group+":hash"),
		Cmd("HGETALL", group+":hash"),
		Cmd("GET", group+":last"),
		Cmd("STRLEN", group+":log"),
		Cmd("GETRANGE", group+":log", -tagSize, -1),
		Cmd("LLEN", group+":list"),
		Cmd("LINDEX", group+":list", 0),
		Cmd("SCARD", group+":set"),
		Cmd("ZSCORE", group+":zset", mixedNumber),
		Cmd("XLEN", group+":stream"),
	}
}

func (w *Mixed) read(c *Client, group string) Result {
	r := c.Exec(false, readCommands(group)...)
	if value, ok := w.agreed(group, r, "read"); ok {
		w.ops.addRead(group, r, mixedOp{kind: "read"}, value)
	}
	return r
}

// lookAtCopy reads a group from a node that may be behind.
func (w *Mixed) lookAtCopy(c *Client, generation int64) {
	group := w.group(generation)
	r := c.Exec(false, readCommands(group)...)
	if _, ok := w.agreed(group, r, "read of the copy on "+r.Node); ok {
		w.looks.Add(1)
	}
}

// agreed takes the answer to a read apart and reports one whose parts tell of
// different writes. It is not ok when there is no answer.
func (w *Mixed) agreed(group string, r Result, what string) (value mixedValue, ok bool) {
	if w.env.reportError(w.Name(), r, what, group) || r.Outcome != Done {
		return value, false
	}
	value, err := parseMixed(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s of %s: %v", what, group, err)
	}
	return value, err == nil
}

// Check judges every group as a whole, and its log, list and set write by write.
func (w *Mixed) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(group string) Result { return w.read(c, group) })
	if err != nil {
		return err
	}
	for part, command := range map[string][]any{
		":log":  Cmd("GETRANGE", 0, -1),
		":list": Cmd("LRANGE", 0, -1),
		":set":  Cmd("SMEMBERS"),
	} {
		err = w.ops.readBack(ctx, c, func(group string) Result { return w.readTags(c, group, part, command) })
		if err != nil {
			return err
		}
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), mixedModel)
}

// readTags compares a part that holds the tags of all writes with what became of them.
func (w *Mixed) readTags(c *Client, group, part string, command []any) Result {
	command = slices.Insert(slices.Clone(command), 1, any(group+part))
	r := c.Read(command...)
	if w.env.reportError(w.Name(), r, command...) || r.Outcome != Done {
		return r
	}
	tags := r.String()
	list, _ := r.Value.([]any)
	for _, v := range list {
		tags += fmt.Sprint(v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fates[group].compare(tags); err != nil {
		w.env.Report(w.Name(), "%s%s: %v", group, part, err)
	}
	return r
}
