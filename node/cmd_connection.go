package node

import (
	"github.com/redoubtdb/redoubt/node/acl"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

func connectionRows() []*command.Command {
	const conn = command.CatConnection
	const plain = command.Loading | command.Stale | command.Fast
	return []*command.Command{
		{Name: "ping", Group: "connection", Since: "1.0.0", Arity: -1, Flags: command.Fast, Categories: conn,
			Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}, Handler: ping},
		{Name: "echo", Group: "connection", Since: "1.0.0", Arity: 2, Flags: plain, Categories: conn,
			Handler: func(x *command.Ctx) { x.Out.Bulk(x.Args[1]) }},
		{Name: "auth", Group: "connection", Since: "1.0.0", Arity: -2, Flags: greeting, Categories: conn, Handler: auth},
		{Name: "hello", Group: "connection", Since: "6.0.0", Arity: -1, Flags: greeting, Categories: conn, Handler: hello},
		{Name: "quit", Group: "connection", Since: "1.0.0", Arity: -1, Flags: greeting, Categories: conn, Handler: quit},
		{Name: "reset", Group: "connection", Since: "6.2.0", Arity: 1, Flags: greeting, Categories: conn, Handler: reset},
		{Name: "select", Group: "connection", Since: "1.0.0", Arity: 2, Flags: plain, Categories: conn, Handler: selectDB},
		{Name: "readonly", Group: "cluster", Since: "3.0.0", Arity: 1, Flags: plain, Categories: conn,
			Handler: func(x *command.Ctx) { client(x).readonly = true; x.Out.OK() }},
		{Name: "readwrite", Group: "cluster", Since: "3.0.0", Arity: 1, Flags: plain, Categories: conn,
			Handler: func(x *command.Ctx) { client(x).readonly = false; x.Out.OK() }},
	}
}

func ping(x *command.Ctx) {
	switch len(x.Args) {
	case 1:
		x.Out.SimpleString("PONG")
	case 2:
		x.Out.Bulk(x.Args[1])
	default:
		x.Out.Error("ERR wrong number of arguments for 'ping' command")
	}
}

const (
	errWrongPass  = "WRONGPASS invalid username-password pair or user is disabled."
	errNoPassword = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
)

func auth(x *command.Ctx) {
	c := client(x)
	switch {
	case len(x.Args) > 3:
		x.SyntaxError()
	case usersOf(x).unknown:
		x.Error(errUsersUnknown)
	case len(x.Args) == 2 && usersOf(x).def.now.Load().NoPass():
		x.Out.Error(errNoPassword)
	case len(x.Args) == 2 && c.login([]byte(acl.Default), x.Args[1], x.Args):
		x.Out.OK()
	case len(x.Args) == 3 && c.login(x.Args[1], x.Args[2], x.Args):
		x.Out.OK()
	default:
		x.Out.Error(errWrongPass)
	}
}

func hello(x *command.Ctx) {
	c := client(x)
	proto, next := c.proto, 1
	if len(x.Args) > 1 {
		v, ok := resp.ParseInt(x.Args[1])
		if !ok {
			x.Out.Error("ERR Protocol version is not an integer or out of range")
			return
		}
		if v < 2 || v > 3 {
			x.Out.Error("NOPROTO unsupported protocol version")
			return
		}
		proto, next = int(v), 2
	}
	var credentials [][]byte
	var name []byte
	for ; next < len(x.Args); next++ {
		more := len(x.Args) - 1 - next
		switch opt := x.Args[next]; {
		case command.EqualFold(opt, "AUTH") && more >= 2:
			credentials = x.Args[next+1 : next+3]
			next += 2
		case command.EqualFold(opt, "SETNAME") && more >= 1:
			name = x.Args[next+1]
			if !validClientName(name) {
				x.Out.Error(errClientName)
				return
			}
			next++
		default:
			x.Out.Error("ERR Syntax error in HELLO option '" + string(opt) + "'")
			return
		}
	}
	switch {
	case credentials == nil:
	case usersOf(x).unknown:
		x.Error(errUsersUnknown)
		return
	case !c.login(credentials[0], credentials[1], x.Args):
		x.Out.Error(errWrongPass)
		return
	}
	if !c.authenticated {
		x.Out.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if name != nil {
		c.name = string(name)
	}
	c.proto = proto
	x.Out.Proto = proto
	c.introduce(x.Out)
}

// introduce answers HELLO.
func (c *conn) introduce(w *resp.Writer) {
	role := "replica"
	if c.srv.engine.role == RolePrimary {
		role = "master"
	}
	w.Map(7)
	w.BulkString("server")
	w.BulkString("redis")
	w.BulkString("version")
	w.BulkString(RedisVersion)
	w.BulkString("proto")
	w.Int(int64(c.proto))
	w.BulkString("id")
	w.Int(c.id)
	w.BulkString("mode")
	w.BulkString("standalone")
	w.BulkString("role")
	w.BulkString(role)
	w.BulkString("modules")
	w.Array(0)
}

func quit(x *command.Ctx) {
	client(x).quit = true
	x.Out.OK()
}

func reset(x *command.Ctx) {
	c := client(x)
	c.unwatch()
	c.endMonitor()
	last, active := c.lastCommand, c.lastActive
	c.session = c.newSession()
	c.noEvict.Store(false)
	c.lastCommand, c.lastActive = last, active
	c.rd.SetAuthenticated(c.authenticated)
	x.Out.Proto = c.proto
	x.Out.SimpleString("RESET")
}

func selectDB(x *command.Ctx) {
	n, ok := x.Int(1)
	if !ok {
		return
	}
	if n < 0 || n >= int64(x.KS.NumDBs()) {
		x.Error(command.ErrDBRange)
		return
	}
	client(x).db = int(n)
	x.Out.OK()
}
