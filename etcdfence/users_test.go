package etcdfence

import (
	"context"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watchUsers collects what WatchUsers tells, as one string a call.
func (e *env) watchUsers(s *Shard) *recorder {
	w := &recorder{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.WatchUsers(ctx, func(users []User) {
			told := "users"
			for _, u := range users {
				told += " " + u.Name + ":" + u.Rules
				if u.Err != nil {
					told += "bad"
				}
			}
			w.note(told)
		})
		if ctx.Err() == nil {
			e.Errorf("WatchUsers: %v", err)
		}
	}()
	e.Cleanup(func() { cancel(); <-done })
	return w
}

func TestWatchUsers(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.open()
		put := func(name, value string) int64 {
			t.Helper()
			resp, err := cli.Put(e.ctx(), s.k.users+name, value)
			e.ok(err)
			return resp.Header.Revision
		}
		w := e.watchUsers(s)
		w.awaitEvent(t, "users")
		put("b", `{"rules":"on"}`)
		w.awaitEvent(t, "users b:on")
		put("a", `{"rules":"off","comment":"of a newer version"}`)
		w.awaitEvent(t, "users a:off b:on")
		put("a", `{"rules":"on ~*"}`)
		w.awaitEvent(t, "users a:on ~* b:on")
		put("b", `nonsense`)
		w.awaitEvent(t, "users a:on ~* b:bad")
		put("b", `{"rules":["on"]}`)
		put("b", `{"rules":"on"}`)
		w.awaitEvent(t, "users a:on ~* b:on")
		_, err := cli.Delete(e.ctx(), s.k.users+"b")
		e.ok(err)
		w.awaitEvent(t, "users a:on ~*")

		// One that begins later, behind a compaction, has the same.
		rev := put("c", `{"rules":"c"}`)
		_, err = cli.Compact(e.ctx(), rev)
		e.ok(err)
		late := e.watchUsers(e.open())
		late.awaitEvent(t, "users a:on ~* c:c")
		put("d", `{"rules":"d"}`)
		late.awaitEvent(t, "users a:on ~* c:c d:d")
		w.awaitEvent(t, "users a:on ~* c:c d:d")
	})
}

// Users are of a cluster: the names of another one's may begin alike.
func TestUsersOfAnotherCluster(t *testing.T) {
	e := newEnv(t)
	s := e.open()
	w := e.watchUsers(s)
	w.awaitEvent(t, "users")
	_, err := e.cli.Put(e.ctx(), root+"another/users/x", `{"rules":"on"}`)
	e.ok(err)
	_, err = e.cli.Put(e.ctx(), s.k.users+"y", `{"rules":"on"}`)
	e.ok(err)
	w.awaitEvent(t, "users y:on")
}
