package node

import (
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/node/acl"
	"github.com/redoubtdb/redoubt/node/command"
)

const (
	errManagedUsers command.Error = "ERR the users of this cluster are managed: they are in etcd, the same for all of its nodes, and are changed there"
	errUsersUnknown command.Error = "LOADING the users of this cluster have not been read from etcd yet"
)

// errUserRemoved: the user that the connection was logged in as is gone.
var errUserRemoved = errors.New("node: the connection's user was removed")

// users are who may use the node. They are the node's own, as in Redis (an ACL file may
// keep them), or managed: those of the cluster, kept in etcd. The engine's lock guards
// them.
type users struct {
	grammar acl.Grammar
	all     map[string]*account
	def     *account // the default user, which always exists
	log     acl.Log
	request acl.Request // the one being checked
	logger  *slog.Logger

	requirePass string // rule that sets the password of requirepass; "": there is none
	file        string // aclfile
	managed     bool
	unknown     bool // they are managed and have not been read yet
}

// account is what connections are logged in as: the user of a name, as it is now.
type account struct {
	now atomic.Pointer[acl.User]
}

func newUsers(t *command.Table) *users {
	u := &users{grammar: acl.Grammar{Table: t}, all: map[string]*account{}, logger: slog.New(slog.DiscardHandler)}
	u.log.SetMax(128)
	u.put(u.grammar.NewDefault())
	u.def = u.all[acl.Default]
	return u
}

// configure takes what a node's configuration says of users.
func (u *users) configure(c *Config) error {
	u.logger = c.Logger
	u.grammar.AllChannels = c.ACLPubSubDefault == allChannels
	if c.RequirePass != "" {
		u.setPassword(c.RequirePass)
	}
	if u.managed = c.ManagedUsers; u.managed {
		u.unknown = true
		u.put(u.grammar.New(acl.Default))
	}
	if u.file = c.ACLFile; u.file != "" {
		return u.load()
	}
	return nil
}

// get is the user of a name; nil when there is none.
func (u *users) get(name string) *acl.User {
	if a := u.all[name]; a != nil {
		return a.now.Load()
	}
	return nil
}

// put makes user what its name stands for, also for those who are logged in.
func (u *users) put(user *acl.User) {
	a := u.all[user.Name()]
	if a == nil {
		a = &account{}
		u.all[user.Name()] = a
	}
	a.now.Store(user)
}

// remove forgets a user and ends the connections that are logged in as it.
func (s *server) removeUser(name string, asking *conn) bool {
	u := s.engine.users
	a := u.all[name]
	if a == nil || a == u.def {
		return false
	}
	delete(u.all, name)
	s.each(func(c *conn) {
		switch {
		case c.account != a:
		case c == asking:
			// It is answered first, and may do nothing more.
			c.account, c.authenticated, c.quit = u.def, false, true
		default:
			c.out.end(errUserRemoved)
		}
	})
	return true
}

// replaceUsers makes all the only users, but for the default user, which is what a server
// begins with unless all has one. Connections go on as the user of the same name, or
// end.
func (s *server) replaceUsers(all map[string]*acl.User, asking *conn) {
	u := s.engine.users
	for _, name := range u.names() {
		if all[name] == nil {
			s.removeUser(name, asking)
		}
	}
	for _, user := range all {
		u.put(user)
	}
	if all[acl.Default] == nil {
		u.put(u.initialDefault())
	}
}

// initialDefault is the default user when nobody has said anything of it.
func (u *users) initialDefault() *acl.User {
	switch {
	case u.managed:
		return u.grammar.New(acl.Default)
	case u.requirePass != "":
		user, err := u.grammar.Apply(u.grammar.NewDefault(), "resetpass", u.requirePass)
		if err == nil {
			return user
		}
	}
	return u.grammar.NewDefault()
}

// names are the names of all users in order.
func (u *users) names() []string { return slices.Sorted(maps.Keys(u.all)) }

// setPassword is CONFIG SET requirepass: it changes the passwords of the default user
// to this one, or to none at all.
func (u *users) setPassword(p string) {
	rules := []string{"nopass"}
	u.requirePass = ""
	if p != "" {
		rules = []string{"resetpass", ">" + p}
	}
	user, err := u.grammar.Apply(u.def.now.Load(), rules...)
	if err != nil {
		panic("node: requirepass: " + err.Error()) // such rules are always good
	}
	if p != "" {
		u.requirePass = "#" + user.Passwords()[0]
	}
	u.put(user)
}

// open tells whether connections may do without AUTH.
func (u *users) open() bool {
	d := u.def.now.Load()
	return d.NoPass() && d.Enabled()
}

// requirePassParam: the password is kept by its hash; Redis would show it.
var requirePassParam = parameter{
	name: "requirepass",
	get: func(e *engine, _ *settings) string {
		if e.users.def.now.Load().HasPasswords() {
			return "(set)"
		}
		return ""
	},
	set: func(e *engine, _ *settings, v string) error {
		if e.users.managed {
			return badValue("the users of this cluster are managed")
		}
		e.users.setPassword(v)
		return nil
	},
}

var logMaxParam = parameter{
	name: "acllog-max-len",
	get:  func(e *engine, _ *settings) string { return strconv.FormatInt(e.users.log.Max(), 10) },
	set: func(e *engine, _ *settings, v string) error {
		n, err := parseRange(v, 0, math.MaxInt64)
		if err == nil {
			e.users.log.SetMax(n)
		}
		return err
	},
}

// The values of acl-pubsub-default.
const (
	resetChannels = "resetchannels"
	allChannels   = "allchannels"
)

var pubSubDefaultParam = parameter{
	name: "acl-pubsub-default",
	get: func(e *engine, _ *settings) string {
		if e.users.grammar.AllChannels {
			return allChannels
		}
		return resetChannels
	},
	set: func(e *engine, _ *settings, v string) error {
		word := strings.ToLower(v)
		if word != allChannels && word != resetChannels {
			return badValue("argument(s) must be one of the following: allchannels, resetchannels")
		}
		e.users.grammar.AllChannels = word == allChannels
		return nil
	},
}

var aclFileParam = parameter{name: "aclfile", get: func(e *engine, _ *settings) string { return e.users.file }}
