package node

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

func clientRows() []*command.Command {
	row := func(name, since string, arity int, flags command.Flags, h func(*command.Ctx), tips ...string) *command.Command {
		return &command.Command{Name: name, Since: since, Arity: arity, Flags: flags, Categories: command.CatConnection, Tips: tips, Handler: h}
	}
	return []*command.Command{{
		Name: "client", Group: "connection", Since: "2.4.0", Arity: -2,
		Sub: []*command.Command{
			row("id", "5.0.0", 2, anywhere, func(x *command.Ctx) { x.Out.Int(client(x).id) }),
			row("getname", "2.6.9", 2, anywhere, clientGetName),
			row("setname", "2.6.9", 3, anywhere, clientSetName),
			row("setinfo", "7.2.0", 4, anywhere, clientSetInfo),
			row("getredir", "6.0.0", 2, anywhere, func(x *command.Ctx) { x.Out.Int(-1) }), // tracking is off
			row("trackinginfo", "6.2.0", 2, anywhere, clientTrackingInfo),
			row("info", "6.2.0", 2, anywhere, clientInfo, "nondeterministic_output"),
			row("list", "2.4.0", -2, adminAny, clientList, "nondeterministic_output"),
			row("kill", "2.4.0", -3, adminAny, clientKill),
			row("no-evict", "7.0.0", 3, adminAny, clientNoEvict),
			row("no-touch", "7.2.0", 3, anywhere, clientNoTouch),
			row("reply", "3.2.0", 3, anywhere, clientReply),
			row("unblock", "5.0.0", -3, adminAny, clientUnblock),
			row("pause", "2.9.50", -3, adminAny, clientPause),
			row("unpause", "6.2.0", 2, adminAny, clientUnpause),
			row("help", "5.0.0", 2, command.Loading|command.Stale, func(x *command.Ctx) { x.Help(clientHelp...) }),
		},
	}}
}

var clientHelp = []string{
	"GETREDIR",
	"    Return the client ID we are redirecting to when tracking is enabled.",
	"GETNAME",
	"    Return the name of the current connection.",
	"ID",
	"    Return the ID of the current connection.",
	"INFO",
	"    Return information about the current client connection.",
	"KILL <ip:port>",
	"    Kill connection made from <ip:port>.",
	"KILL <option> <value> [<option> <value> [...]]",
	"    Kill connections. Options are: ID, ADDR, LADDR, TYPE, USER and",
	"    SKIPME (YES|NO, default: yes).",
	"LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> [<id> ...]]",
	"    Return information about client connections.",
	"NO-EVICT (ON|OFF)",
	"    Protect current client connection from eviction.",
	"NO-TOUCH (ON|OFF)",
	"    Will not touch LRU/LFU stats when this mode is on.",
	"PAUSE <timeout> [WRITE|ALL]",
	"    Suspend all, or just write, clients for <timeout> milliseconds.",
	"REPLY (ON|OFF|SKIP)",
	"    Control the replies sent to the current connection.",
	"SETINFO <LIB-NAME|LIB-VER> <value>",
	"    Set client meta attr.",
	"SETNAME <name>",
	"    Assign the name <name> to the current connection.",
	"TRACKINGINFO",
	"    Report tracking status for the current connection.",
	"UNBLOCK <clientid> [TIMEOUT|ERROR]",
	"    Unblock the specified blocked client.",
	"UNPAUSE",
	"    Stop the current client pause, resuming traffic.",
}

const errClientName = "ERR Client names cannot contain spaces, newlines or special characters."

// validClientName: printable ASCII without space, as Redis demands.
func validClientName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

func clientGetName(x *command.Ctx) {
	if name := client(x).name; name != "" {
		x.Out.BulkString(name)
		return
	}
	x.Out.Null()
}

func clientSetName(x *command.Ctx) {
	if !validClientName(x.Args[2]) {
		x.Out.Error(errClientName)
		return
	}
	client(x).name = string(x.Args[2])
	x.Out.OK()
}

func clientSetInfo(x *command.Ctx) {
	c, option, value := client(x), x.Args[2], x.Args[3]
	var at *string
	switch {
	case command.EqualFold(option, "LIB-NAME"):
		at = &c.libName
	case command.EqualFold(option, "LIB-VER"):
		at = &c.libVer
	default:
		x.Out.Error("ERR Unrecognized option '" + string(option) + "'")
		return
	}
	if !validClientName(value) {
		x.Out.Error("ERR " + strings.ToLower(string(option)) + " cannot contain spaces, newlines or special characters.")
		return
	}
	*at = string(value)
	x.Out.OK()
}

func clientInfo(x *command.Ctx) {
	x.Out.Verbatim("txt", client(x).describe(time.Now(), x.Args)+"\n")
}

func clientList(x *command.Ctx) {
	keep := func(*conn) bool { return true }
	switch args := x.Args[2:]; {
	case len(args) == 0:
	case len(args) == 2 && command.EqualFold(args[0], "TYPE"):
		normal, ok := clientType(args[1])
		if !ok {
			x.Out.Error("ERR Unknown client type '" + string(args[1]) + "'")
			return
		}
		keep = func(*conn) bool { return normal }
	case len(args) >= 2 && command.EqualFold(args[0], "ID"):
		ids := map[int64]bool{}
		for _, a := range args[1:] {
			id, ok := resp.ParseInt(a)
			if !ok {
				x.Out.Error("ERR Invalid client ID")
				return
			}
			ids[id] = true
		}
		keep = func(c *conn) bool { return ids[c.id] }
	default:
		x.SyntaxError()
		return
	}
	var b strings.Builder
	now := time.Now()
	for _, c := range client(x).srv.sorted() {
		if keep(c) {
			running := [][]byte(nil)
			if c == client(x) {
				running = x.Args
			}
			b.WriteString(c.describe(now, running) + "\n")
		}
		if limit := x.Out.Limit; limit > 0 && b.Len() > limit {
			x.Out.Over = true // names can be of any length
			return
		}
	}
	x.Out.Verbatim("txt", b.String())
}

// clientType reads a client type; every client here is a normal one.
func clientType(name []byte) (normal, ok bool) {
	switch strings.ToLower(string(name)) {
	case "normal":
		return true, true
	case "master", "replica", "slave", "pubsub":
		return false, true
	}
	return false, false
}

// sorted are the connections by id, without those that have ended and only have to be
// cleaned up after.
func (s *server) sorted() []*conn {
	var all []*conn
	s.each(func(c *conn) {
		if c.out.over() == nil {
			all = append(all, c)
		}
	})
	slices.SortFunc(all, func(a, b *conn) int { return int(a.id - b.id) })
	return all
}

// describe is the connection's line in CLIENT LIST. running are the arguments of the
// command that it runs at the moment; those that run none have no replies in the making
// either.
func (c *conn) describe(now time.Time, running [][]byte) string {
	flags := ""
	if c.monitors {
		flags += "O"
	}
	if c.tx != nil {
		flags += "x"
	}
	if _, postponed := c.srv.engine.pause.postponed[c]; postponed || c.blocked != nil {
		flags += "b"
	}
	if c.watchBroken {
		flags += "d"
	}
	if c.readonly {
		flags += "r"
	}
	if c.quit {
		flags += "c"
	}
	if c.noEvict.Load() {
		flags += "e"
	}
	if flags == "" {
		flags = "N"
	}
	queued, queuedBytes := -1, int64(0)
	if c.tx != nil {
		queued, queuedBytes = len(c.tx.commands), c.tx.memory
	}
	args, making := 0, 0
	if running != nil {
		if c.blocked == nil { // otherwise somebody else runs it, on behalf of c
			making = cap(c.w.B)
		}
		for _, a := range running {
			args += len(a)
		}
	}
	received := c.received.Load()
	held, replies := c.out.size()
	total, _ := c.mem.size()
	cmd := c.lastCommand
	if cmd == "" {
		cmd = "NULL"
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=0 psub=0 ssub=0 multi=%d qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=0 oll=%d omem=%d tot-mem=%d events=r cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		c.id, c.nc.RemoteAddr(), c.nc.LocalAddr(), -1, c.name,
		int(now.Sub(c.created).Seconds()), int(now.Sub(c.lastActive).Seconds()), flags, c.db,
		queued, received, max(0, c.bufferSize.Load()-received), args, queuedBytes, making, making, replies, held, total, cmd, c.user().Name(), c.proto, c.libName, c.libVer)
}

func clientNoEvict(x *command.Ctx) {
	switch {
	case command.EqualFold(x.Args[2], "ON"):
		client(x).noEvict.Store(true)
	case command.EqualFold(x.Args[2], "OFF"):
		client(x).noEvict.Store(false)
	default:
		x.SyntaxError()
		return
	}
	x.Out.OK()
}

// clientNoTouch has nothing to turn off: nothing is ever evicted, so that no command
// leaves a trace of when a key was used.
func clientNoTouch(x *command.Ctx) {
	if !command.EqualFold(x.Args[2], "ON") && !command.EqualFold(x.Args[2], "OFF") {
		x.SyntaxError()
		return
	}
	x.Out.OK()
}

// clientTrackingInfo answers what a connection has that tracks nothing: there is no
// CLIENT TRACKING to turn it on with.
func clientTrackingInfo(x *command.Ctx) {
	x.Out.Map(3)
	x.Out.BulkString("flags")
	x.Out.Set(1)
	x.Out.BulkString("off")
	x.Out.BulkString("redirect")
	x.Out.Int(-1)
	x.Out.BulkString("prefixes")
	x.Out.Array(0)
}

func clientReply(x *command.Ctx) {
	c := client(x)
	switch {
	case command.EqualFold(x.Args[2], "ON"):
		c.reply = replyOn
		x.Out.OK()
	case command.EqualFold(x.Args[2], "OFF"):
		c.reply = replyOff
	case command.EqualFold(x.Args[2], "SKIP"):
		if c.reply != replyOff {
			c.reply = replySkipNext
		}
	default:
		x.SyntaxError()
	}
}

func clientUnblock(x *command.Ctx) {
	how := byTimeout
	switch {
	case len(x.Args) == 3 || len(x.Args) == 4 && command.EqualFold(x.Args[3], "TIMEOUT"):
	case len(x.Args) == 4 && command.EqualFold(x.Args[3], "ERROR"):
		how = byClient
	case len(x.Args) == 4:
		x.Out.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	default:
		x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try CLIENT HELP.")
		return
	}
	id, ok := x.Int(2)
	if !ok {
		return
	}
	e, unblocked := client(x).srv.engine, int64(0)
	for w := range e.waits.waiting {
		if w.client.c.id == id && e.tryEnd(w.client, how) {
			unblocked = 1
			break
		}
	}
	x.Out.Int(unblocked)
}

// killFilter is what CLIENT KILL was asked for; a nil field means any.
type killFilter struct {
	id          *int64
	addr, laddr *string
	normal      *bool
	account     *account
	skipMe      bool
}

func (f *killFilter) matches(c *conn) bool {
	return (f.id == nil || *f.id == c.id) &&
		(f.addr == nil || *f.addr == c.nc.RemoteAddr().String()) &&
		(f.laddr == nil || *f.laddr == c.nc.LocalAddr().String()) &&
		(f.normal == nil || *f.normal) &&
		(f.account == nil || f.account == c.account)
}

func clientKill(x *command.Ctx) {
	me := client(x)
	if len(x.Args) == 3 { // the form of old: CLIENT KILL ip:port
		addr := string(x.Args[2])
		if me.kill(&killFilter{addr: &addr}) == 0 {
			x.Out.Error("ERR No such client")
			return
		}
		x.Out.OK()
		return
	}
	f, err := parseKillFilter(x.Args[2:], usersOf(x))
	if err != nil {
		x.Out.Error(err.Error())
		return
	}
	x.Out.Int(int64(me.kill(f)))
}

func parseKillFilter(args [][]byte, us *users) (*killFilter, error) {
	f := &killFilter{skipMe: true}
	if len(args)%2 != 0 {
		return nil, command.ErrSyntax
	}
	for ; len(args) > 0; args = args[2:] {
		value := string(args[1])
		switch strings.ToUpper(string(args[0])) {
		case "ID":
			id, ok := resp.ParseInt(args[1])
			if !ok || id < 1 {
				return nil, command.Error("ERR client-id should be greater than 0")
			}
			f.id = &id
		case "ADDR":
			f.addr = &value
		case "LADDR":
			f.laddr = &value
		case "TYPE":
			normal, ok := clientType(args[1])
			if !ok {
				return nil, command.Error("ERR Unknown client type '" + value + "'")
			}
			f.normal = &normal
		case "USER":
			if f.account = us.all[value]; f.account == nil {
				return nil, command.Error("ERR No such user '" + value + "'")
			}
		case "SKIPME":
			switch strings.ToLower(value) {
			case "yes":
				f.skipMe = true
			case "no":
				f.skipMe = false
			default:
				return nil, command.ErrSyntax
			}
		default:
			return nil, command.ErrSyntax
		}
	}
	return f, nil
}

// kill ends the connections that match and returns their number. The asking
// connection itself ends after its reply.
func (c *conn) kill(f *killFilter) int {
	n := 0
	c.srv.each(func(other *conn) {
		switch {
		case !f.matches(other) || other == c && f.skipMe:
			return
		case other == c:
			c.quit = true
		case !other.out.end(net.ErrClosed):
			return // it is on its way out, and for others it is gone
		}
		n++
	})
	return n
}
