package keyspace

import (
	"errors"
	"runtime"

	"github.com/redoubtdb/redoubt/internal/arena"
)

// ErrWrongType says that a key holds a value of another type than asked for.
var ErrWrongType = errors.New("keyspace: wrong type")

// NoExpire is the expiry of a key that has none.
const NoExpire int64 = -1

// Type is the type of a value. The numbers are Redis's, DEBUG DIGEST mixes them in.
type Type uint8

// The types of Redis.
const (
	TypeString Type = 0
	TypeList   Type = 1
	TypeSet    Type = 2
	TypeZSet   Type = 3
	TypeHash   Type = 4
	TypeStream Type = 6
)

// String is the answer of the TYPE command.
func (t Type) String() string {
	switch t {
	case TypeString:
		return "string"
	case TypeList:
		return "list"
	case TypeSet:
		return "set"
	case TypeZSet:
		return "zset"
	case TypeHash:
		return "hash"
	case TypeStream:
		return "stream"
	}
	return "unknown"
}

// Defaults of Config, those of redis-server 7.2.
const (
	DefaultDatabases              = 16
	DefaultHashMaxListpackEntries = 512
	DefaultHashMaxListpackValue   = 64
	DefaultSetMaxIntsetEntries    = 512
	DefaultSetMaxListpackEntries  = 128
	DefaultSetMaxListpackValue    = 64
	DefaultListMaxListpackSize    = -2
	DefaultZSetMaxListpackEntries = 128
	DefaultZSetMaxListpackValue   = 64
	DefaultHLLSparseMaxBytes      = 3000
	DefaultStreamNodeMaxBytes     = 4096
	DefaultStreamNodeMaxEntries   = 100
)

// Config are the settings of a Keyspace, named as in redis.conf.
type Config struct {
	// HashMaxListpackEntries and HashMaxListpackValue (bytes) bound the compact
	// form of a hash; beyond either it becomes a hash table and stays one.
	HashMaxListpackEntries int
	HashMaxListpackValue   int
	// SetMaxIntsetEntries bounds the intset form of a set of integers,
	// SetMaxListpackEntries and SetMaxListpackValue (bytes) the listpack form of
	// any other.
	SetMaxIntsetEntries   int
	SetMaxListpackEntries int
	SetMaxListpackValue   int
	// ListMaxListpackSize bounds the runs that a list consists of: a number of
	// elements, or from -1 to -5 a size of 4, 8, 16, 32 or 64 KiB.
	ListMaxListpackSize int
	// ZSetMaxListpackEntries and ZSetMaxListpackValue (bytes of a member) bound the
	// compact form of a sorted set in the same way.
	ZSetMaxListpackEntries int
	ZSetMaxListpackValue   int
	// HLLSparseMaxBytes is the length of string beyond which a sparse HyperLogLog becomes
	// dense.
	HLLSparseMaxBytes int
	// StreamNodeMaxBytes and StreamNodeMaxEntries bound the blocks of a stream; zero is
	// no limit.
	StreamNodeMaxBytes   int
	StreamNodeMaxEntries int
	// Databases is fixed once the Keyspace is made.
	Databases int
}

// Keyspace is the data of one node. See the package comment for its rules.
type Keyspace struct {
	cfg Config
	dbs []*DB
	// detached accounts for objects that are in no database.
	detached account
	// pool is the memory of the databases' arenas. It does not refer to the Keyspace.
	pool *arena.Pool
}

// New returns an empty Keyspace. Zero fields of cfg take their defaults.
func New(cfg Config) *Keyspace {
	if cfg.Databases <= 0 {
		cfg.Databases = DefaultDatabases
	}
	if cfg.HashMaxListpackEntries == 0 {
		cfg.HashMaxListpackEntries = DefaultHashMaxListpackEntries
	}
	if cfg.HashMaxListpackValue == 0 {
		cfg.HashMaxListpackValue = DefaultHashMaxListpackValue
	}
	if cfg.SetMaxIntsetEntries == 0 {
		cfg.SetMaxIntsetEntries = DefaultSetMaxIntsetEntries
	}
	if cfg.SetMaxListpackEntries == 0 {
		cfg.SetMaxListpackEntries = DefaultSetMaxListpackEntries
	}
	if cfg.SetMaxListpackValue == 0 {
		cfg.SetMaxListpackValue = DefaultSetMaxListpackValue
	}
	if cfg.ListMaxListpackSize == 0 {
		cfg.ListMaxListpackSize = DefaultListMaxListpackSize
	}
	if cfg.ZSetMaxListpackEntries == 0 {
		cfg.ZSetMaxListpackEntries = DefaultZSetMaxListpackEntries
	}
	if cfg.ZSetMaxListpackValue == 0 {
		cfg.ZSetMaxListpackValue = DefaultZSetMaxListpackValue
	}
	if cfg.HLLSparseMaxBytes == 0 {
		cfg.HLLSparseMaxBytes = DefaultHLLSparseMaxBytes
	}
	if cfg.StreamNodeMaxBytes == 0 {
		cfg.StreamNodeMaxBytes = DefaultStreamNodeMaxBytes
	}
	if cfg.StreamNodeMaxEntries == 0 {
		cfg.StreamNodeMaxEntries = DefaultStreamNodeMaxEntries
	}
	ks := &Keyspace{cfg: cfg, pool: &arena.Pool{}}
	runtime.AddCleanup(ks, (*arena.Pool).Close, ks.pool)
	ks.detached.cfg = &ks.cfg
	ks.dbs = make([]*DB, cfg.Databases)
	for i := range ks.dbs {
		ks.dbs[i] = &DB{id: i, ks: ks, store: ks.newStore()}
	}
	return ks
}

// Config is the live configuration: the limits may be changed through it (also to
// zero, which turns the compact form off) and hold for later writes.
func (ks *Keyspace) Config() *Config { return &ks.cfg }

// NumDBs is the number of databases.
func (ks *Keyspace) NumDBs() int { return len(ks.dbs) }

// DB returns database i; i must be in [0, NumDBs). The pointer stays good for the
// life of the Keyspace, through FlushAll and Swap.
func (ks *Keyspace) DB(i int) *DB { return ks.dbs[i] }

// NewDB returns an empty database that is none of the numbered ones: a place to
// build a value that may turn out to be no good, and to Move it from. What it holds is
// in no digest and not in MemoryUsed, and all of it is in Go's heap.
func (ks *Keyspace) NewDB() *DB { return &DB{id: -1, ks: ks, store: ks.newHeapStore()} }

// Swap exchanges the contents of databases i and j in constant time (SWAPDB).
func (ks *Keyspace) Swap(i, j int) {
	a, b := ks.dbs[i], ks.dbs[j]
	a.store, b.store = b.store, a.store
}

// FlushAll empties every database in constant time.
func (ks *Keyspace) FlushAll() {
	for _, db := range ks.dbs {
		db.Flush()
	}
}

// Len is the number of keys of all databases.
func (ks *Keyspace) Len() int {
	n := 0
	for _, db := range ks.dbs {
		n += db.Len()
	}
	return n
}

// Reclaim makes the memory of records that were deleted or replaced before usable
// again. Nobody may hold a slice of one any more: see the package comment.
func (ks *Keyspace) Reclaim() { ks.pool.Reclaim() }

// Surplus takes up to most bytes of memory that is not used any more out of the
// Keyspace, to be given back to the system without the lock.
func (ks *Keyspace) Surplus(most int64) arena.Surplus { return ks.pool.Surplus(most) }

// ArenaStats are the sizes of the memory outside of Go's heap.
func (ks *Keyspace) ArenaStats() arena.Stats { return ks.pool.Stats() }

// Close empties the Keyspace and gives the memory outside of Go's heap back to the
// system, which otherwise happens some time after the Keyspace has become unreachable.
// Nobody may hold a slice of a record any more. It is idempotent, and the
// Keyspace can be filled again.
func (ks *Keyspace) Close() {
	ks.FlushAll()
	ks.pool.Close()
}

// MemoryUsed estimates the bytes that keys, values and tables occupy, in
// allocation classes of the arena and the Go heap. It is kept up to date by every change and
// costs nothing to ask (INFO used_memory_dataset).
func (ks *Keyspace) MemoryUsed() int64 {
	var n int64
	for _, db := range ks.dbs {
		n += db.MemoryUsed()
	}
	return n
}

// NewHash returns an empty hash that is in no database yet; see DB.SetObject.
func (ks *Keyspace) NewHash() *Hash { return newHash(&ks.detached) }

// NewSet returns an empty set that is in no database yet; see DB.SetObject.
func (ks *Keyspace) NewSet() *Set { return newSet(&ks.detached) }

// NewList returns an empty list that is in no database yet; see DB.SetObject.
func (ks *Keyspace) NewList() *List { return newList(&ks.detached) }

// NewZSet returns an empty sorted set that is in no database yet; see DB.SetObject.
func (ks *Keyspace) NewZSet() *ZSet { return newZSet(&ks.detached) }

// NewStream returns an empty stream that is in no database yet; see DB.SetObject.
func (ks *Keyspace) NewStream() *Stream { return newStream(&ks.detached) }
