package s3segments

import (
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// SealerStats is how far sealing has come.
type SealerStats struct {
	Sealed   wal.Position  // the sealed pointer
	Entries  uint64        // committed and not sealed
	Bytes    int64         // that these take in the head
	Lag      time.Duration // for how long the oldest of them has waited
	Segments int64         // sealed by this Sealer
	Uploaded int64         // bytes of these segments
	Err      error         // why the last try failed; nil when it did not
	Since    time.Time     // of the first of the tries that failed in a row
}

// Stats returns how far sealing has come.
func (s *Sealer) Stats() SealerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.backlog
	st := SealerStats{
		Sealed: b.sealed, Entries: b.committed.Seq - b.sealed.Seq, Bytes: b.bytes,
		Segments: s.segments, Uploaded: s.bytes, Err: s.failed, Since: s.failedAt,
	}
	if !b.empty() {
		st.Lag = time.Since(b.oldest)
	}
	return st
}
