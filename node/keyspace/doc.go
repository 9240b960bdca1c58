// Package keyspace holds the data of one node in memory: numbered databases of
// keys, each with a typed value and an optional expiry.
//
// It knows no network and no clock, starts no goroutine and takes no lock. One
// engine lock above it serialises every call, reads included. Time enters as an
// argument (unix milliseconds) and is never judged by a look-up: a key that is
// past its expiry stays until the caller deletes it, because only the primary
// may expire and its deletion is logged.
//
// # What callers may keep
//
// Values returned by Ref.Str, Hash.Get, ZSet.At and the iterators alias memory of this
// package and are valid until the next mutation. Hash fields and members of large
// sets are never overwritten in place: they stay readable for as long as the caller holds
// them. So do keys, also of what was deleted, until the next Reclaim. None of them may
// be written to. Arguments are copied and may be reused at once; a value argument
// must not alias the value it replaces. Callbacks of iterators must not change what
// they iterate.
//
// # Reclaim
//
// Short records are in memory that the garbage collector does not look after (package
// arena). One that is deleted or replaced stays as it is until the engine calls
// Keyspace.Reclaim, which may hand its place to the next record. The engine calls it
// where nobody can hold a reference to what was deleted before:
//
//   - the engine of a node when a unit begins, which is one command, a whole MULTI/EXEC,
//     the command of a client that had waited, or a round of expiry. All runs under one
//     lock, and what the unit before has to tell was copied by then: replies by
//     resp.Writer, which appends every byte to its own buffer, effects by wal.Unit.Add,
//     keys that somebody waits for or watches and arguments in the slow log as
//     Go strings. Inside a unit nothing is reclaimed;
//   - command.Replayer at the end of each unit of the log, on replicas and wherever else a
//     log is read: its effects alias the entry, its replies are thrown away;
//   - rdb.Load after each key, which nobody else knows of yet;
//   - a node's release loop, with the lock, so that no unit is half done.
//
// Whoever writes a command need not care as long as he keeps nothing beyond it. Who
// never calls Reclaim is safe, but what he deletes takes memory until the Keyspace is
// closed or unreachable.
//
// A slice of a record does not keep the Keyspace alive: who reads one after his last use
// of the Keyspace, its databases, objects and iterators ends with runtime.KeepAlive.
// DB.Each and DB.Scan keep it alive as long as they run.
//
// Under the race detector Reclaim overwrites what it frees, so that the tests that run
// with it fail on a reference that was kept.
//
// # Records
//
// A key with a value of at most 4096 bytes is one allocation without pointers:
//
//	flags        1 byte    boxed, expire, raw, text
//	key length   uvarint
//	key
//	value length uvarint
//	value
//	expiry       8 bytes   little endian unix ms, only with the expire flag
//
// The key comes first at an offset that never changes, so a value can be
// rewritten, grown or given an expiry in place whenever the new size rounds to
// the same allocation class. It is in the arena of its database, so that millions of
// them are nothing to the garbage collector; a database that is emptied drops its
// arena. Fields and members of large aggregates have the same layout, but are in Go's
// heap: a large aggregate is deleted in constant time, and with an arena somebody would
// have to visit all of them. Longer strings, those whose keys are so long that the arena
// has no class for them, and all other types are boxes: Go structs that begin with the
// same flags byte (box), followed by key, expiry and type. A table slot points to
// either; the flags byte tells which. All pointer casts are in record.go and
// table_memory.go, with their rules.
//
// # Tables
//
// Keys, the index of keys with an expiry, large hashes, large sets and large sorted sets
// (which add a tree of the same records, in their order) share one table:
// linear hashing over buckets of one cache line (7 slots and their one-byte
// tags; a full bucket chains to overflow buckets). The table grows and shrinks by
// one bucket at a time, so that no operation ever pays for a whole rehash and
// memory never doubles. The hash is seeded a process (hash/maphash), so no client
// can construct collisions, and orders and cursors mean nothing across processes.
//
// The tables of a database, a slot a key, are as little to the garbage collector as its
// short records: it does not read their slots. So it does not see the boxes that they
// point to either, and a database keeps these alive by a list of its own (pins).
//
// A SCAN cursor is a point in the bit-reversed hash space, as in Redis: a bucket
// covers a dyadic interval of it, growing halves an interval, shrinking joins
// two. Each step returns the whole bucket that contains the cursor and moves to the
// interval's end, hence an element present from the first to the last call is
// returned at least once, and one absent throughout never.
//
// # Streams
//
// A stream's entries are packed into blocks, listpacks in Redis's own layout
// (stream_block.go), so that blocks end where Redis's do and go into an RDB file
// as they are. Blocks by ID, pending entries of a group and of a consumer, groups
// and consumers by name are in ordered maps (ordered.go): runs of up to 128
// elements in a list, where a look-up searches twice by halves. The elements of
// pending entries have no pointers.
//
// # Digests
//
// Keyspace.Digest is the exact logical state (database, key, type, value,
// absolute expiry) in 32 bytes, independent of order, encodings and process: the
// lane-wise sum modulo 2^64 of a SHA-256 a key. It guards against mistakes, not
// against adversaries. Keyspace.RedisDigest and DB.KeyRedisDigest are
// redis-server's DEBUG DIGEST and DEBUG DIGEST-VALUE.
package keyspace
