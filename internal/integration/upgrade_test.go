package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// upgrades: replicas get the new engine first, and the primary hands over to one of
// them before it gets it itself.
func (l *life) upgrades() {
	t := l.t
	runs := func(version string) func(context.Context, *redis.Client) error {
		return func(ctx context.Context, db *redis.Client) error {
			info, err := db.Info(ctx, "server").Result()
			if err == nil && !strings.Contains(info, "redoubt_version:"+version+"\r\n") {
				err = fmt.Errorf("not %s:\n%s", version, info)
			}
			return err
		}
	}
	l.apply(func(s *lifeSpec) { s.Replicas = 2 })
	l.everywhere("the old engine", "writer", writerPassword, runs(oldEngine))
	l.rolls(func() { l.apply(func(s *lifeSpec) { s.Engine = newEngine }) })
	l.everywhere("the new engine", "writer", writerPassword, runs(newEngine))
	if s := l.status(); s.EnginePatchVersion != newEngine || len(nodesOf(s)) != 3 {
		t.Errorf("after the upgrade: %+v", s)
	}
	l.apply(func(s *lifeSpec) { s.Replicas = 1 })
}

// restarts: what nodes can only be started with reaches them one by one as well, their
// memory through the cluster, the number of databases through its parameter group.
func (l *life) restarts() {
	is := func(name, want string) func(context.Context, *redis.Client) error {
		return func(ctx context.Context, db *redis.Client) error {
			got, err := db.ConfigGet(ctx, name).Result()
			if err == nil && got[name] != want {
				err = fmt.Errorf("%s is %s, want %s", name, got[name], want)
			}
			return err
		}
	}
	maxmemory := func(mib int) string { return strconv.Itoa(mib << 20 / 100 * 70) }
	l.everywhere("the memory from before", "writer", writerPassword, is("maxmemory", maxmemory(l.want.Memory)))
	l.rolls(func() { l.apply(func(s *lifeSpec) { s.Memory = 320 }) })
	l.everywhere("the new memory", "writer", writerPassword, is("maxmemory", maxmemory(320)))

	l.everywhere("the databases from before", "writer", writerPassword, is("databases", l.want.Databases))
	l.rolls(func() {
		l.apply(func(s *lifeSpec) { s.Databases = "17" })
		// The change of a group is done when it is written; its clusters follow.
		l.everywhereWithin(2*time.Minute, "the new number of databases", "writer", writerPassword, is("databases", "17"))
		testenv.Eventually(l.t, time.Minute, "the cluster to say that it follows its parameter group", func(context.Context) error {
			if s := l.status(); s.Status != spec.Available || s.ParameterGroupStatus != spec.InSync {
				return fmt.Errorf("status %+v", s)
			}
			return nil
		})
	})
	l.settled()
}

// rolls fails the test unless a change has each node of the first cluster started once
// more: the replicas one by one, and the primary after it has handed over to one of them.
func (l *life) rolls(change func()) {
	t := l.t
	t.Helper()
	end := l.watchShard()
	change()
	was, happened := end()
	t.Logf("%s having been the primary: %s", was, strings.Join(happened, "; "))
	var want []string
	for _, n := range nodesOf(l.status()) {
		if n.Name != was {
			want = append(want, n.Name+starts+l.want.Engine)
		}
	}
	if len(want) != l.want.Replicas || len(happened) != len(want)+3 {
		t.Fatalf("%v; want %d replicas to start, a hand-over, another primary, and %s to start", happened, l.want.Replicas, was)
	}
	replicas, rest := happened[:len(want)], happened[len(want):]
	slices.Sort(replicas)
	slices.Sort(want)
	if !slices.Equal(replicas, want) {
		t.Errorf("first %v, want %v", replicas, want)
	}
	to := strings.TrimPrefix(rest[0], was+asked)
	if to == rest[0] || rest[1] != to+leads || rest[2] != was+starts+l.want.Engine {
		t.Errorf("then %v, want a hand-over by %s, that it is followed, and its start", rest, was)
	}
}

// watchShard notes what becomes of the nodes of the first cluster in the order in which
// etcd has it, which leaves nothing out. end returns who led at first, and what
// happened until then.
func (l *life) watchShard() (end func() (string, []string)) {
	l.t.Helper()
	const base = "/redoubt/main/"
	cli := l.hosts.etcd.Client(l.t)
	ctx, cancel := context.WithCancel(l.t.Context())
	defer func() {
		if end == nil {
			cancel()
		}
	}()
	before, err := cli.Get(ctx, base+"nodes/", clientv3.WithPrefix())
	must(l.t, err)
	st, err := etcdfence.Open(cli, "main", 0, etcdfence.Options{}).State(ctx)
	must(l.t, err)
	if st.Leader == nil {
		l.t.Fatal("an available cluster has no primary")
	}
	seen := &sightings{base: base, started: map[string]time.Time{}, leader: st.Leader.NodeID}
	for _, kv := range before.Kvs {
		must(l.t, seen.see(&clientv3.Event{Type: clientv3.EventTypePut, Kv: kv}))
	}
	seen.all = nil
	watch := cli.Watch(ctx, base, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if first := <-watch; !first.Created {
		l.t.Fatalf("watch of %s: %+v", base, first)
	}
	const mark = base + "end-of-the-test"
	done := make(chan error, 1)
	go func() {
		for r := range watch {
			for _, e := range r.Events {
				if string(e.Kv.Key) == mark {
					done <- nil
					return
				}
				if err := seen.see(e); err != nil {
					done <- err
					return
				}
			}
		}
		done <- fmt.Errorf("watch of %s ended", base)
	}()
	return func() (string, []string) {
		l.t.Helper()
		defer cancel()
		_, err := cli.Put(ctx, mark, "")
		must(l.t, err)
		must(l.t, <-done)
		_, err = cli.Delete(ctx, mark)
		must(l.t, err)
		return st.Leader.NodeID, seen.all
	}
}

// What is seen of nodes, after their names.
const (
	asked  = " is to hand over to "
	leads  = " leads"
	starts = " starts with "
	ended  = " has ended"
)

// sightings are what a shard's keys say that has happened.
type sightings struct {
	base    string
	started map[string]time.Time // by node, as it registered last
	leader  string
	all     []string
}

func (s *sightings) see(e *clientv3.Event) error {
	key := strings.TrimPrefix(string(e.Kv.Key), s.base)
	id, isNode := strings.CutPrefix(key, "nodes/")
	switch {
	case e.Type != clientv3.EventTypePut && isNode:
		s.all = append(s.all, id+ended)
	case e.Type != clientv3.EventTypePut:
	case isNode:
		var n etcdfence.NodeInfo
		if err := json.Unmarshal(e.Kv.Value, &n); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s.registers(n)
	case key == "shards/0000/leader":
		var n etcdfence.Leader
		if err := json.Unmarshal(e.Kv.Value, &n); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if s.leader != n.NodeID {
			s.leader = n.NodeID
			s.all = append(s.all, n.NodeID+leads)
		}
	case key == "shards/0000/handover":
		var h etcdfence.Handover
		if err := json.Unmarshal(e.Kv.Value, &h); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		// Who is asked to hand over may be asked again, then also for another one.
		if n := len(s.all); n > 0 && strings.Contains(s.all[n-1], asked) {
			s.all = s.all[:n-1]
		}
		s.all = append(s.all, s.leader+asked+h.To)
	}
	return nil
}

// registers: the end of a node that is there again was a part of its new start.
func (s *sightings) registers(n etcdfence.NodeInfo) {
	s.all = slices.DeleteFunc(s.all, func(what string) bool { return what == n.ID+ended })
	if !s.started[n.ID].Equal(n.Started) {
		s.started[n.ID] = n.Started
		s.all = append(s.all, n.ID+starts+n.Version)
	}
}
