package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// setUser makes somebody a user of the cluster; no rules: removes it.
func (c *cluster) setUser(name, rules string) {
	c.t.Helper()
	key := "/redoubt/" + clusterName + "/users/" + name
	var err error
	if rules == "" {
		_, err = c.cli.Delete(c.t.Context(), key)
	} else {
		_, err = c.cli.Put(c.t.Context(), key, fmt.Sprintf(`{"rules":%q}`, rules))
	}
	must(c.t, err)
}

func withPassword(p string) string { return fmt.Sprintf("on #%x ", sha256.Sum256([]byte(p))) }

// login asks a node, on a connection of its own.
func login(ctx context.Context, m *member, user, password string) error {
	db := dial(m.addr)
	defer db.Close()
	return db.Do(ctx, "AUTH", user, password).Err()
}

// TestManagedUsers: users of the cluster are the same on its nodes within a second of being
// changed; while etcd is away the nodes keep them, and afterwards take over what has
// happened meanwhile, also when etcd was compacted in between.
func TestManagedUsers(t *testing.T) {
	etcd := testenv.StartEtcd(t, 1, testenv.EtcdOptions{})
	u, err := url.Parse(etcd.Endpoints()[0])
	must(t, err)
	link := testenv.NewProxy(t, u.Host)
	c := newCluster(t, etcd, testenv.StartVersityGW(t))
	c.setUser("default", "on nopass +@all ~* &*") // for waitServing and its like
	o := clusterOptions{endpoints: []string{"http://" + link.Addr()}, args: []string{"--managed-users", "--lease-ttl", "1s"}}
	for i := range 2 {
		c.addNode(i, o)
	}
	everywhere := func(within time.Duration, user, password string, letIn bool) {
		t.Helper()
		for _, m := range c.nodes {
			testenv.Eventually(t, within, fmt.Sprintf("%s to let %s in: %v", m.id, user, letIn), func(ctx context.Context) error {
				err := login(ctx, m, user, password)
				if letIn == (err == nil) {
					return nil
				}
				return errors.Join(errors.New("not yet"), err)
			})
		}
	}
	const soon = time.Second
	c.setUser("a", withPassword("one")+"~* +@all")
	everywhere(soon, "a", "one", true)
	c.setUser("a", withPassword("two")+"~* +@all")
	everywhere(soon, "a", "one", false)
	everywhere(soon, "a", "two", true)

	link.Cut()
	c.setUser("a", "")
	c.setUser("b", withPassword("three")+"~* +@all")
	resp, err := c.cli.Put(t.Context(), "/unrelated", "x")
	must(t, err)
	_, err = c.cli.Compact(t.Context(), resp.Header.Revision)
	must(t, err)
	// Until the primary has lost its lease and longer.
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		for _, m := range c.nodes {
			// A connection of a primary whose lease ends at this very moment is cut.
			if err := login(t.Context(), m, "a", "two"); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if login(t.Context(), m, "b", "three") == nil {
				t.Fatalf("%s knows what it cannot", m.id)
			}
		}
	}
	link.Heal()
	everywhere(30*time.Second, "a", "two", false)
	everywhere(soon, "b", "three", true)

	// A node that starts again begins with the users of the cluster.
	c.nodes[1].proc.Kill()
	c.nodes[1].proc.Restart()
	c.waitServing(c.nodes[1])
	everywhere(soon, "b", "three", true)
	everywhere(soon, "a", "two", false)
}
