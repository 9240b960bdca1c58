package node

import (
	"strconv"

	"github.com/redoubtdb/redoubt/node/command"
)

const errOOM command.Error = "OOM command not allowed when used memory > 'maxmemory'."

// maxMemoryParam is the limit of what the data may take, as INFO's
// used_memory_dataset counts it. Nothing is ever evicted: commands that may need
// memory are refused beyond it.
var maxMemoryParam = parameter{
	name: "maxmemory",
	get:  func(_ *engine, s *settings) string { return strconv.FormatInt(s.maxMemory.Load(), 10) },
	set: func(_ *engine, s *settings, v string) error {
		n, err := parseMemory(v)
		if err == nil {
			s.maxMemory.Store(n)
		}
		return err
	},
}

// outOfMemory tells whether a command with these flags is refused because the
// data takes more than maxmemory. Inside MULTI that is every command that would
// be queued: what is queued takes memory, too.
func (c *conn) outOfMemory(cmd *command.Command, flags command.Flags) bool {
	limit := c.srv.cfg.maxMemory.Load()
	if limit == 0 || flags&command.DenyOOM == 0 && !c.queues(cmd) {
		return false
	}
	return c.srv.engine.ks.MemoryUsed() > limit
}

// queues tells whether the command would be queued for EXEC.
func (c *conn) queues(cmd *command.Command) bool {
	return c.tx != nil && !runsInsideMulti(cmd)
}
