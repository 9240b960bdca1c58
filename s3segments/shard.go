package s3segments

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// engine is what objects' metadata says wrote them.
const engine = "redoubt"

// Shard is one shard's sealed log and spilled entries. It satisfies
// etcdfence.Spiller.
type Shard struct {
	store *Store
	n     int

	// prefetch is how many bytes of segments Read may hold, beyond one segment.
	prefetch int64
}

// defaultPrefetch is Shard.prefetch in bytes.
const defaultPrefetch = 64 << 20

// NewShard is the view of shard n in a store.
func NewShard(store *Store, n int) *Shard {
	return &Shard{store: store, n: n, prefetch: defaultPrefetch}
}

// Store is where the shard's objects are.
func (s *Shard) Store() *Store { return s.store }

// List returns the shard's segments in the order of their keys.
func (s *Shard) List(ctx context.Context) ([]SegmentInfo, error) {
	return list(ctx, s, segmentsPrefix(s.n), parseSegment)
}

// ListSpills returns the shard's spilled entries in the order of their keys.
func (s *Shard) ListSpills(ctx context.Context) ([]SpillInfo, error) {
	return list(ctx, s, spillsPrefix(s.n), parseSpill)
}

// list parses the objects below prefix; one of another name is nobody's and
// only logged.
func list[T any](ctx context.Context, s *Shard, prefix string, parse func(int, ObjectInfo) (T, bool)) ([]T, error) {
	var infos []T
	err := s.store.List(ctx, prefix, func(o ObjectInfo) error {
		if info, ok := parse(s.n, o); ok {
			infos = append(infos, info)
		} else {
			s.store.log.Warn("object has another name than those it is among", "object", o.Key)
		}
		return nil
	})
	return infos, err
}

// Spill stores wal.Encode(e) durably and returns its reference. Spilling an
// entry twice is harmless. ErrExists: another entry was spilled with the same
// seq under the same epoch, which no primary does.
func (s *Shard) Spill(ctx context.Context, e *wal.Entry) (wal.Ref, error) {
	body := wal.Encode(nil, e)
	ref := wal.NewRef(spillKey(s.n, e.Seq, e.Epoch), body)
	err := s.store.Put(ctx, ref.Key, body, PutOptions{IfNoneMatch: true, Metadata: map[string]string{
		"kind":     "spilled-entry",
		"engine":   engine,
		"cluster":  s.store.cluster,
		"shard":    strconv.Itoa(s.n),
		"position": positionText(e.Position()),
		"content":  e.Kind.String(),
		"checksum": checksumText(body),
	}})
	if errors.Is(err, ErrExists) {
		err = s.sameSpill(ctx, ref, err)
	}
	if err != nil {
		return wal.Ref{}, fmt.Errorf("spill entry %d: %w", e.Seq, err)
	}
	return ref, nil
}

// sameSpill makes an earlier spill of the same entry a success.
func (s *Shard) sameSpill(ctx context.Context, ref wal.Ref, exists error) error {
	b, err := s.store.Get(ctx, ref.Key)
	if err != nil {
		return err
	}
	if wal.NewRef(ref.Key, b) != ref {
		return exists
	}
	return nil
}

// Resolve implements wal.Resolver. Errors: ErrNotFound, when the entry was
// sealed and its spill cleaned up.
func (s *Shard) Resolve(ctx context.Context, r wal.Ref) ([]byte, error) {
	return s.store.Get(ctx, r.Key)
}

// metadata is what a segment's object says of itself.
func (h Header) metadata(body []byte) map[string]string {
	return map[string]string{
		"kind":       "segment",
		"engine":     engine,
		"format":     strconv.Itoa(formatVersion),
		"cluster":    h.Cluster,
		"shard":      strconv.Itoa(h.Shard),
		"first":      strconv.FormatUint(h.First(), 10),
		"last":       strconv.FormatUint(h.Last(), 10),
		"entries":    strconv.FormatUint(h.Last()-h.Base.Seq, 10),
		"epoch":      strconv.FormatInt(h.Epoch, 10),
		"prev-chain": fmt.Sprintf("%016x", h.Base.Chain),
		"position":   positionText(h.End),
		"checksum":   checksumText(body),
		"created":    h.Created.UTC().Format(time.RFC3339),
	}
}

func positionText(p wal.Position) string { return p.String() }

func checksumText(b []byte) string {
	return fmt.Sprintf("crc32c:%08x", crc32.Checksum(b, castagnoli))
}
