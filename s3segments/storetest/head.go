package storetest

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// memHead is a head that never lets go of anything.
type memHead struct{ entries []*wal.Entry }

// ReadHead implements s3segments.Head.
func (h *memHead) ReadHead(_ context.Context, from, to uint64, fn func(*wal.Entry, int) error) error {
	for _, e := range h.entries {
		if e.Seq < from || e.Seq > to {
			continue
		}
		if err := fn(e, len(e.Payload)); err != nil {
			return err
		}
	}
	return nil
}

// Trim implements s3segments.Head.
func (h *memHead) Trim(context.Context, wal.Position, string, time.Time) error { return nil }
