package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/acl"
)

// Managed users are the same on all nodes of a cluster: each follows them in etcd. A node
// that has lost touch with etcd keeps those it knows. The default user is as off as any
// that is not there, unless there is one of that name.

var (
	errPlainPassword = errors.New("a password must be given by its hash, #<sha256>")
	errUserName      = errors.New("a user's name cannot be empty or contain spaces or null characters")
)

// watchUsers keeps the node's users those of the cluster until ctx ends.
func (n *Node) watchUsers(ctx context.Context) error {
	m := managedUsers{grammar: acl.Grammar{Table: n.engine.table}}
	return n.shard.WatchUsers(ctx, func(all []etcdfence.User) {
		users, problems := m.update(all)
		for _, p := range problems {
			n.log.Error("a user cannot log in", "user", p.name, "err", p.err)
		}
		n.engine.mu.Lock()
		defer n.engine.mu.Unlock()
		n.server.replaceUsers(users, nil)
		n.engine.users.unknown = false
		n.log.Info("users are up to date", "users", len(all))
	})
}

// managedUsers makes users of what is in etcd. Those that have not changed are not made
// again, nor is what is wrong with them told twice.
type managedUsers struct {
	grammar acl.Grammar
	known   map[string]managedUser
}

type managedUser struct {
	from etcdfence.User
	user *acl.User
}

type userProblem struct {
	name string
	err  error
}

// update returns all users and what is wrong with those that are new or changed.
// Somebody whose rules cannot be understood, as they may be meant for a newer version,
// may do nothing.
func (m *managedUsers) update(all []etcdfence.User) (map[string]*acl.User, []userProblem) {
	users, known := map[string]*acl.User{}, map[string]managedUser{}
	var problems []userProblem
	for _, from := range all {
		u := m.known[from.Name]
		if u.user == nil || u.from.Rules != from.Rules || (u.from.Err == nil) != (from.Err == nil) {
			var err error
			if u.user, err = m.parse(from); err != nil {
				u.user = m.grammar.New(from.Name)
				problems = append(problems, userProblem{from.Name, err})
			}
			u.from = from
		}
		users[from.Name], known[from.Name] = u.user, u
	}
	m.known = known
	return users, problems
}

func (m *managedUsers) parse(from etcdfence.User) (*acl.User, error) {
	switch {
	case from.Err != nil:
		return nil, from.Err
	case from.Name == "" || !acl.ValidName(from.Name):
		return nil, errUserName
	}
	for _, r := range strings.Fields(from.Rules) {
		if r[0] == '>' || r[0] == '<' {
			return nil, errPlainPassword // which must not be in the log either
		}
	}
	u, err := m.grammar.ParseRules(from.Name, from.Rules)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return u, nil
}
