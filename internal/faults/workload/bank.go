package workload

import (
	"context"
	"strconv"
	"sync/atomic"
)

// Bank moves money between accounts, each a key of its own, so that their sum
// never changes. It transfers by MULTI, DECRBY, INCRBY, EXEC and by WATCH, MGET,
// MULTI, SET, SET, EXEC, and audits by MGET of all accounts and by MULTI, GET of
// each, EXEC. Whoever comes first opens all accounts by one MSETNX.
//
// One client a node audits that node's copy.
type Bank struct {
	env    *Env
	ops    operations
	audits atomic.Int64 // of replicas
}

// NewBank is the workload of one round.
func NewBank(env *Env) *Bank { return &Bank{env: env} }

const (
	tellers        = 5
	accounts       = 10
	openingDeposit = 100
	bankTotal      = accounts * openingDeposit
)

// Name is "bank".
func (w *Bank) Name() string { return "bank" }

// Clients is tellers, and one auditor a node.
func (w *Bank) Clients() int { return tellers + len(w.env.Targets) }

// Operations is how many operations and audits of replicas were recorded.
func (w *Bank) Operations() int { return w.ops.count() + int(w.audits.Load()) }

// Run is a teller, or the auditor of a node's copy.
func (w *Bank) Run(ctx context.Context, n int, c *Client) {
	if n >= tellers {
		w.env.auditReplica(ctx, w.env.Targets[n-tellers], w.auditCopy)
		return
	}
	opened := int64(-1) // the last bank that this teller knows to be open
	for c.Connect(ctx) && c.Think(ctx) {
		g := w.env.generation()
		bank := w.bank(g)
		p := c.Rand.IntN(100)
		switch {
		case p < 15 || w.ops.crowded(bank):
			w.audit(c, bank)
		case p < 30:
			w.auditInMulti(c, bank)
		case opened != g:
			if w.open(c, bank) {
				opened = g
			}
		case p < 75:
			w.transfer(c, bank)
		default:
			w.transferWatched(c, bank)
		}
	}
}

// bank names the bank of a generation. Its name is a hash tag, so that all
// accounts are in one slot.
func (w *Bank) bank(generation int64) string { return w.env.key(w.Name(), "{", generation, "}") }

func account(bank string, i int) string { return bank + ":" + strconv.Itoa(i) }

func accountKeys(bank string) []any {
	keys := make([]any, accounts)
	for i := range keys {
		keys[i] = account(bank, i)
	}
	return keys
}

// open makes the opening deposits, and returns whether the bank is known to be
// open.
func (w *Bank) open(c *Client, bank string) bool {
	args := []any{"MSETNX"}
	for i := range accounts {
		args = append(args, account(bank, i), openingDeposit)
	}
	r := c.Write(args...)
	w.env.reportError(w.Name(), r, args...)
	w.ops.addWrite(bank, r, bankOp{kind: "open"}, r.Int() == 1)
	return r.Outcome == Done && r.Err == nil
}

// choose draws two accounts and an amount.
func choose(c *Client) bankOp {
	from := c.Rand.IntN(accounts)
	to := (from + 1 + c.Rand.IntN(accounts-1)) % accounts
	return bankOp{from: from, to: to, amount: 1 + c.Rand.Int64N(1000)}
}

func (w *Bank) transfer(c *Client, bank string) {
	op := choose(c)
	op.kind = "transfer"
	from, to := account(bank, op.from), account(bank, op.to)
	r := c.Exec(true, Cmd("DECRBY", from, op.amount), Cmd("INCRBY", to, op.amount))
	w.env.reportError(w.Name(), r, "MULTI DECRBY", from, "INCRBY", to, "EXEC")
	w.record(bank, r, op)
}

// transferWatched computes the new balances itself from what it has read.
func (w *Bank) transferWatched(c *Client, bank string) {
	op := choose(c)
	op.kind = "look"
	from, to := account(bank, op.from), account(bank, op.to)
	r := c.Watch(from, to)
	w.env.reportError(w.Name(), r, "WATCH", from, to)
	if r.Outcome != Done {
		return
	}
	r = c.Read("MGET", from, to)
	w.env.reportError(w.Name(), r, "MGET", from, to)
	seen, ok := w.record(bank, r, op)
	if !ok {
		return
	}
	op.kind, op.seen = "cas", seen
	r = c.Exec(true, Cmd("SET", from, seen[0]-op.amount), Cmd("SET", to, seen[1]+op.amount))
	w.env.reportError(w.Name(), r, "MULTI SET", from, "SET", to, "EXEC")
	w.ops.addWrite(bank, r, op, r.Outcome == Done)
}

// record notes an operation that answers with two balances, and returns them.
func (w *Bank) record(bank string, r Result, op bankOp) (balances [2]int64, ok bool) {
	if r.Outcome == Done && r.Err == nil {
		if balances, ok = twoNumbers(r.Value); !ok {
			w.env.Report(w.Name(), "%s of accounts %d and %d of %s, which is open, was answered with %v", op.kind, op.from, op.to, bank, r.Value)
			r.Outcome = Unknown // what it did is not what it says
		}
	}
	if op.kind == "look" {
		w.ops.addRead(bank, r, op, balances)
	} else {
		w.ops.addWrite(bank, r, op, balances)
	}
	return balances, ok
}

func (w *Bank) audit(c *Client, bank string) Result {
	r := c.Read(append([]any{"MGET"}, accountKeys(bank)...)...)
	w.recordAudit(bank, r)
	return r
}

func (w *Bank) auditInMulti(c *Client, bank string) {
	commands := make([][]any, accounts)
	for i := range commands {
		commands[i] = Cmd("GET", account(bank, i))
	}
	w.recordAudit(bank, c.Exec(false, commands...))
}

func (w *Bank) recordAudit(bank string, r Result) {
	if value, ok := w.balanced(bank, r, "audit"); ok {
		w.ops.addRead(bank, r, bankOp{kind: "audit"}, value)
	}
}

// auditCopy reads a whole bank from a node that may be behind.
func (w *Bank) auditCopy(c *Client, generation int64) {
	bank := w.bank(generation)
	r := c.Read(append([]any{"MGET"}, accountKeys(bank)...)...)
	if _, ok := w.balanced(bank, r, "audit of the copy on "+r.Node); ok {
		w.audits.Add(1)
	}
}

// balanced takes the answer to an audit apart and reports one that no moment
// between two transfers can give. It is not ok when there is no answer.
func (w *Bank) balanced(bank string, r Result, what string) (value bankValue, ok bool) {
	if w.env.reportError(w.Name(), r, what, bank) || r.Outcome != Done {
		return value, false
	}
	value, err := parseBank(r.Value)
	if err != nil {
		w.env.Report(w.Name(), "%s of %s: %v", what, bank, err)
	}
	return value, err == nil
}

// Check judges every bank as a whole.
func (w *Bank) Check(ctx context.Context, c *Client) error {
	err := w.ops.readBack(ctx, c, func(bank string) Result { return w.audit(c, bank) })
	if err != nil {
		return err
	}
	return w.ops.checkKeys(ctx, w.env, w.Name(), bankModel)
}
