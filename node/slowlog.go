package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

// Bounds of what the slow log keeps of a command, Redis's.
const (
	slowArgs   = 32
	slowArgLen = 128
)

// slowlog keeps the newest commands that took long. The engine's lock guards it.
type slowlog struct {
	slowerThan int64 // microseconds, negative: nothing is kept
	maxLen     int64
	nextID     int64
	entries    []slowEntry // the newest last
}

type slowEntry struct {
	id     int64
	at     int64 // Unix seconds
	took   time.Duration
	args   []string
	addr   string
	client string
}

func (l *slowlog) takes(d time.Duration) bool {
	return l.slowerThan >= 0 && d.Microseconds() >= l.slowerThan
}

// add keeps a command that began at now, in Unix milliseconds.
func (l *slowlog) add(now int64, took time.Duration, cmd *command.Command, args [][]byte, c *conn) {
	l.entries = append(l.entries, slowEntry{
		id: l.nextID, at: now / 1000, took: took, args: shownArgs(cmd, args), addr: c.nc.RemoteAddr().String(), client: c.name,
	})
	l.nextID++
	if over := len(l.entries) - int(min(l.maxLen, int64(len(l.entries)))); over > 0 {
		l.entries = append([]slowEntry(nil), l.entries[over:]...)
	}
}

// shownArgs are the arguments as people may see them: shortened, and without
// passwords.
func shownArgs(cmd *command.Command, args [][]byte) []string {
	secret := secrets(cmd, args)
	shown := make([]string, 0, min(len(args), slowArgs))
	for i, a := range args {
		switch {
		case i == slowArgs-1 && len(args) > slowArgs:
			return append(shown, fmt.Sprintf("... (%d more arguments)", len(args)-slowArgs+1))
		case secret(i):
			shown = append(shown, "(redacted)")
		case len(a) > slowArgLen:
			shown = append(shown, fmt.Sprintf("%s... (%d more bytes)", a[:slowArgLen], len(a)-slowArgLen))
		default:
			shown = append(shown, string(a))
		}
	}
	return shown
}

// secrets tells which arguments of a command must not be shown.
func secrets(cmd *command.Command, args [][]byte) func(i int) bool {
	switch cmd.FullName() {
	case "auth":
		return func(i int) bool { return i > 0 }
	case "acl|setuser", "acl|deluser", "acl|getuser":
		return func(i int) bool { return i > 1 }
	case "hello":
		for i := 2; i < len(args); i++ {
			if command.EqualFold(args[i], "AUTH") {
				return func(j int) bool { return j == i+1 || j == i+2 }
			}
		}
	case "config|set":
		return func(i int) bool {
			return i > 2 && i%2 == 1 && strings.EqualFold(string(args[i-1]), "requirepass")
		}
	}
	return func(int) bool { return false }
}

func slowlogRows() []*command.Command {
	const flags = command.Admin | command.Loading | command.Stale
	return []*command.Command{{
		Name: "slowlog", Group: "server", Since: "2.2.12", Arity: -2,
		Sub: []*command.Command{
			{Name: "get", Since: "2.2.12", Arity: -2, Flags: flags, Handler: slowlogGet,
				Tips: []string{"request_policy:all_nodes", "nondeterministic_output"}},
			{Name: "len", Since: "2.2.12", Arity: 2, Flags: flags,
				Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
				Handler: func(x *command.Ctx) { x.Out.Int(int64(len(client(x).srv.engine.slowlog.entries))) }},
			{Name: "reset", Since: "2.2.12", Arity: 2, Flags: flags,
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Handler: func(x *command.Ctx) { client(x).srv.engine.slowlog.entries = nil; x.Out.OK() }},
			{Name: "help", Since: "6.2.0", Arity: 2, Flags: command.Loading | command.Stale,
				Handler: func(x *command.Ctx) { x.Help(slowlogHelp...) }},
		},
	}}
}

var slowlogHelp = []string{
	"GET [<count>]",
	"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
	"    Entries are made of:",
	"    id, timestamp, time in microseconds, arguments array, client IP and port,",
	"    client name",
	"LEN",
	"    Return the length of the slowlog.",
	"RESET",
	"    Reset the slowlog.",
}

func slowlogGet(x *command.Ctx) {
	l := &client(x).srv.engine.slowlog
	count := int64(10)
	switch len(x.Args) {
	case 2:
	case 3:
		n, ok := resp.ParseInt(x.Args[2])
		if !ok || n < -1 {
			x.Out.Error("ERR count should be greater than or equal to -1")
			return
		}
		if count = n; n == -1 {
			count = int64(len(l.entries))
		}
	default:
		x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try SLOWLOG HELP.")
		return
	}
	count = min(count, int64(len(l.entries)))
	x.Out.Array(int(count))
	for i := range int(count) {
		e := &l.entries[len(l.entries)-1-i]
		x.Out.Array(6)
		x.Out.Int(e.id)
		x.Out.Int(e.at)
		x.Out.Int(e.took.Microseconds())
		x.Out.Array(len(e.args))
		for _, a := range e.args {
			x.Out.BulkString(a)
		}
		x.Out.BulkString(e.addr)
		x.Out.BulkString(e.client)
	}
}
