package node

import (
	"encoding/hex"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

func debugRows() []*command.Command {
	return []*command.Command{{
		Name: "debug", Group: "server", Since: "1.0.0", Arity: -2, Flags: adminAny, Keyspace: true, Handler: debugCommand,
	}}
}

const errDebugOff = `ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`

// debugSubcommand is one subcommand of DEBUG, for min to max arguments behind its
// name.
type debugSubcommand struct {
	min, max int
	run      func(*command.Ctx)
	help     []string // how it is called, and lines about it
}

const anyNumber = 1 << 30

// debugSubcommands are all of them by name.
var debugSubcommands map[string]debugSubcommand

func init() {
	debugSubcommands = map[string]debugSubcommand{
		"DIGEST": {0, 0, debugDigest, []string{
			"DIGEST", "Output a hex signature representing the current DB content."}},
		"DIGEST-VALUE": {0, anyNumber, debugDigestValue, []string{
			"DIGEST-VALUE <key> [<key> ...]", "Output a hex signature of the values of all the specified keys."}},
		"HELP": {0, 0, debugHelp, []string{"HELP", "Print this help."}},
		"LOADAOF": {0, 0, debugLoadAOF, []string{
			"LOADAOF", "Build the data anew from object storage and the log. Fails, and keeps the",
			"data, if that is not what is in memory."}},
		"LOG": {1, 1, debugLog, []string{"LOG <message>", "Write <message> to the server log."}},
		"OBJECT": {1, 1, debugObject, []string{
			"OBJECT <key>", "Show low level info about `key` and associated value."}},
		"POPULATE": {1, 3, debugPopulate, []string{
			"POPULATE <count> [<prefix>] [<size>]",
			"Create <count> string keys named key:<num>, or <prefix>:<num>, that do not exist",
			"yet. They are logged like any other write."}},
		"PROTOCOL": {1, 1, debugProtocol, []string{
			"PROTOCOL <type>",
			"Reply with a test value of the specified type. <type> can be: string, integer,",
			"double, bignum, null, array, set, map, attrib, push, verbatim, true, false."}},
		"QUICKLIST-PACKED-THRESHOLD": {1, 1, debugPackedThreshold, []string{
			"QUICKLIST-PACKED-THRESHOLD <size>",
			"Does nothing: lists here have no threshold from which on an element is kept apart.",
			"It is there for tests that set Redis's low, to try large elements."}},
		"RELOAD": {0, anyNumber, debugReload, []string{
			"RELOAD", "Write the data as an RDB file, read it back and go on with what was read. Fails,",
			"and keeps the data, if that is not what was in memory."}},
		"SET-ACTIVE-EXPIRE": {1, 1, debugSetActiveExpire, []string{
			"SET-ACTIVE-EXPIRE <0|1>",
			"Setting it to 0 disables expiring keys (and hash-fields) in background",
			"when they are not accessed (otherwise the Redis behavior). Setting it",
			"to 1 reenables back the default."}},
		"SLEEP": {1, 1, debugSleep, []string{
			"SLEEP <seconds>", "Stop the server for <seconds>. Decimals allowed."}},
	}
}

func debugCommand(x *command.Ctx) {
	if !client(x).debugAllowed() {
		x.Out.Error(errDebugOff)
		return
	}
	sub, ok := debugSubcommands[strings.ToUpper(string(x.Args[1]))]
	if n := len(x.Args) - 2; !ok || n < sub.min || n > sub.max {
		x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try DEBUG HELP.")
		return
	}
	sub.run(x)
}

// debugAllowed judges enable-debug-command: no, yes, or local connections only.
func (c *conn) debugAllowed() bool {
	switch c.srv.cfg.debug {
	case "yes":
		return true
	case "local":
		tcp, ok := c.nc.RemoteAddr().(*net.TCPAddr)
		return ok && tcp.IP.IsLoopback()
	}
	return false
}

func debugHelp(x *command.Ctx) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(debugSubcommands)) {
		for i, line := range debugSubcommands[name].help {
			if i > 0 {
				line = "    " + line
			}
			lines = append(lines, line)
		}
	}
	x.Help(lines...)
}

func debugDigest(x *command.Ctx) {
	d := x.KS.RedisDigest()
	x.Out.SimpleString(hex.EncodeToString(d[:]))
}

func debugDigestValue(x *command.Ctx) {
	x.Out.Array(len(x.Args) - 2)
	for _, key := range x.Args[2:] {
		d := x.KS.DB(x.DB).KeyRedisDigest(key)
		x.Out.SimpleString(hex.EncodeToString(d[:]))
	}
}

func debugLog(x *command.Ctx) {
	client(x).srv.log.Warn("DEBUG LOG", "message", string(x.Args[2]))
	x.Out.OK()
}

func debugSetActiveExpire(x *command.Ctx) {
	client(x).srv.engine.activeExpire = string(x.Args[2]) != "0"
	x.Out.OK()
}

func debugPackedThreshold(x *command.Ctx) {
	if n, err := parseMemory(string(x.Args[2])); err != nil || n > 4<<30 {
		x.Out.Error("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
		return
	}
	x.Out.OK()
}

// debugSleep stops the whole engine, as in Redis: that is what it is for.
func debugSleep(x *command.Ctx) {
	seconds, err := strconv.ParseFloat(string(x.Args[2]), 64)
	if err == nil && seconds > 0 {
		time.Sleep(time.Duration(seconds * float64(time.Second)))
	}
	x.Out.OK()
}

// debugPopulate makes many keys, by SET, so that they are logged.
func debugPopulate(x *command.Ctx) {
	c, prefix, size := client(x), "key", int64(0)
	count, ok := resp.ParseInt(x.Args[2])
	if len(x.Args) > 3 {
		prefix = string(x.Args[3])
	}
	if len(x.Args) > 4 && ok {
		size, ok = resp.ParseInt(x.Args[4])
	}
	if !ok || count < 0 || size < 0 {
		x.Out.Error("ERR value is out of range, must be positive")
		return
	}
	// About what the log will take, judged before anything is made.
	const perKey = 32
	if each := size + int64(len(prefix)) + perKey; count > maxCommandSize/each {
		x.Out.Error(string(errCommandTooLong))
		return
	} else if err := c.mayWrite(count * each); err != nil {
		x.Out.Error(err.Error())
		return
	}
	set, db := c.srv.engine.table.Find([]byte("set")), x.KS.DB(x.DB)
	before := len(c.w.B)
	for i := range count {
		n := strconv.FormatInt(i, 10)
		key, value := []byte(prefix+":"+n), []byte("value:"+n)
		if _, found := db.Lookup(key); found {
			continue
		}
		if size > 0 {
			value = append(value, make([]byte, max(0, size-int64(len(value))))...)[:size]
		}
		c.srv.engine.invoke(c, c.w, set, [][]byte{[]byte("SET"), key, value})
		c.w.B = c.w.B[:before]
	}
	x.Out.OK()
}

// mayWrite judges a write by a command that is no write by its row.
func (c *conn) mayWrite(size int64) error {
	if c.srv.engine.primary == nil {
		return errReadOnly
	}
	return c.srv.engine.admitWrite(size)
}
