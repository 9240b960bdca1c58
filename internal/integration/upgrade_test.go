package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
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
	end := l.watchShard()
	l.apply(func(s *lifeSpec) { s.Engine = newEngine })
	was, happened := end()
	l.everywhere("the new engine", "writer", writerPassword, runs(newEngine))
	if s := l.status(); s.EnginePatchVersion != newEngine || len(nodesOf(s)) != 3 {
		t.Errorf("after the upgrade: %+v", s)
	}
	t.Logf("of the engine, %s being the primary: %s", was, strings.Join(happened, "; "))
	var want []string
	for _, n := range nodesOf(l.status()) {
		if n.Name != was {
			want = append(want, n.Name+" runs "+newEngine)
		}
	}
	if len(happened) != 5 {
		t.Fatalf("want two replicas upgraded, a hand-over, another primary, and %s upgraded", was)
	}
	replicas, rest := happened[:2], happened[2:]
	slices.Sort(replicas)
	slices.Sort(want)
	if !slices.Equal(replicas, want) {
		t.Errorf("first %v, want %v", replicas, want)
	}
	to := strings.TrimPrefix(rest[0], was+asked)
	if to == rest[0] || rest[1] != to+" leads" || rest[2] != was+" runs "+newEngine {
		t.Errorf("then %v, want a hand-over by %s, that it is followed, and its upgrade", rest, was)
	}
	l.apply(func(s *lifeSpec) { s.Replicas = 1 })
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
	seen := &sightings{base: base, versions: map[string]string{}, leader: st.Leader.NodeID}
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

const asked = " is to hand over to "

// sightings are what a shard's keys say that has happened.
type sightings struct {
	base     string
	versions map[string]string // by node, as it registered last
	leader   string
	all      []string
}

func (s *sightings) see(e *clientv3.Event) error {
	if e.Type != clientv3.EventTypePut {
		return nil
	}
	var what string
	switch key := strings.TrimPrefix(string(e.Kv.Key), s.base); {
	case strings.HasPrefix(key, "nodes/"):
		var n etcdfence.NodeInfo
		if err := json.Unmarshal(e.Kv.Value, &n); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if s.versions[n.ID] != n.Version {
			s.versions[n.ID] = n.Version
			what = n.ID + " runs " + n.Version
		}
	case key == "shards/0000/leader":
		var n etcdfence.Leader
		if err := json.Unmarshal(e.Kv.Value, &n); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if s.leader != n.NodeID {
			s.leader = n.NodeID
			what = n.NodeID + " leads"
		}
	case key == "shards/0000/handover":
		var h etcdfence.Handover
		if err := json.Unmarshal(e.Kv.Value, &h); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		what = s.leader + asked + h.To
	}
	// Who is asked to hand over may be asked again, then also for another one.
	if n := len(s.all); strings.Contains(what, asked) && n > 0 && strings.Contains(s.all[n-1], asked) {
		s.all[n-1] = what
	} else if what != "" {
		s.all = append(s.all, what)
	}
	return nil
}
