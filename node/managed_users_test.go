package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/acl"
)

func TestManagedUsersUpdate(t *testing.T) {
	m := managedUsers{grammar: acl.Grammar{Table: Table()}}
	hash := "#" + strings.Repeat("0", 64)
	step := func(want string, wantProblems int, all ...etcdfence.User) {
		t.Helper()
		users, problems := m.update(all)
		got := ""
		for _, u := range all {
			got += u.Name + ": " + users[u.Name].Describe() + "; "
		}
		if got != want || len(problems) != wantProblems || len(users) != len(all) {
			t.Errorf("got %s%v, want %s", got, problems, want)
		}
		for _, p := range problems {
			if strings.Contains(p.err.Error(), "secret") {
				t.Errorf("a password is told: %v", p.err)
			}
		}
	}
	const nothing = "off sanitize-payload resetchannels -@all"
	a := etcdfence.User{Name: "a", Rules: "on " + hash + " ~* +@all"}
	newer := etcdfence.User{Name: "newer", Rules: "on nopass +@all ~* +futurecommand"}
	step("a: on sanitize-payload "+hash+" ~* resetchannels +@all; ", 0, a)
	step("newer: "+nothing+"; ", 1, newer)
	step("newer: "+nothing+"; ", 0, newer) // told once
	step("newer: "+nothing+"; ", 1, etcdfence.User{Name: "newer", Rules: "on nopass +@all ~* newword"})
	step("newer: on nopass sanitize-payload resetchannels -@all; ", 0, etcdfence.User{Name: "newer", Rules: "on nopass"})
	step("p: "+nothing+"; ", 1, etcdfence.User{Name: "p", Rules: "on >secret +@all"})
	step("p: "+nothing+"; ", 1, etcdfence.User{Name: "p", Rules: "on <secret +@all"})
	step("p: "+nothing+"; ", 1, etcdfence.User{Name: "p", Err: errors.New("bad")})
	step("a b: "+nothing+"; : "+nothing+"; ", 2, etcdfence.User{Name: "a b", Rules: "on nopass"}, etcdfence.User{Rules: "on nopass"})
}

// putUser changes a user of the cluster; "" removes it.
func putUser(t *testing.T, cluster, name, rules string) {
	t.Helper()
	key := "/redoubt/" + cluster + "/users/" + name
	var err error
	if rules == "" {
		_, err = etcd.Delete(t.Context(), key)
	} else {
		_, err = etcd.Put(t.Context(), key, fmt.Sprintf(`{"rules":%q}`, rules))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// soon is until when a change must have reached a node.
const soon = time.Second

// becomes asks until the answer is the one that is wanted.
func (c *talker) becomes(request, want string) {
	c.t.Helper()
	testenv.Eventually(c.t, soon, request+" to be answered "+want, func(context.Context) error {
		if got := c.ask(request); got != want {
			return errors.New(got)
		}
		return nil
	})
}

// TestManagedUsers: on the primary and on a replica alike.
func TestManagedUsers(t *testing.T) {
	change := func(c *Config) { c.ManagedUsers = true }
	primary := startNode(t, change)
	cfg := primary.cfg
	cfg.NodeID, cfg.Listen, cfg.Announce, cfg.Metrics, cfg.Logger = "n2", "127.0.0.1:0", "", nil, nil
	replica := runNode(t, cfg)
	waitRole(t, replica, RoleReplica)
	const secret = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" // of "secret"
	cluster := primary.cfg.Cluster
	for _, n := range []*Node{primary, replica} {
		c := dial(t, n)
		c.becomes("AUTH u secret", wrongPass)
		c.expect([2]string{"PING", "-NOAUTH Authentication required."}, [2]string{"AUTH default x", wrongPass})
	}
	putUser(t, cluster, "other", "on "+secret+" +@all ~*")
	for _, n := range []*Node{primary, replica} {
		u := n.cfg.NodeID // a user for each, so that none meets what the round before has left
		putUser(t, cluster, u, "on "+secret+" ~a* +@all")
		c, other := dial(t, n), dial(t, n)
		c.becomes("AUTH "+u+" secret", "+OK")
		other.becomes("AUTH other secret", "+OK")
		c.expect([2]string{"AUTH " + u + " wrong", wrongPass}, [2]string{"READONLY", "+OK"}, [2]string{"GET a1", "$-1"}, [2]string{"GET b1", noKey})
		// They are changed in one place only.
		for _, r := range []string{"ACL SETUSER v on", "ACL SETUSER other -@all", "ACL DELUSER other", "ACL LOAD", "ACL SAVE"} {
			c.expect([2]string{r, "-" + string(errManagedUsers)})
		}
		c.expect([2]string{"CONFIG SET requirepass x", "-ERR CONFIG SET failed (possibly related to argument 'requirepass') - the users of this cluster are managed"})
		if got := c.bulks("ACL USERS"); strings.Join(got, " ") != "default "+u+" other" {
			t.Errorf("users %q", got)
		}
		// A change reaches those who are logged in, too.
		putUser(t, cluster, u, "on "+secret+" ~b* +@all")
		c.becomes("GET a1", noKey)
		c.expect([2]string{"GET b1", "$-1"})
		// What only a newer version understands lets nobody in.
		putUser(t, cluster, u, "on "+secret+" ~b* +@all +futurecommand")
		c.becomes("GET b1", "-NOPERM User "+u+" has no permissions to run the 'get' command")
		c.expect([2]string{"AUTH " + u + " secret", wrongPass})
		putUser(t, cluster, u, "")
		c.gone()
		other.expect([2]string{"PING", "+PONG"})
	}
	// The default user is let in when it is said so.
	putUser(t, cluster, "default", "on nopass +ping")
	for _, n := range []*Node{primary, replica} {
		c := dial(t, n)
		c.becomes("PING", "+PONG")
		c.expect([2]string{"GET a", "-NOPERM User default has no permissions to run the 'get' command"})
	}
	putUser(t, cluster, "default", "")
	for _, n := range []*Node{primary, replica} {
		testenv.Eventually(t, soon, "newcomers to be asked for a password", func(context.Context) error {
			if got := dial(t, n).ask("PING"); got != "-NOAUTH Authentication required." {
				return errors.New(got)
			}
			return nil
		})
	}
}

// TestManagedUsersUnknown: before the users have been read nobody is told that a password is
// wrong.
func TestManagedUsersUnknown(t *testing.T) {
	cfg := Config{
		Cluster: fmt.Sprintf("c%d", clusters.Add(1)), NodeID: "n1", Listen: "127.0.0.1:0", Etcd: etcd, Store: testStore(t), ManagedUsers: true,
	}
	n, err := New(cfg) // and not run
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c := dial(t, n)
	for _, r := range []string{"AUTH u p", "AUTH p", "HELLO 3 AUTH u p"} {
		c.expect([2]string{r, "-" + string(errUsersUnknown)})
	}
	c.expect([2]string{"PING", "-NOAUTH Authentication required."})
}

func TestUsersConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.ManagedUsers, c.RequirePass = true, "x" },
		func(c *Config) { c.ManagedUsers, c.ACLFile = true, "x" },
		func(c *Config) { c.ProtectedMode = "maybe" },
		func(c *Config) { c.ACLPubSubDefault = "maybe" },
	} {
		cfg := Config{Cluster: "c", NodeID: "n", Listen: ":0", Etcd: etcd, Store: testStore(t)}
		change(&cfg)
		if err := cfg.Check(); err == nil {
			t.Errorf("accepted: %+v", cfg)
		}
	}
}
