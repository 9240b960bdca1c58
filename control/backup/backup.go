// Package backup does the long work on clusters' data, away from the nodes that serve
// it: it begins shards, makes and removes snapshots, and deletes what a cluster leaves
// behind.
//
// What needs memory for data runs as a child process of the same program (`redoubt
// snapshot ...`), at a lower priority; it ends with its context. Everything may be
// repeated: what an earlier try has finished is found and counts.
//
// # Snapshots of deleted clusters
//
// A new cluster of the same name must find nothing of the old one, so the snapshots that
// are to be kept move, when a cluster is deleted, from
//
//	s3://<bucket>/<prefix>/<cluster>/snapshots/<name>/
//
// to _deleted/<cluster>/snapshots/<name>/ below the same prefix, where no cluster's data
// can be. Only the files that say so in their names and manifests are moved.
package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/bytesize"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// Config is what a Worker works with.
type Config struct {
	// Program is this program, and Args the flags with which it reaches etcd and the
	// object storage: --etcd, --store and the like. What is secret is in Env.
	Program string
	Args    []string
	Env     []string
	// Store is the object storage of all clusters; its Cluster is not used.
	Store s3segments.Config
	Etcd  *clientv3.Client
	Fence reconcile.Fence
	// TempDir is where files are while they are worked on; "" is the system's.
	TempDir string
	Logger  *slog.Logger
}

// Worker is a reconcile.Snapshotter.
type Worker struct {
	cfg     Config
	log     *slog.Logger
	elected time.Time // or later
}

var _ reconcile.Snapshotter = (*Worker)(nil)

// New makes a worker for a control plane that has just been elected: each elected time
// takes a worker of its own. The etcd client stays the caller's.
func New(cfg Config) *Worker {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{cfg: cfg, log: cfg.Logger, elected: time.Now()}
}

// deleted is the folder for snapshots of clusters that are no more. It is no name of a
// cluster.
const deleted = "_deleted"

// restored is the snapshot that a cluster begins with that was made from another one's.
const restored = "restored"

// on opens a cluster's objects, those that it left behind if gone.
func (w *Worker) on(ctx context.Context, cluster string, gone bool) (*s3segments.Store, *snapshot.Repo, error) {
	cfg := w.cfg.Store
	cfg.Cluster, cfg.BeforeDelete = cluster, w.holds
	if gone {
		cfg.URL = strings.TrimRight(cfg.URL, "/") + "/" + deleted
	}
	store, err := s3segments.OpenStore(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return store, snapshot.Open(store, cluster, snapshot.Options{Logger: w.cfg.Logger}), nil
}

func (w *Worker) shard(cluster string, shard int) *etcdfence.Shard {
	return etcdfence.Open(w.cfg.Etcd, cluster, shard, etcdfence.Options{})
}

// Initialize begins a shard. With files, they are fetched and imported; RDB that cannot
// be read is reconcile.ErrPermanent.
func (w *Worker) Initialize(ctx context.Context, cluster string, shard int, files []string, progress func(string)) error {
	fence := w.shard(cluster, shard)
	st, err := fence.State(ctx)
	if err != nil || st.Initialized {
		return err
	}
	store, repo, err := w.on(ctx, cluster, false)
	if err != nil {
		return err
	}
	defer store.Close()
	if len(files) > 0 {
		return w.restore(ctx, store, repo, cluster, shard, files, progress)
	}
	left, err := repo.DataLeft(ctx, shard)
	if err != nil {
		return err
	}
	if left != "" {
		return fmt.Errorf("%w: object storage holds %s of an earlier cluster %s: remove it, or see `redoubt recover`", reconcile.ErrPermanent, left, cluster)
	}
	err = fence.Initialize(ctx, etcdfence.Sealed{})
	if errors.Is(err, etcdfence.ErrInitialized) {
		return nil
	}
	return err
}

func (w *Worker) restore(ctx context.Context, store *s3segments.Store, repo *snapshot.Repo, cluster string, shard int, files []string, progress func(string)) (err error) {
	if err := w.settled(ctx, notes(cluster, snapshotNote(restored))); err != nil {
		return fmt.Errorf("begin %s with a snapshot: %w", cluster, err)
	}
	if err := w.removeRestored(ctx, store, repo, cluster); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(w.cfg.TempDir, "redoubt-restore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	args := []string{"snapshot", "import"}
	for i, uri := range files {
		progress("fetches " + uri)
		path := dir + "/" + strconv.Itoa(i) + ".rdb"
		if err := w.fetch(ctx, uri, path); err != nil {
			return err
		}
		args = append(args, path)
	}
	progress("imports")
	args = append(args, "--name", restored, "--shard", strconv.Itoa(shard))
	_, err = w.child(ctx, cluster, args...)
	return err
}

// removeRestored removes what a try before has left, which got as far as its snapshot and
// not to telling etcd.
func (w *Worker) removeRestored(ctx context.Context, store *s3segments.Store, repo *snapshot.Repo, cluster string) error {
	left := 0
	err := store.List(ctx, snapshotPrefix(restored), func(s3segments.ObjectInfo) error { left++; return nil })
	if err != nil || left == 0 {
		return err
	}
	if err := w.note(ctx, cluster, snapshotNote(restored)); err != nil {
		return err
	}
	if err := repo.Remove(ctx, restored); err != nil && !errors.Is(err, snapshot.ErrNotFound) {
		return err
	}
	return w.finish(ctx, cluster, snapshotNote(restored))
}

// Create makes a snapshot, unless it is there.
func (w *Worker) Create(ctx context.Context, cluster, name string, progress func(string)) (st spec.SnapshotStatus, err error) {
	store, repo, err := w.on(ctx, cluster, false)
	if err != nil {
		return st, err
	}
	defer store.Close()
	m, err := repo.Show(ctx, name)
	if errors.Is(err, snapshot.ErrNotFound) {
		if err := w.settled(ctx, notes(cluster, snapshotNote(name))); err != nil {
			return st, fmt.Errorf("make snapshot %s: %w", name, err)
		}
		progress("is made")
		out, err := w.child(ctx, cluster, "snapshot", "create", "--name", name, "--json")
		if err != nil {
			return st, err
		}
		m = &snapshot.Manifest{}
		if err := json.Unmarshal(out, m); err != nil {
			return st, fmt.Errorf("redoubt snapshot create printed no manifest: %w", err)
		}
	} else if err != nil {
		return st, err
	}
	st = spec.SnapshotStatus{ClusterName: cluster, CreatedAt: m.CreatedAt}
	for _, sh := range m.Shards {
		st.URIs = append(st.URIs, store.URL(sh.RDB.Key))
		st.Size += bytesize.Size(sh.RDB.Size)
		st.Keys += sh.Keys
	}
	return st, nil
}

// Remove deletes a snapshot, and then the segments of the log that no other one needs.
func (w *Worker) Remove(ctx context.Context, cluster, name string) error {
	store, repo, err := w.on(ctx, cluster, false)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := w.note(ctx, cluster, snapshotNote(name)); err != nil {
		return err
	}
	_, err = repo.Show(ctx, name)
	switch {
	case err == nil:
		if _, err := w.child(ctx, cluster, "snapshot", "rm", name); err != nil {
			return err
		}
		if err := w.collect(ctx, repo, cluster); err != nil {
			w.log.Warn("segments not cleaned up", "cluster", cluster, "err", err)
		}
	case !errors.Is(err, snapshot.ErrNotFound):
		return err
	}
	old, _, err := w.on(ctx, cluster, true)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := deleteAll(ctx, old, snapshotPrefix(name)); err != nil {
		return err
	}
	return w.finish(ctx, cluster, snapshotNote(name))
}

// collect deletes segments that none of the snapshots needs. It deletes no snapshot:
// which of them go is decided elsewhere.
func (w *Worker) collect(ctx context.Context, repo *snapshot.Repo, cluster string) error {
	all, err := repo.List(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	_, err = w.child(ctx, cluster, "snapshot", "gc", "--quick", "--keep-snapshots", strconv.Itoa(len(all)))
	return err
}

// Log is how many bytes of segments lie behind the newest snapshot.
func (w *Worker) Log(ctx context.Context, cluster string) (l reconcile.Log, err error) {
	store, repo, err := w.on(ctx, cluster, false)
	if err != nil {
		return l, err
	}
	defer store.Close()
	all, err := repo.List(ctx)
	if err != nil {
		return l, err
	}
	upTo := map[int]uint64{}
	for _, s := range all { // the newest first
		if s.Err != nil {
			continue
		}
		for _, sh := range s.Manifest.Shards {
			if _, newer := upTo[sh.Shard]; !newer {
				upTo[sh.Shard] = sh.Position.Seq
				l.SnapshotSize += sh.RDB.Size
			}
		}
	}
	err = eachSegment(ctx, store, func(shard int, s s3segments.SegmentInfo) {
		if s.Last > upTo[shard] {
			l.Bytes += s.Size
		}
	})
	l.Known = err == nil
	return l, err
}

// killAfter is how long a child may take to end when it is told to.
const killAfter = 10 * time.Second

// child runs this program for a cluster and returns what it prints. It ends with ctx.
func (w *Worker) child(ctx context.Context, cluster string, args ...string) ([]byte, error) {
	args = append(append(args, "--cluster", cluster), w.cfg.Args...)
	program := w.cfg.Program
	if nice, err := exec.LookPath("nice"); err == nil {
		program, args = nice, append([]string{"-n", "10", program}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(append(os.Environ(), w.cfg.Env...), reconcile.FenceEnv+"="+w.cfg.Fence.String())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	text := strings.TrimPrefix(strings.TrimSpace(errs.String()), "redoubt: ")
	if text == "" {
		text = err.Error()
	}
	if neverWorks(text, cmd.ProcessState.ExitCode()) {
		return nil, fmt.Errorf("%w: %s", reconcile.ErrPermanent, text)
	}
	return nil, errors.New(text)
}

// neverWorks reports whether a child will fail the same way again: it was called
// wrongly, or the file is not what it reads. It is told by exit codes and texts, since
// it was another process.
func neverWorks(text string, code int) bool {
	const usage = 2
	if code == usage {
		return true
	}
	for _, e := range []error{rdb.ErrCorrupt, rdb.ErrNewerVersion, rdb.ErrUnsupported, rdb.ErrTooLarge, rdb.ErrDuplicate} {
		if strings.Contains(text, e.Error()) {
			return true
		}
	}
	return false
}
