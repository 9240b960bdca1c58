package node

import (
	"fmt"
	"strings"

	"github.com/redoubtdb/redoubt/node/command"
)

// Replies that refuse a command, in Redis's words where it has them.
const (
	errNoAuth         command.Error = "NOAUTH Authentication required."
	errLoading        command.Error = "LOADING Redis is loading the dataset in memory"
	errReadOnly       command.Error = "READONLY You can't write against a read only replica."
	errReplicaRead    command.Error = "READONLY You can't read against a replica unless the connection has sent READONLY; its reads are a consistent prefix of the primary's and may be behind."
	errLeaseOver      command.Error = "READONLY This node's lease as primary is over; connect again to reach the primary."
	errNotInMulti     command.Error = "ERR Command not allowed inside a transaction"
	errExecAbort      command.Error = "EXECABORT Transaction discarded because of previous errors."
	errCommandTooLong command.Error = "ERR command is too large for one entry of the log"
)

// maxCommandSize bounds the arguments of one command or transaction in bytes,
// so that its effects fit one entry of the log.
const maxCommandSize = 768 << 20

// fewArgs is how many arguments a command that is fast for each of them has
// without taking its time.
const fewArgs = 64

// run runs one command of the chunk and marks what its reply waits for. The
// engine's lock is held. An error ends the connection without the reply.
func (c *conn) run(args [][]byte) error {
	e := c.srv.engine
	before := len(c.w.B)
	c.w.Proto = c.proto
	e.begin()
	cmd, err := e.table.Lookup(args)
	if cmd == nil && crossProtocol(args[0]) {
		// A browser was made to send HTTP to this port.
		c.srv.warnCrossProtocol(c)
		c.quit = true
		return nil
	}
	c.slow = cmd == nil || cmd.Flags&command.Fast == 0 || len(args) > fewArgs
	if err == nil {
		c.lastCommand = cmd.FullName()
		err = c.admit(cmd, args)
	}
	switch {
	case err != nil:
		c.refuse(cmd, err)
	case e.pause.holds(c.flagsOf(cmd), e.ctx.Now):
		e.postpone(c)
		return nil
	case c.queues(cmd):
		c.tx.queue(cmd, args, c.srv.cfg.maxQuery.Load())
		c.w.SimpleString("QUEUED")
	default:
		e.invokeAlone(c, c.w, cmd, args)
	}
	seq, err := e.finish()
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	e.tellMonitors(seq)
	if e.pause.changed { // from now on: a transaction that paused went on to its end
		e.pause.changed = false
		e.ctx.Mode = e.mode()
	}
	served, err := e.serveBlocked()
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	c.slow = c.slow || served
	if c.w.Over {
		return errOutputLimit
	}
	if c.waited == nil { // otherwise the reply is still to come
		c.silence(before)
		c.mark(seq)
	}
	return nil
}

// crossProtocol reports whether a command is the beginning of an HTTP request's
// line or header, as Redis judges it.
func crossProtocol(name []byte) bool {
	return command.EqualFold(name, "POST") || command.EqualFold(name, "HOST:")
}

// runsInsideMulti are the commands that act at once inside MULTI.
func runsInsideMulti(cmd *command.Command) bool {
	switch cmd.FullName() {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return true
	}
	return false
}

// flagsOf are the flags by which a command is judged: EXEC by what it would run.
func (c *conn) flagsOf(cmd *command.Command) command.Flags {
	if cmd.FullName() == "exec" && c.tx != nil {
		return cmd.Flags | c.tx.flags
	}
	return cmd.Flags
}

// admit decides whether a command may run (or be queued) in the connection's
// and the node's present state, in Redis's order of checks.
func (c *conn) admit(cmd *command.Command, args [][]byte) error {
	e := c.srv.engine
	flags := c.flagsOf(cmd)
	size := int64(0)
	for _, a := range args {
		size += int64(len(a))
	}
	if cmd.FullName() == "exec" && c.tx != nil {
		size = c.tx.size
	}
	data := flags&(command.Write|command.ReadOnly) != 0
	switch {
	case cmd.Flags&command.NoAuth == 0 && c.mustAuthenticate():
		return errNoAuth
	case c.tx != nil && cmd.Flags&command.NoMulti != 0:
		return errNotInMulti
	}
	if err := c.permit(cmd, args); err != nil {
		return err
	}
	switch {
	case e.role == RoleLoading && flags&command.Loading == 0:
		return errLoading
	case e.role == RolePrimary && c.outOfMemory(cmd, flags):
		return errOOM
	case !data:
		return nil
	case e.role == RolePrimary:
		if flags&command.Write == 0 {
			return nil
		}
		return e.admitWrite(size)
	case flags&command.Write != 0:
		return errReadOnly
	case !c.readonly && (cmd.Keyspace || len(cmd.KeySpecs) > 0 || flags != cmd.Flags):
		return errReplicaRead
	}
	return nil
}

// admitWrite decides whether a write of size bytes of arguments may run on
// this primary.
func (e *engine) admitWrite(size int64) error {
	p := e.primary
	switch {
	case p.leaving:
		return errReadOnly
	case !p.term.Valid():
		return errLeaseOver
	case size > maxCommandSize:
		return errCommandTooLong
	}
	return p.admitHead(size)
}

// refuse answers an error and, inside MULTI, spoils the transaction.
func (c *conn) refuse(cmd *command.Command, err error) {
	before := len(c.w.B)
	defer func() {
		if cmd != nil {
			c.srv.engine.stats.of(cmd).rejected++
		}
		c.srv.engine.stats.errorReply(c.w.B[before:])
	}()
	if cmd != nil && cmd.FullName() == "exec" {
		// Redis discards the transaction whatever the reason.
		c.discard()
		c.w.Error("EXECABORT Transaction discarded because of: " + strings.TrimPrefix(err.Error(), "ERR "))
		return
	}
	if c.tx != nil {
		c.tx.spoiled = true
	}
	c.w.Error(err.Error())
}

// silence drops the reply written since before when CLIENT REPLY says so.
func (c *conn) silence(before int) {
	switch c.reply {
	case replyOn:
		return
	case replySkipNext:
		c.reply = replySkip
	case replySkip:
		c.reply = replyOn
	}
	c.w.B = c.w.B[:before]
}
