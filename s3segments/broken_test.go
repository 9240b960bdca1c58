//go:build broken

package s3segments

import (
	"context"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/wal"
)

// recklessHead lets go of entries without asking where else they are.
type recklessHead struct {
	*head
	trimmedTo chan wal.Position
}

func (h recklessHead) Trim(_ context.Context, p wal.Position, _ string, _ time.Time) error {
	select {
	case h.trimmedTo <- p:
	default:
	}
	return nil
}

// While S3 takes nothing, the head is trimmed; a primary that dies now leaves the
// entries nowhere.
func TestBrokenTrimFirst(t *testing.T) {
	t.Cleanup(broken.Use(broken.TrimFirst))
	cfg := startS3(t)
	store, f := newFaulty(t, cfg)
	f.all("PUT", refused)
	entries := history(wal.Position{}, 1, 10, small)
	h := recklessHead{newHead(t, cfg, entries), make(chan wal.Position, 1)}
	sealer := NewSealer(SealerConfig{Shard: NewShard(store, 0), Head: h, Epoch: 1, Size: 2000, Age: time.Hour})
	tell(sealer, entries...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sealer.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	select {
	case p := <-h.trimmedTo:
		if p != entries[9].Position() {
			t.Fatalf("trimmed to %v", p)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the head is not trimmed")
	}
	if infos, err := h.check.List(t.Context()); err != nil || len(infos) != 0 {
		t.Fatalf("segments %v, %v", infos, err)
	}
}
