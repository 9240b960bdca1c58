package node

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// MONITOR: connections that are sent every command as it is executed. Like the slow log
// it tells what was run, before it is known whether it will be committed. What a replica
// applies from the log is no command of a client and not shown.

func monitorRows() []*command.Command {
	return []*command.Command{{
		Name: "monitor", Group: "server", Since: "1.0.0", Arity: 1, Flags: adminAny, Handler: monitorCommand,
	}}
}

// monitorCommand answers once: a connection that monitors already gets nothing, as in
// Redis.
func monitorCommand(x *command.Ctx) {
	c := client(x)
	e := c.srv.engine
	switch {
	case e.inExec:
		x.Out.Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
	case !c.monitors:
		c.monitors = true
		if e.monitors == nil {
			e.monitors = map[*conn]struct{}{}
		}
		e.monitors[c] = struct{}{}
		x.Out.OK()
	}
}

// feedMonitors tells those who monitor of a command that c has run. What c itself is to
// be told waits for the end of the unit: it must not come inside of its reply.
func (e *engine) feedMonitors(c *conn, cmd *command.Command, args [][]byte) {
	if cmd.Flags&command.Admin != 0 || e.role == RoleLoading {
		return
	}
	line := monitorLine(time.Now(), c.db, c.nc.RemoteAddr().String(), args, secrets(cmd, args))
	for m := range e.monitors {
		switch {
		case m == c:
			c.monitored = append(c.monitored, line...)
		case m.reply == replyOn:
			m.out.push(line)
		}
	}
}

// tellMonitored sends c what feedMonitors has kept for it.
func (c *conn) tellMonitored() {
	if len(c.monitored) == 0 {
		return
	}
	if c.waited == nil {
		c.w.Raw(c.monitored)
	} else if c.reply == replyOn { // its own reply is still to come
		c.out.push(c.monitored)
	}
	c.monitored = nil
}

// monitorLine is a command as MONITOR shows it.
func monitorLine(now time.Time, db int, addr string, args [][]byte, secret func(int) bool) []byte {
	line := fmt.Appendf(nil, "+%d.%06d [%d %s]", now.Unix(), now.Nanosecond()/1000, db, addr)
	for i, a := range args {
		line = append(line, ' ')
		if secret(i) {
			line = append(line, `"(redacted)"`...)
		} else {
			line = appendQuoted(line, a)
		}
	}
	return append(line, "\r\n"...)
}

// appendQuoted appends b in quotation marks, as one line of ASCII.
func appendQuoted(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c <= '~':
			dst = append(dst, c)
		case c == '\n' || c == '\r' || c == '\t' || c == '\a' || c == '\b':
			q := strconv.AppendQuoteRuneToASCII(nil, rune(c)) // '\n'
			dst = append(dst, q[1:len(q)-1]...)
		default:
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

// endMonitor takes MONITOR back. The engine's lock is held.
func (c *conn) endMonitor() {
	delete(c.srv.engine.monitors, c)
	c.monitors, c.monitored = false, nil
}

// forgetMonitor is endMonitor for a connection that is over.
func (s *server) forgetMonitor(c *conn) {
	if c.monitors {
		s.engine.mu.Lock()
		defer s.engine.mu.Unlock()
		c.endMonitor()
	}
}
