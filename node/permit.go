package node

import (
	"time"

	"github.com/redoubtdb/redoubt/node/acl"
	"github.com/redoubtdb/redoubt/node/command"
)

// user is what the connection may do at this moment.
func (c *conn) user() *acl.User { return c.account.now.Load() }

// mustAuthenticate tells whether the connection may do nothing before AUTH. It changes with
// the default user.
func (c *conn) mustAuthenticate() bool {
	return !c.authenticated && !c.srv.engine.users.open()
}

// check decides whether the connection's user may run a command, and keeps a denial for ACL
// LOG.
func (c *conn) check(cmd *command.Command, args [][]byte) acl.Verdict {
	u := c.user()
	if u.Unrestricted() {
		return acl.Verdict{}
	}
	r := &c.srv.engine.users.request
	r.Set(cmd, args)
	v := u.Check(r)
	switch v.Reason {
	case acl.Allowed:
	case acl.DeniedCommand:
		c.logDenial(v.Reason, cmd.FullName(), u.Name(), args)
	default:
		c.logDenial(v.Reason, string(args[v.Arg]), u.Name(), args)
	}
	return v
}

// permit is check with the error to answer.
func (c *conn) permit(cmd *command.Command, args [][]byte) error {
	if v := c.check(cmd, args); v.Reason != acl.Allowed {
		return command.Error("NOPERM " + denial(v, c.user(), cmd, nil))
	}
	return nil
}

// denial says why a request is denied. With the request's arguments it names what was
// not allowed, which may be somebody else's key.
func denial(v acl.Verdict, u *acl.User, cmd *command.Command, args [][]byte) string {
	switch {
	case v.Reason == acl.DeniedCommand:
		return "User " + u.Name() + " has no permissions to run the '" + cmd.FullName() + "' command"
	case v.Reason == acl.DeniedKey && args == nil:
		return "No permissions to access a key"
	case v.Reason == acl.DeniedKey:
		return "User " + u.Name() + " has no permissions to access the '" + string(args[v.Arg]) + "' key"
	case args == nil:
		return "No permissions to access a channel"
	}
	return "User " + u.Name() + " has no permissions to access the '" + string(args[v.Arg]) + "' channel"
}

// whyNotAnyMore ends the answer to a queued command that is no longer allowed.
var whyNotAnyMore = map[acl.Reason]string{
	acl.DeniedCommand: "no permission to execute the command or subcommand",
	acl.DeniedKey:     "no permission to touch the specified keys",
	acl.DeniedChannel: "no permission to access one of the channels used as argument to the command",
}

// permitQueued decides once more about a command that MULTI has queued: rules may have
// changed since.
func (c *conn) permitQueued(q queued) error {
	if v := c.check(q.cmd, q.args); v.Reason != acl.Allowed {
		return command.Error("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
			"This command is no longer allowed for the following reason: " + whyNotAnyMore[v.Reason])
	}
	return nil
}

// MayReadAnyKey implements command.KeyGuard.
func (c *conn) MayReadAnyKey(x *command.Ctx) bool {
	u := c.user()
	if u.Unrestricted() {
		return true
	}
	r := &c.srv.engine.users.request
	r.Set(x.Cmd, x.Args)
	return u.CheckAnyKey(r, command.KeyAccess)
}

// logDenial keeps a denial of the command that args are.
func (c *conn) logDenial(why acl.Reason, object, user string, args [][]byte) {
	where := acl.TopLevel
	if c.tx != nil || c.srv.engine.inExec {
		where = acl.InMulti
	}
	now := time.Now()
	c.srv.engine.users.log.Add(acl.Entry{
		Reason: why, Context: where, Object: object, User: user,
		Client: c.describe(now, args), Updated: now.UnixMilli(),
	})
}

// login authenticates as a user. request is the command that asks for it.
func (c *conn) login(name, password []byte, request [][]byte) bool {
	us := c.srv.engine.users
	a := us.all[string(name)]
	if !us.get(string(name)).Authenticate(password) {
		c.logDenial(acl.DeniedAuth, string(request[0]), string(name), request)
		return false
	}
	c.account, c.authenticated = a, true
	c.rd.SetAuthenticated(true)
	return true
}
