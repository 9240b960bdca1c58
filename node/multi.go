package node

import (
	"github.com/redoubtdb/redoubt/node/command"
)

// transaction is what a connection has queued since MULTI.
type transaction struct {
	commands []queued
	flags    command.Flags // of all queued commands, or-ed
	size     int64         // bytes of arguments
	memory   int64         // what the commands take, for short arguments much more
	spoiled  bool          // a command was refused: EXEC aborts
}

type queued struct {
	cmd  *command.Command
	args [][]byte
}

// queue keeps a command for EXEC. A transaction that would not fit an entry of
// the log, or takes more than memory bytes, is spoiled: it is bounded, and EXEC
// tells.
func (tx *transaction) queue(cmd *command.Command, args [][]byte, memory int64) {
	if tx.spoiled {
		return // it will never run, so it need not be kept
	}
	total := 0
	for _, a := range args {
		total += len(a)
	}
	tx.commands = append(tx.commands, queued{cmd, copyArgs(args)})
	tx.flags |= cmd.Flags & (command.Write | command.ReadOnly | command.DenyOOM | command.MayReplicate)
	tx.size += int64(total)
	tx.memory += queuedMemory + argMemory*int64(len(args)) + int64(total)
	if tx.size > maxCommandSize || tx.memory > memory {
		tx.commands, tx.spoiled, tx.memory = nil, true, 0
	}
}

// discard ends MULTI and WATCH.
func (c *conn) discard() {
	c.tx = nil
	c.unwatch()
}

func transactionRows() []*command.Command {
	const flags = command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy
	return []*command.Command{
		{Name: "multi", Group: "transactions", Since: "1.2.0", Arity: 1, Flags: flags, Categories: command.CatTransaction, Handler: multi},
		{Name: "exec", Group: "transactions", Since: "1.2.0", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.SkipSlowlog, Categories: command.CatTransaction, Handler: exec},
		{Name: "discard", Group: "transactions", Since: "2.0.0", Arity: 1, Flags: flags, Categories: command.CatTransaction, Handler: discard},
		{Name: "watch", Group: "transactions", Since: "2.2.0", Arity: -2, Flags: flags, Categories: command.CatTransaction, KeySpecs: []command.KeySpec{command.Keys(1, -1, 1, command.KeyRO)}, Handler: watch},
		{Name: "unwatch", Group: "transactions", Since: "2.2.0", Arity: 1, Flags: flags, Categories: command.CatTransaction, Handler: unwatch},
	}
}

func multi(x *command.Ctx) {
	c := client(x)
	if c.tx != nil {
		x.Out.Error("ERR MULTI calls can not be nested")
		return
	}
	c.tx = &transaction{}
	x.Out.OK()
}

func discard(x *command.Ctx) {
	c := client(x)
	if c.tx == nil {
		x.Out.Error("ERR DISCARD without MULTI")
		return
	}
	c.discard()
	x.Out.OK()
}

// exec runs the queued commands as one unit: their effects are in one entry of
// the log and become visible as one step (DESIGN invariant 6).
func exec(x *command.Ctx) {
	c := client(x)
	e := c.srv.engine
	tx := c.tx
	switch {
	case tx == nil:
		x.Out.Error("ERR EXEC without MULTI")
		return
	case tx.spoiled:
		c.discard()
		x.Out.Error(string(errExecAbort))
		return
	case c.watchFailed(x.Now):
		c.discard()
		// The answer depends on somebody's write to a watched key.
		e.waitForAll()
		x.Out.NullArray()
		return
	}
	c.discard()
	e.inExec = true
	defer func() { e.inExec = false }()
	x.Out.Array(len(tx.commands))
	for _, q := range tx.commands {
		x.Out.Proto = c.proto // HELLO may have changed it
		if err := c.permitQueued(q); err != nil {
			before := len(c.w.B)
			c.w.Error(err.Error())
			e.stats.errorReply(c.w.B[before:])
			continue
		}
		e.invoke(c, c.w, q.cmd, q.args)
	}
}
