package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

// importEpoch is the epoch of the one entry that an imported history is taken to
// begin with. Later epochs are above it.
const importEpoch = 1

// ImportOptions say what a new shard begins with.
type ImportOptions struct {
	Name  string // of the snapshot; see CheckName; "" is DefaultName
	Shard int
	Slots string // hash slots it owns, as in "0-16383"
	// Files are RDB files, as redis-server or a snapshot has them. A key may be in
	// one of them only.
	Files []string
	// TempDir is where the shard's file is written before it is uploaded; "" is the
	// system's.
	TempDir string
	// Progress is told how far it has come, a few times a second. May be nil.
	Progress func(Progress)
}

// Imported is a snapshot that holds the data of RDB files.
type Imported struct {
	Manifest *Manifest `json:"manifest"`
	// Expired and Empty count keys that were left out: past their expiry, or
	// aggregates without elements, which old versions of Redis could leave behind.
	// Redis drops both when it loads a file.
	Expired int `json:"expired"`
	Empty   int `json:"empty"`
}

// Sealed is the pointer to initialise the shard with (etcdfence.Shard.Initialize):
// its log goes on behind the import.
func (i *Imported) Sealed(now time.Time) etcdfence.Sealed {
	p := i.Manifest.Shards[0].Position
	return etcdfence.Sealed{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, EpochBase: importEpoch, Time: now.UTC()}
}

// Import makes the snapshot that a new shard begins with from RDB files: loads them,
// writes and checks a file as Create does, and publishes it. The shard must be
// initialised with Imported.Sealed next.
//
// The data stands for the log's first entry, which is in no segment. So nothing can
// take the snapshot's place: were it damaged, nodes would miss entry 1 and stop, and
// not begin with an empty log. Make further snapshots as usual.
//
// Errors: ErrBadName, ErrNameTaken, ErrNotRestorable, ErrDataLeft, and those of
// rdb.Load, with the file's name.
func (r *Repo) Import(ctx context.Context, o ImportOptions) (*Imported, error) {
	created := r.now().UTC()
	if o.Name == "" {
		o.Name = DefaultName(created)
	}
	in := &Imported{Manifest: &Manifest{
		Format: ManifestFormat, Name: o.Name, Cluster: r.cluster, Engine: Engine,
		WrittenBy: "redoubt " + r.o.Version, CreatedAt: created,
	}}
	if err := r.importFiles(ctx, o, in); err != nil {
		return nil, fmt.Errorf("import %s: %w", strings.Join(o.Files, ", "), err)
	}
	return in, nil
}

func (r *Repo) importFiles(ctx context.Context, o ImportOptions, in *Imported) (err error) {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if len(o.Files) == 0 {
		return errors.New("no files are given")
	}
	left, err := r.DataLeft(ctx, o.Shard)
	if err != nil {
		return err
	}
	if left != "" {
		return fmt.Errorf("%w: %s", ErrDataLeft, left)
	}
	p := newMeter(o.Progress)
	st := newReplay(r.o.Keyspace)
	for _, path := range o.Files {
		if err := importFile(ctx, path, st.ks, in, p); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	in.Expired = dropExpired(st.ks, r.now().UnixMilli())
	first := wal.Position{}.Next(wal.KindEpochOpened, importEpoch, r.now().UnixMilli(), []byte("import "+st.ks.Digest().String()))
	st.pos, st.entryTime = first.Position(), first.Time

	dir, err := tempDir(o.TempDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := r.storeShard(ctx, st, Source{Shard: o.Shard, Slots: o.Slots}, fileIn(dir, o.Shard), in.Manifest, p); err != nil {
		return errors.Join(err, r.takeBack(ctx, in.Manifest))
	}
	p.end()
	in.Manifest.VerifiedAt = r.now().UTC()
	return r.publish(ctx, in.Manifest)
}

// importFile loads a file on top of what ks holds.
func importFile(ctx context.Context, path string, ks *keyspace.Keyspace, in *Imported, p *meter) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	p.phase(Progress{Phase: PhaseImport, TotalBytes: fi.Size()})
	info, err := rdb.Load(watched{ctx: ctx, r: f, p: p}, ks, rdb.LoadOptions{Size: fi.Size(), Merge: true})
	if err != nil {
		return err
	}
	in.Empty += info.EmptyKeys
	return nil
}

// dropExpired deletes the keys that are past their expiry, as Redis does when it
// loads a file.
func dropExpired(ks *keyspace.Keyspace, now int64) (dropped int) {
	for i := range ks.NumDBs() {
		db := ks.DB(i)
		var due [][]byte
		db.Each(func(key []byte, ref keyspace.Ref) bool {
			if at := ref.ExpireAt(); at != keyspace.NoExpire && at < now {
				due = append(due, key)
			}
			return true
		})
		for _, key := range due {
			db.Delete(key)
		}
		ks.Reclaim()
		dropped += len(due)
	}
	return dropped
}

// DataLeft names an object of the shard, or of a snapshot, that object storage
// holds; "" when there is none, so that a first history may begin.
func (r *Repo) DataLeft(ctx context.Context, shard int) (string, error) {
	segments, err := r.shardLog(shard, nil).segments.List(ctx)
	if err != nil {
		return "", err
	}
	if len(segments) > 0 {
		return segments[len(segments)-1].Key, nil
	}
	all, err := r.List(ctx)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return "snapshot " + all[0].Name, nil
}
