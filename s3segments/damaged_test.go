package s3segments

import (
	"errors"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
)

// An object whose bytes have rotted where S3 keeps them fails S3's own checksum
// each time it is read. That is damage, which has remedies of its own, and not an
// outage, which is waited out.
func TestRottenObjectIsNoOutage(t *testing.T) {
	cfg := startS3(t)
	key := putSegment(t, openStore(t, cfg), wal.Position{}, 1, history(wal.Position{}, 1, 10, small))
	for _, attempts := range []int{2, 6} {
		cfg.Attempts = attempts
		s, f := newFaulty(t, cfg)
		f.all("GET", garbled)
		_, err := s.Get(t.Context(), key)
		if !errors.Is(err, ErrDamaged) || !errors.Is(err, wal.ErrCorrupt) || f.count("GET") != min(attempts, maxMismatches) {
			t.Errorf("get with %d attempts: %v after %d requests", attempts, err, f.count("GET"))
		}
		if o, away := s.Outage(); away {
			t.Errorf("a rotten object counts as an outage: %+v", o)
		}
		_, _, err = collect(NewShard(s, 0), wal.Position{}, 10)
		var d *DamagedError
		if !errors.As(err, &d) || d.Key != key || !errors.Is(err, wal.ErrCorrupt) {
			t.Errorf("read of a rotten segment: %v", err)
		}
	}
}
