package backup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

// part is how much of an object is in memory at a time.
const part = 8 << 20

func snapshotPrefix(name string) string { return "snapshots/" + name + "/" }

// fetch writes the object s3://bucket/path to a file. The bucket is reached as the
// clusters' own is.
func (w *Worker) fetch(ctx context.Context, uri, to string) (err error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Path == "" {
		return fmt.Errorf("%w: %q is not of the form s3://bucket/file.rdb", reconcile.ErrPermanent, uri)
	}
	cfg := w.cfg.Store
	cfg.Cluster, cfg.URL = "", "s3://"+u.Host+path.Dir(u.Path)
	store, err := s3segments.OpenStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = copyTo(ctx, store, path.Base(u.Path), f)
	if errors.Is(err, s3segments.ErrNotFound) {
		return fmt.Errorf("%w: %s is not there", reconcile.ErrPermanent, uri)
	}
	return err
}

func copyTo(ctx context.Context, store *s3segments.Store, key string, f *os.File) error {
	info, err := store.Head(ctx, key)
	if err != nil {
		return err
	}
	for at := int64(0); at < info.Size; at += part {
		b, err := store.GetRange(ctx, key, at, min(part, info.Size-at))
		if err != nil {
			return err
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// Purge moves the snapshots to keep, deletes the cluster's objects, then its keys in
// etcd. A term that somebody still has ends first. When it returns, a cluster of the same
// name may be made: no deletion of this control plane or an earlier one is under way.
func (w *Worker) Purge(ctx context.Context, cluster string, keep []string, progress func(string)) (map[string][]string, error) {
	if err := w.note(ctx, cluster, everything); err != nil {
		return nil, err
	}
	from, repo, err := w.on(ctx, cluster, false)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, old, err := w.on(ctx, cluster, true)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	moved := map[string][]string{}
	for _, name := range keep {
		progress("keeps snapshot " + name)
		m, err := repo.Show(ctx, name)
		switch {
		case err == nil:
			err = w.move(ctx, from, to, snapshotPrefix(name))
		case errors.Is(err, snapshot.ErrNotFound): // moved by an earlier try
			m, err = old.Show(ctx, name)
		}
		if err != nil {
			return nil, fmt.Errorf("keep snapshot %s: %w", name, err)
		}
		for _, sh := range m.Shards {
			moved[name] = append(moved[name], to.URL(sh.RDB.Key))
		}
	}
	progress("deletes objects")
	if err := deleteAll(ctx, from, ""); err != nil {
		return nil, err
	}
	return moved, w.purgeKeys(ctx, cluster)
}

// move copies the objects below a prefix, the manifest last: without it there is no
// snapshot. The originals go with all else of the cluster.
func (w *Worker) move(ctx context.Context, from, to *s3segments.Store, prefix string) (err error) {
	var keys []string
	manifest := prefix + "manifest.json"
	err = from.List(ctx, prefix, func(o s3segments.ObjectInfo) error {
		if o.Key != manifest {
			keys = append(keys, o.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(w.cfg.TempDir, "redoubt-move-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	for _, key := range append(keys, manifest) {
		info, err := from.Head(ctx, key)
		if err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, 0); err != nil {
			return err
		}
		if err := copyTo(ctx, from, key, f); err != nil {
			return err
		}
		// What was read is the cluster's that is meant, if this holds now.
		if err := w.holds(ctx); err != nil {
			return err
		}
		if err := to.PutFile(ctx, key, f, info.Size, s3segments.PutOptions{Metadata: info.Metadata}); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes the objects below a prefix that are there now; manifests first, so
// that nobody meets a snapshot without its data.
func deleteAll(ctx context.Context, store *s3segments.Store, prefix string) error {
	var manifests, others []string
	err := store.List(ctx, prefix, func(o s3segments.ObjectInfo) error {
		if path.Base(o.Key) == "manifest.json" {
			manifests = append(manifests, o.Key)
		} else {
			others = append(others, o.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := store.Delete(ctx, manifests...); err != nil {
		return err
	}
	return store.Delete(ctx, others...)
}

// purgeKeys deletes all of a cluster in etcd, once no deletion of its objects is under
// way. Leases of leaders end first: a primary whose key is only deleted goes on answering
// reads. They are read under the fence, or they might be those of another cluster.
func (w *Worker) purgeKeys(ctx context.Context, cluster string) error {
	base := "/redoubt/" + cluster + "/"
	resp, err := w.fenced(ctx, clientv3.OpGet(base+"shards/", clientv3.WithPrefix(), clientv3.WithKeysOnly()))
	if err != nil {
		return fmt.Errorf("purge %s: %w", cluster, err)
	}
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		if strings.HasSuffix(string(kv.Key), "/leader") && kv.Lease != 0 {
			if _, err := w.cfg.Etcd.Revoke(ctx, clientv3.LeaseID(kv.Lease)); err != nil {
				return fmt.Errorf("purge %s: end the term of its primary: %w", cluster, err)
			}
		}
	}
	noted := deletions + cluster + "/"
	if err := w.settled(ctx, noted); err != nil {
		return fmt.Errorf("purge %s: %w", cluster, err)
	}
	if _, err := w.fenced(ctx, clientv3.OpDelete(base, clientv3.WithPrefix()), clientv3.OpDelete(noted, clientv3.WithPrefix())); err != nil {
		return fmt.Errorf("purge %s: %w", cluster, err)
	}
	return nil
}

// eachSegment lists the segments of all shards of a cluster.
func eachSegment(ctx context.Context, store *s3segments.Store, fn func(shard int, s s3segments.SegmentInfo)) error {
	shards := map[int]bool{}
	err := store.List(ctx, "shards/", func(o s3segments.ObjectInfo) error {
		number, _, _ := strings.Cut(strings.TrimPrefix(o.Key, "shards/"), "/")
		if n, err := strconv.Atoi(number); err == nil {
			shards[n] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for n := range shards {
		infos, err := s3segments.NewShard(store, n).List(ctx)
		if err != nil {
			return err
		}
		for _, s := range infos {
			fn(n, s)
		}
	}
	return nil
}
