package node

import (
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

func debugRows() []*command.Command {
	return []*command.Command{{
		Name: "debug", Group: "server", Since: "1.0.0", Arity: -2, Flags: adminAny, Keyspace: true, Handler: debugCommand,
	}}
}

const errDebugOff = `ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`

var debugHelp = []string{
	"DIGEST",
	"    Output a hex signature representing the current DB content.",
	"DIGEST-VALUE <key> [<key> ...]",
	"    Output a hex signature of the values of all the specified keys.",
	"SET-ACTIVE-EXPIRE <0|1>",
	"    Setting it to 0 disables expiring keys (and hash-fields) in background",
	"    when they are not accessed (otherwise the Redis behavior). Setting it",
	"    to 1 reenables back the default.",
	"SLEEP <seconds>",
	"    Stop the server for <seconds>. Decimals allowed.",
}

func debugCommand(x *command.Ctx) {
	c := client(x)
	if !c.debugAllowed() {
		x.Out.Error(errDebugOff)
		return
	}
	e := c.srv.engine
	switch sub := strings.ToUpper(string(x.Args[1])); {
	case sub == "HELP" && len(x.Args) == 2:
		x.Help(debugHelp...)
	case sub == "DIGEST" && len(x.Args) == 2:
		d := x.KS.RedisDigest()
		x.Out.SimpleString(hex.EncodeToString(d[:]))
	case sub == "DIGEST-VALUE" && len(x.Args) >= 2:
		x.Out.Array(len(x.Args) - 2)
		for _, key := range x.Args[2:] {
			d := x.KS.DB(x.DB).KeyRedisDigest(key)
			x.Out.SimpleString(hex.EncodeToString(d[:]))
		}
	case sub == "SET-ACTIVE-EXPIRE" && len(x.Args) == 3:
		e.activeExpire = string(x.Args[2]) != "0"
		x.Out.OK()
	case sub == "SLEEP" && len(x.Args) == 3:
		// The whole engine stops, as it does in Redis: that is what it is for.
		seconds, err := strconv.ParseFloat(string(x.Args[2]), 64)
		if err == nil && seconds > 0 {
			time.Sleep(time.Duration(seconds * float64(time.Second)))
		}
		x.Out.OK()
	default:
		x.Out.Error("ERR unknown subcommand or wrong number of arguments for '" + string(x.Args[1]) + "'. Try DEBUG HELP.")
	}
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
