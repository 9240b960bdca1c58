package node

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// MONITOR: connections that are sent every command that is executed. A line waits for
// the same commit as the command's reply (DESIGN invariant 1), and a term that ends
// before cuts the connection as it cuts those that wait for a reply. What a replica
// applies from the log is no command of a client and not shown.

// monitorLine is what those who monitor are told of one command; by is who ran it.
type monitorLine struct {
	by   *conn
	line []byte
}

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

// feedMonitors keeps what those who monitor are to be told of a command that c has run,
// until the unit's place in the log is known.
func (e *engine) feedMonitors(c *conn, cmd *command.Command, args [][]byte) {
	if cmd.Flags&command.Admin != 0 || e.role == RoleLoading {
		return
	}
	line := formatMonitorLine(time.Now(), c.db, c.nc.RemoteAddr().String(), args, secrets(cmd, args))
	e.monitorLines = append(e.monitorLines, monitorLine{c, line})
}

// tellMonitors sends what feedMonitors has kept of a unit whose replies wait for seq. What
// a connection is told of itself comes behind its reply, not inside of it.
func (e *engine) tellMonitors(seq uint64) {
	if len(e.monitorLines) == 0 {
		return
	}
	gen := uint64(0)
	if e.primary != nil {
		gen = e.primary.gen
	}
	for _, l := range e.monitorLines {
		for m := range e.monitors {
			switch {
			case m == l.by && m.waited == nil:
				m.w.Raw(l.line)
			case m.reply == replyOn:
				m.out.push(l.line, seq, e.gate, gen)
			}
		}
	}
	clear(e.monitorLines)
	e.monitorLines = e.monitorLines[:0]
}

// formatMonitorLine is a command as MONITOR shows it.
func formatMonitorLine(now time.Time, db int, addr string, args [][]byte, secret func(int) bool) []byte {
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
	c.monitors = false
}

// forgetMonitor is endMonitor for a connection that is over.
func (s *server) forgetMonitor(c *conn) {
	if c.monitors {
		s.engine.mu.Lock()
		defer s.engine.mu.Unlock()
		c.endMonitor()
	}
}
