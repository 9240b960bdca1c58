// Package snapshot makes, verifies, loads and cleans up snapshots of a cluster, away
// from the nodes that serve it, and rebuilds shards from object storage.
//
// # What a snapshot is
//
// A shard's data as it was after one entry of its log, as an RDB file that a stock
// redis-server 7.0 loads (package rdb), and a manifest that describes the files of
// all shards. Objects, relative to the cluster's prefix:
//
//	snapshots/<name>/<nnnn>.rdb      shard nnnn's data
//	snapshots/<name>/manifest.json   published last; without it there is no snapshot
//	gc/<time>.json                   what a clean-up was going to delete, and why
//
// Both are written once, with If-None-Match: *, and never changed. A snapshot plus
// the later entries of the log is the live state, and any snapshot will do: which
// one a node begins with is a matter of speed.
//
// # Manifest, format version 1
//
// JSON for people: `aws s3 cp s3://.../manifest.json -`.
//
//	format             1
//	name, cluster
//	engine             version of what effects and values mean, see Engine
//	written_by         version of the program
//	created_at         when the snapshot was begun
//	verified_at        when every file had been loaded back and compared
//	shards[]
//	  shard, slots     number, and the hash slots it owned
//	  position         seq, epoch and chain of the last entry in it
//	  entry_time       when that entry was written
//	  rdb              key, size in bytes, sha256
//	  keys, keys_per_database, keys_with_expiry
//	  digest           keyspace.Digest of the data
//
// A reader refuses a larger format or engine (ErrNewerFormat) and ignores fields
// that it does not know.
//
// The RDB file repeats in aux fields what it must not be mistaken in:
//
//	redoubt-engine     the engine's version
//	redoubt-position   "seq 7 epoch 3 chain 00000000000000ff"
//
// and both objects in their user metadata, for `aws s3api head-object`: kind, engine,
// engine-version, format, cluster, snapshot; the file also shard, position, keys,
// checksum and digest.
//
// # Making one
//
// Create begins with the newest good snapshot, or with nothing, and applies the log
// up to an entry that is committed: segments as far as the log is sealed, then the
// head. Each entry is checked to follow the one before. When the head is trimmed
// under it, the entries are in segments by then. It writes the file to disk, loads it
// back from there, compares SHA-256, position, counts and digest, uploads, downloads
// again and compares the SHA-256, and then publishes the manifest. So a manifest's
// existence says that its data was restored once.
//
// # Trusting one
//
// Loading checks size, SHA-256, the RDB's CRC, the position, the counts and the
// digest of the data. A snapshot that fails is logged with what is wrong and the one
// before is used, down to the start of the log. Entries that no segment holds are
// an error that names them: nothing is ever skipped.
//
// # Cleaning up
//
// A clean-up is a plan (PlanGC), decided by a pure function from what is there, and
// its execution (RunGC), which stores the plan before it deletes. The floor of a
// shard is the oldest position among the snapshots that are kept; segments whose
// entries are all at or below it are needed by nobody. Whatever is behind the
// floor must be whole, else nothing is deleted at all.
package snapshot
