package s3segments

import (
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// backlog is what is committed and not sealed, as the Sealer has been told.
type backlog struct {
	sealed    wal.Position
	committed wal.Position
	bytes     int64     // that the entries between take in the head
	oldest    time.Time // when the first of them was told of, at the latest
	flush     uint64    // SealNow wants everything up to here sealed
}

func (b backlog) empty() bool { return b.committed.Seq <= b.sealed.Seq }

// limits are when to seal.
type limits struct {
	size int64
	age  time.Duration
}

// plan decides whether to seal now, and if not, how long that decision holds
// unless more is committed; 0: for ever.
func plan(b backlog, l limits, now time.Time) (seal bool, wait time.Duration) {
	if b.empty() {
		return false, 0
	}
	if b.flush > b.sealed.Seq || b.bytes >= l.size {
		return true, 0
	}
	wait = l.age - now.Sub(b.oldest)
	return wait <= 0, max(wait, 0)
}

// commit adds an entry.
func (b *backlog) commit(p wal.Position, bytes int64, now time.Time) {
	if p.Seq <= b.committed.Seq {
		return
	}
	if b.empty() {
		b.oldest = now
	}
	b.committed = p
	b.bytes += bytes
}

// advance takes out the entries up to p, of which the head held so many bytes.
// What was committed up to mark was there at the time markAt.
func (b *backlog) advance(p wal.Position, bytes int64, mark uint64, markAt time.Time) {
	b.sealed = p
	b.bytes = max(b.bytes-bytes, 0)
	if p.Seq >= mark {
		b.oldest = markAt
	}
	if b.empty() {
		b.bytes = 0
	}
}
