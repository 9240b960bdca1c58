package snapshot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

func TestRangeReader(t *testing.T) {
	object := make([]byte, 10_007)
	for i := range object {
		object[i] = byte(i * i >> 3)
	}
	for _, parallel := range []int{1, 2, 7} {
		for _, part := range []int64{1000, 10_006, 10_007, 1 << 20} {
			var now, most atomic.Int64
			fetch := func(_ context.Context, offset, n int64) ([]byte, error) {
				for v := now.Add(1); v > most.Load(); {
					most.Store(v)
				}
				defer now.Add(-1)
				return object[offset : offset+n], nil
			}
			r := newRangeReader(t.Context(), int64(len(object)), part, parallel, fetch)
			if err := iotest.TestReader(r, object); err != nil {
				t.Errorf("%d at once, parts of %d: %v", parallel, part, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			// One may be waited for while as many more are under way.
			if most.Load() > int64(parallel)+1 {
				t.Errorf("%d at once, %d were asked for", most.Load(), parallel)
			}
		}
	}
}

func TestRangeReaderErrors(t *testing.T) {
	broken := errors.New("connection reset")
	for name, c := range map[string]struct {
		fetch func(ctx context.Context, offset, n int64) ([]byte, error)
		want  error
		got   int
	}{
		"error": {func(_ context.Context, offset, n int64) ([]byte, error) {
			if offset == 20 {
				return nil, broken
			}
			return make([]byte, n), nil
		}, broken, 20},
		"short": {func(_ context.Context, offset, n int64) ([]byte, error) {
			return make([]byte, min(n, 25-min(offset, 25))), nil
		}, io.ErrUnexpectedEOF, 20},
	} {
		r := newRangeReader(t.Context(), 100, 10, 3, c.fetch)
		b, err := io.ReadAll(r)
		if !errors.Is(err, c.want) || len(b) < c.got {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		if _, again := r.Read(make([]byte, 1)); again != err {
			t.Errorf("%s, read on: %v", name, again)
		}
		_ = r.Close()
	}
}

// Closing, and the end of the context, end downloads that hang.
func TestRangeReaderEnds(t *testing.T) {
	hang := func(ctx context.Context, _, _ int64) ([]byte, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	r := newRangeReader(t.Context(), 1000, 10, 3, hang)
	if err := r.Close(); err != nil { // returns
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r = newRangeReader(ctx, 1000, 10, 3, hang)
	cancel()
	if n, err := io.Copy(&bytes.Buffer{}, r); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = r.Close()
}
