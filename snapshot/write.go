package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

// watched ends reading or writing when its context ends, and counts bytes.
type watched struct {
	ctx context.Context
	r   io.Reader
	w   io.Writer
	p   *meter
}

func (w watched) Write(b []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.w.Write(b)
	w.p.bytes(int64(n))
	return n, err
}

func (w watched) Read(b []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.r.Read(b)
	w.p.bytes(int64(n))
	return n, err
}

// writeFile writes the data of st to a file and describes it. The keyspace is
// closed: the file is loaded back next, and one of the two is enough to hold.
func (r *Repo) writeFile(ctx context.Context, st *replay, path string, shard int, slots string, created time.Time, p *meter) (Shard, error) {
	s := Shard{Shard: shard, Slots: slots, Position: Position(st.pos), EntryTime: entryTime(st.entryTime)}
	s.count(st.ks)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	sum := sha256.New()
	s.RDB.Size, err = r.save(watched{ctx: ctx, w: io.MultiWriter(f, sum), p: p}, st.ks, rdb.SaveOptions{
		CreatedAt: created.Unix(),
		Aux: []rdb.Aux{
			{Name: auxEngine, Value: strconv.Itoa(Engine)},
			{Name: auxPosition, Value: s.Position.String()},
		},
	})
	err = errors.Join(err, f.Close())
	s.RDB.SHA256 = hex.EncodeToString(sum.Sum(nil))
	st.close()
	return s, err
}

// checkFile loads a written file back from disk and compares it with the data that
// it was written from. Error: ErrNotRestorable.
func (r *Repo) checkFile(ctx context.Context, path string, s *Shard, p *meter) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	ks := keyspace.New(r.o.Keyspace)
	defer ks.Close()
	err = loadFile(watched{ctx: ctx, r: f, p: p}, s, ks)
	if err != nil && isDamage(err) {
		return fmt.Errorf("%w: shard %d: %w", ErrNotRestorable, s.Shard, err)
	}
	return err
}

// upload stores a checked file under its key. Error: ErrNameTaken.
func (r *Repo) upload(ctx context.Context, path string, name string, s *Shard) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	s.RDB.Key = rdbKey(name, s.Shard)
	err = r.store.PutFile(ctx, s.RDB.Key, f, s.RDB.Size, s3segments.PutOptions{IfNoneMatch: true, Metadata: map[string]string{
		"kind": "snapshot", "engine": "redoubt", "engine-version": strconv.Itoa(Engine), "format": fmt.Sprintf("rdb %d", rdb.Version),
		"cluster": r.cluster, "shard": strconv.Itoa(s.Shard), "snapshot": name,
		"position": s.Position.String(), "keys": strconv.Itoa(s.Keys), "checksum": "sha256:" + s.RDB.SHA256, "digest": s.Digest,
	}})
	if errors.Is(err, s3segments.ErrExists) {
		return fmt.Errorf("%w: %s is being made by somebody else, or was given up half-way; "+
			"remove it first or take another name: %w", ErrNameTaken, name, err)
	}
	return err
}

// readBack reads a stored file again and compares it with what was sent.
func (r *Repo) readBack(ctx context.Context, s *Shard, p *meter) error {
	err := r.compareStored(ctx, s.RDB, p)
	if err != nil && isDamage(err) {
		return fmt.Errorf("%w: %s as it was stored: %w", ErrNotRestorable, r.store.URL(s.RDB.Key), err)
	}
	return err
}

// publish makes a snapshot visible. Error: ErrNameTaken.
func (r *Repo) publish(ctx context.Context, m *Manifest) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	// What cannot be read must not be published.
	if _, err := parseManifest(m.Name, b); err != nil {
		return err
	}
	err = r.store.Put(ctx, manifestKey(m.Name), b, s3segments.PutOptions{IfNoneMatch: true, Metadata: map[string]string{
		"kind": "snapshot-manifest", "engine": "redoubt", "engine-version": strconv.Itoa(m.Engine),
		"format": strconv.Itoa(m.Format), "cluster": m.Cluster, "snapshot": m.Name,
	}})
	if errors.Is(err, s3segments.ErrExists) {
		return fmt.Errorf("%w: %s: %w", ErrNameTaken, m.Name, err)
	}
	return err
}

// tempDir makes a directory for files of one run.
func tempDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "redoubt-snapshot-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the snapshot's files: %w", err)
	}
	return dir, nil
}

func fileIn(dir string, shard int) string { return filepath.Join(dir, fmt.Sprintf("%04d.rdb", shard)) }

// seqRange is how many entries lie between two places, never below zero.
func seqRange(from wal.Position, to uint64) uint64 { return max(to, from.Seq) - from.Seq }
