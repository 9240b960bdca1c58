package snapshot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

// Aux fields of our files, see the package comment.
const (
	auxEngine   = "redoubt-engine"
	auxPosition = "redoubt-position"
)

// candidate is a shard's part of a snapshot that data could be loaded from.
type candidate struct {
	manifest *Manifest
	shard    *Shard
}

// candidates lists what a shard's data can be loaded from, the furthest in the log
// first, none beyond maxSeq. Snapshots whose manifest is damaged are logged and
// left out. Error: ErrNewerFormat.
func (r *Repo) candidates(ctx context.Context, shard int, maxSeq uint64) ([]candidate, error) {
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, s := range all {
		if errors.Is(s.Err, ErrNewerFormat) {
			return nil, s.Err
		}
		if s.Err != nil {
			r.log.Error("a snapshot is refused", "snapshot", s.Name, "err", s.Err)
			continue
		}
		part, err := s.Manifest.Find(shard)
		if err == nil && part.Position.Seq <= maxSeq {
			found = append(found, candidate{s.Manifest, part})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.shard.Position.Seq, a.shard.Position.Seq) })
	return found, nil
}

// base is the data to begin a replay with: see candidates and firstGood.
func (r *Repo) base(ctx context.Context, shard int, maxSeq uint64, cfg keyspace.Config, p *meter) (*replay, *candidate, []error, error) {
	found, err := r.candidates(ctx, shard, maxSeq)
	if err != nil {
		return nil, nil, nil, err
	}
	return r.firstGood(ctx, found, cfg, p)
}

// firstGood loads the first snapshot that checks out, or nothing at the start of
// the log when there is none. A damaged one is logged and the next is taken;
// refused says what was wrong with them.
func (r *Repo) firstGood(ctx context.Context, found []candidate, cfg keyspace.Config, p *meter) (st *replay, from *candidate, refused []error, err error) {
	for i := range found {
		st, err := r.restore(ctx, found[i], cfg, p)
		if err == nil {
			return st, &found[i], refused, nil
		}
		if !errors.Is(err, ErrDamaged) {
			return nil, nil, refused, err
		}
		r.log.Error("a snapshot is refused, taking the one before", "snapshot", found[i].manifest.Name, "shard", found[i].shard.Shard, "err", err)
		refused = append(refused, err)
	}
	st = newReplay(cfg)
	st.from = "the start of the log"
	return st, nil, refused, nil
}

// restore downloads and loads a shard's part of a snapshot and checks that it is
// what was published, to the last key. Errors: ErrDamaged, ErrNewerFormat.
func (r *Repo) restore(ctx context.Context, c candidate, cfg keyspace.Config, p *meter) (*replay, error) {
	what := fmt.Sprintf("snapshot %s, shard %d (%s)", c.manifest.Name, c.shard.Shard, r.store.URL(c.shard.RDB.Key))
	damaged := func(err error) error { return fmt.Errorf("%w: %s: %w", ErrDamaged, what, err) }

	p.phase(Progress{Phase: PhaseBase, Shard: c.shard.Shard, TotalBytes: c.shard.RDB.Size})
	body, err := r.download(ctx, c.shard.RDB, p)
	if err != nil {
		if isDamage(err) {
			return nil, damaged(err)
		}
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer body.Close()
	st := newReplay(cfg)
	st.from = "snapshot " + c.manifest.Name
	if err := loadFile(body, c.shard, st.ks); err != nil {
		st.close()
		switch {
		case errors.Is(err, rdb.ErrNewerVersion), errors.Is(err, ErrNewerFormat):
			return nil, newer("%s: %v", what, err)
		case isDamage(err):
			return nil, damaged(err)
		}
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	st.pos = wal.Position(c.shard.Position)
	st.entryTime = unixMilli(c.shard.EntryTime)
	return st, nil
}

// errMismatch: bytes or data are not those that a manifest describes.
var errMismatch = errors.New("it is not what was published")

func isDamage(err error) bool {
	for _, e := range []error{errMismatch, s3segments.ErrNotFound, s3segments.ErrDamaged, rdb.ErrCorrupt, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// download opens a file of a snapshot. The object's size is compared at once;
// the reader fails with io.ErrUnexpectedEOF when there is less.
func (r *Repo) download(ctx context.Context, f File, p *meter) (io.ReadCloser, error) {
	if err := r.sameSize(ctx, f); err != nil {
		return nil, err
	}
	return newRangeReader(ctx, f.Size, r.part, r.o.Parallel, func(ctx context.Context, offset, n int64) ([]byte, error) {
		b, err := r.store.GetRange(ctx, f.Key, offset, n)
		p.bytes(int64(len(b)))
		return b, err
	}), nil
}

// sameSize compares an object's size with what it should be.
func (r *Repo) sameSize(ctx context.Context, f File) error {
	info, err := r.store.Head(ctx, f.Key)
	if err == nil && info.Size != f.Size {
		err = fmt.Errorf("%w: it has %d bytes, should have %d", errMismatch, info.Size, f.Size)
	}
	return err
}

// compareStored downloads an object and compares its SHA-256 with what it should be.
func (r *Repo) compareStored(ctx context.Context, f File, p *meter) error {
	body, err := r.download(ctx, f, p)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	return checkSum(sum, f.SHA256)
}

// loadFile loads an RDB file into ks and compares it with what its manifest says:
// bytes, position, counts and digest.
func loadFile(body io.Reader, want *Shard, ks *keyspace.Keyspace) error {
	sum := sha256.New()
	all := io.TeeReader(body, sum)
	info, err := rdb.Load(all, ks, rdb.LoadOptions{Size: want.RDB.Size})
	if errors.Is(err, rdb.ErrUnsupported) || errors.Is(err, rdb.ErrTooLarge) {
		return unsupported(err, all, sum, want.RDB.SHA256)
	}
	if err != nil {
		return err
	}
	if err := checkSum(sum, want.RDB.SHA256); err != nil {
		return err
	}
	if err := checkAux(info.Aux, want.Position); err != nil {
		return err
	}
	got := Shard{Shard: want.Shard}
	got.count(ks)
	if got.Digest != want.Digest || got.Keys != want.Keys || got.Expires != want.Expires {
		return fmt.Errorf("%w: it loads as %d keys (%d with an expiry) of digest %s, should be %d (%d) of %s",
			errMismatch, got.Keys, got.Expires, got.Digest, want.Keys, want.Expires, want.Digest)
	}
	return nil
}

// unsupported tells a sound file with content that this program does not keep, which
// no other snapshot may stand in for, from a damaged one that looks like it.
func unsupported(err error, rest io.Reader, sum hash.Hash, want string) error {
	if _, rerr := io.Copy(io.Discard, rest); rerr != nil {
		return rerr
	}
	if sumErr := checkSum(sum, want); sumErr != nil {
		return fmt.Errorf("%w; %w", sumErr, err)
	}
	return newer("the file is sound, and this redoubt is not made or not configured for what it holds: %v", err)
}

func checkSum(sum hash.Hash, want string) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: its SHA-256 is %s, should be %s", errMismatch, got, want)
	}
	return nil
}

func checkAux(aux map[string]string, want Position) error {
	engine, err := strconv.Atoi(aux[auxEngine])
	switch {
	case err != nil:
		return fmt.Errorf("%w: its field %s is %q", errMismatch, auxEngine, aux[auxEngine])
	case engine > Engine:
		return newer("the file was made by engine %d, this redoubt is engine %d", engine, Engine)
	case aux[auxPosition] != want.String():
		return fmt.Errorf("%w: it holds the data at %q, should be %q", errMismatch, aux[auxPosition], want)
	}
	return nil
}

// count fills in what describes the data of ks.
func (s *Shard) count(ks *keyspace.Keyspace) {
	s.Keys, s.Expires, s.Databases = 0, 0, map[string]int{}
	for i := range ks.NumDBs() {
		db := ks.DB(i)
		if db.Len() == 0 {
			continue
		}
		s.Databases[strconv.Itoa(i)] = db.Len()
		s.Keys += db.Len()
		s.Expires += db.Expires()
	}
	s.Digest = ks.Digest().String()
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func entryTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
