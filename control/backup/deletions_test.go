package backup_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/backup"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/s3segments"
)

// hooked is a transport that calls before with what goes out, and after with what came back.
type hooked struct {
	*http.Transport
	before, after func(*http.Request)
}

func (h hooked) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.before != nil {
		h.before(r)
	}
	resp, err := h.Transport.RoundTrip(r)
	if h.after != nil {
		h.after(r)
	}
	return resp, err
}

func lists(r *http.Request) bool { return r.URL.Query().Has("list-type") }
func deletes(r *http.Request) bool {
	return r.URL.Query().Has("delete") || r.Method == http.MethodDelete
}

// elect makes another worker the elected one, whose requests go through a transport.
func (b *bench) elect(through hooked) *backup.Worker {
	b.t.Helper()
	b.depose()
	put, err := b.cli.Put(b.t.Context(), leaderKey, "")
	must(b.t, err)
	c := b.config
	through.Transport = &http.Transport{}
	c.Store.Transport = through
	c.Fence = reconcile.Fence{Key: leaderKey, CreateRevision: put.Header.Revision}
	return backup.New(c)
}

func (b *bench) depose() {
	_, err := b.cli.Delete(context.WithoutCancel(b.t.Context()), leaderKey)
	if err != nil {
		b.t.Error(err)
	}
}

// objects puts objects of a cluster into the bucket, and returns what counts them.
func (b *bench) objects(cluster string, keys ...string) (count func() int) {
	b.t.Helper()
	c := b.config.Store
	c.Cluster = cluster
	s, err := s3segments.OpenStore(b.t.Context(), c)
	must(b.t, err)
	b.t.Cleanup(s.Close)
	for _, k := range keys {
		must(b.t, s.Put(b.t.Context(), k, []byte("x"), s3segments.PutOptions{}))
	}
	return func() (n int) {
		b.t.Helper()
		must(b.t, s.List(b.t.Context(), "", func(s3segments.ObjectInfo) error { n++; return nil }))
		return n
	}
}

func (b *bench) keys(prefix string) int64 {
	b.t.Helper()
	got, err := b.cli.Get(b.t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	must(b.t, err)
	return got.Count
}

// TestDeletionsAreFenced: a deposed control plane deletes nothing, neither in object
// storage nor in etcd, however far it had come when its time ended.
func TestDeletionsAreFenced(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	quiet := func(string) {}
	must(t, b.initialize("shop"))
	shop := b.objects("shop", "shards/0000/segments/a", "snapshots/s/manifest.json")
	kept := b.objects("_deleted/shop", "snapshots/kept/0000.rdb")
	begun := b.objects("new", "snapshots/restored/manifest.json")
	purge := func(w *backup.Worker) error { _, err := w.Purge(ctx, "shop", nil, quiet); return err }
	remove := func(w *backup.Worker) error { return w.Remove(ctx, "shop", "kept") }
	begin := func(w *backup.Worker) error {
		return w.Initialize(ctx, "new", 0, []string{"s3://redoubt/x.rdb"}, quiet)
	}
	for _, c := range []struct {
		name  string
		act   func(*backup.Worker) error
		lists int // after so many lists of objects it is deposed
	}{
		{"purge", purge, 0}, {"purge", purge, 1}, {"remove", remove, 0}, {"remove", remove, 1},
		{"begin", begin, 0}, {"begin", begin, 1}, {"begin", begin, 2},
	} {
		left := c.lists
		w := b.elect(hooked{
			before: func(r *http.Request) {
				if deletes(r) {
					t.Errorf("%s, deposed after %d lists: %s %s", c.name, c.lists, r.Method, r.URL)
				}
			},
			after: func(r *http.Request) {
				if !lists(r) {
					return
				}
				if left--; left == 0 {
					b.depose()
				}
			},
		})
		if c.lists == 0 {
			b.depose()
		}
		if err := c.act(w); !errors.Is(err, reconcile.ErrDeposed) {
			t.Errorf("%s, deposed after %d lists: %v", c.name, c.lists, err)
		}
		if shop() != 2 || kept() != 1 || begun() != 1 || b.keys("/redoubt/shop/") == 0 {
			t.Fatalf("%s, deposed after %d lists: %d, %d and %d objects are left, %d keys", c.name, c.lists, shop(), kept(), begun(), b.keys("/redoubt/shop/"))
		}
	}
}

// TestNamesAreFreeWhenNobodyDeletes: while a request of an earlier control plane, which had
// its go-ahead, may be on its way, what it is about cannot be made again.
func TestNamesAreFreeWhenNobodyDeletes(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	quiet := func(string) {}
	must(t, b.initialize("shop"))
	count := b.objects("shop", "shards/0000/segments/a")
	// The first one stands still in its deletion.
	reached, goOn := make(chan struct{}), make(chan struct{})
	first := b.elect(hooked{before: func(r *http.Request) {
		if deletes(r) {
			close(reached)
			<-goOn
		}
	}})
	ended := make(chan error, 1)
	go func() { _, err := first.Purge(ctx, "shop", nil, quiet); ended <- err }()
	<-reached
	second := b.elect(hooked{})
	for range 2 {
		if _, err := second.Purge(ctx, "shop", nil, quiet); !errors.Is(err, backup.ErrStray) {
			t.Fatalf("the second one: %v", err)
		}
	}
	if count() != 0 || b.keys("/redoubt/shop/") == 0 {
		t.Errorf("%d objects are left, %d keys", count(), b.keys("/redoubt/shop/"))
	}
	// A third one knows of both, and waits in its turn.
	third := b.elect(hooked{})
	if _, err := third.Purge(ctx, "shop", nil, quiet); !errors.Is(err, backup.ErrStray) {
		t.Errorf("the third one: %v", err)
	}
	third.Elapse(backup.StrayLife)
	_, err := third.Purge(ctx, "shop", nil, quiet)
	must(t, err)
	if n := b.keys("/redoubt/shop/") + b.keys("/redoubt-control/deletions/"); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, reconcile.ErrDeposed) {
		t.Errorf("the first one: %v", err)
	}
}

// TestSnapshotNamesAreFreeWhenNobodyDeletes is the same for snapshots.
func TestSnapshotNamesAreFreeWhenNobodyDeletes(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	quiet := func(string) {}
	must(t, b.initialize("shop"))
	for _, name := range []string{"s", "restored"} {
		_, err := b.cli.Put(ctx, "/redoubt-control/deletions/shop/snapshots/"+name+"/1", "")
		must(t, err)
	}
	_, err := b.cli.Put(ctx, "/redoubt-control/deletions/new/snapshots/restored/1", "")
	must(t, err)
	w := b.elect(hooked{})
	begin := func() error { return w.Initialize(ctx, "new", 0, []string{"s3://redoubt/absent.rdb"}, quiet) }
	if _, err := w.Create(ctx, "shop", "s", quiet); !errors.Is(err, backup.ErrStray) {
		t.Errorf("make a snapshot: %v", err)
	}
	if err := begin(); !errors.Is(err, backup.ErrStray) {
		t.Errorf("begin with a snapshot: %v", err)
	}
	must(t, w.Remove(ctx, "shop", "s"))
	if n := b.keys("/redoubt-control/deletions/shop/snapshots/s/"); n != 1 {
		t.Errorf("%d notes are left, not the one of the other", n)
	}
	w.Elapse(backup.StrayLife)
	if _, err := w.Create(ctx, "shop", "s", quiet); errors.Is(err, backup.ErrStray) {
		t.Errorf("make a snapshot, later: %v", err)
	}
	if err := begin(); !errors.Is(err, reconcile.ErrPermanent) { // there is no such file
		t.Errorf("begin with a snapshot, later: %v", err)
	}
	must(t, w.Remove(ctx, "shop", "s"))
	if n := b.keys("/redoubt-control/deletions/shop/snapshots/s/"); n != 0 {
		t.Errorf("%d notes are left", n)
	}
}

// TestChildrenAreFenced: what a child of a deposed control plane was told to delete stays.
func TestChildrenAreFenced(t *testing.T) {
	b := newBench(t)
	must(t, b.initialize("shop"))
	count := b.objects("shop", "snapshots/s/manifest.json")
	rm := func(fence reconcile.Fence) (string, error) {
		cmd := exec.CommandContext(t.Context(), testenv.Redoubt(t), append([]string{"snapshot", "rm", "s", "--force", "--cluster", "shop"}, b.args...)...)
		cmd.Env = append(b.s3.Env(), reconcile.FenceEnv+"="+fence.String())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := rm(reconcile.Fence{Key: leaderKey, CreateRevision: 1}); err == nil || !strings.Contains(out, reconcile.ErrDeposed.Error()) || count() != 1 {
		t.Errorf("of a deposed one: %v, %s, %d objects are left", err, out, count())
	}
	if out, err := rm(b.config.Fence); err != nil || count() != 0 {
		t.Errorf("of the elected one: %v, %s, %d objects are left", err, out, count())
	}
}
