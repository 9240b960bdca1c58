package wal

import (
	"context"
	"fmt"
	"hash/crc32"
)

// Ref names the object that holds an entry too large for one etcd request.
type Ref struct {
	Key  string // object key, relative to the cluster's prefix
	Size int64  // bytes
	CRC  uint32 // CRC-32C of the object
}

// NewRef describes object, which holds an encoded entry, stored under key.
func NewRef(key string, object []byte) Ref {
	return Ref{Key: key, Size: int64(len(object)), CRC: crc32.Checksum(object, castagnoli)}
}

// Resolver reads spilled objects.
type Resolver interface {
	// Resolve returns the whole object that r names.
	Resolve(ctx context.Context, r Ref) ([]byte, error)
}

// Resolve returns e with its payload: e itself, or the entry read from the
// object it refers to, checked to be the same entry.
func Resolve(ctx context.Context, e *Entry, r Resolver) (*Entry, error) {
	if e.Spill == nil {
		return e, nil
	}
	b, err := r.Resolve(ctx, *e.Spill)
	if err != nil {
		return nil, fmt.Errorf("read spilled entry %d from %s: %w", e.Seq, e.Spill.Key, err)
	}
	if got := NewRef(e.Spill.Key, b); got != *e.Spill {
		return nil, fmt.Errorf("%w: spilled entry %d in %s has %d bytes and CRC-32C %08x, should have %d and %08x",
			ErrCorrupt, e.Seq, e.Spill.Key, got.Size, got.CRC, e.Spill.Size, e.Spill.CRC)
	}
	full, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("spilled entry %d in %s: %w", e.Seq, e.Spill.Key, err)
	}
	if full.Spill != nil || full.Kind != e.Kind || full.Position() != e.Position() || full.Prev != e.Prev || full.Time != e.Time {
		return nil, fmt.Errorf("%w: %s holds %v, not entry %v", ErrCorrupt, e.Spill.Key, full.Position(), e.Position())
	}
	return full, nil
}
