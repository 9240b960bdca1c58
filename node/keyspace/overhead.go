package keyspace

// Overhead is the part of MemoryUsed that finds keys and those of them that expire,
// rather than holding anything.
func (db *DB) Overhead() (keys, expires int64) { return db.keys.memory(), db.expires.memory() }
