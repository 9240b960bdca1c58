package snapshot

import (
	"context"
	"io"
	"sync"
)

// rangeReader reads an object forward while the parts ahead are downloaded side by
// side. It owns their goroutines; Close ends them and waits.
type rangeReader struct {
	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup
	parts  chan chan rangePart // in order; its capacity bounds what is under way
	cur    []byte
	err    error
}

type rangePart struct {
	b   []byte
	err error
}

// newRangeReader reads size bytes in parts of at most part bytes, up to parallel
// at once. fetch returns n bytes from offset.
func newRangeReader(ctx context.Context, size, part int64, parallel int, fetch func(ctx context.Context, offset, n int64) ([]byte, error)) *rangeReader {
	ctx, cancel := context.WithCancel(ctx)
	r := &rangeReader{ctx: ctx, cancel: cancel, parts: make(chan chan rangePart, parallel-1)}
	r.wg.Go(func() {
		defer close(r.parts)
		for offset := int64(0); offset < size; offset += part {
			c := make(chan rangePart, 1)
			select {
			case r.parts <- c:
			case <-ctx.Done():
				return
			}
			r.wg.Go(func() {
				want := min(part, size-offset)
				b, err := fetch(ctx, offset, want)
				if err == nil && int64(len(b)) != want {
					err = io.ErrUnexpectedEOF
				}
				c <- rangePart{b, err}
			})
		}
	})
	return r
}

func (r *rangeReader) Read(p []byte) (int, error) {
	for len(r.cur) == 0 {
		if r.err == nil {
			r.nextPart()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.cur)
	r.cur = r.cur[n:]
	return n, nil
}

func (r *rangeReader) nextPart() {
	c, ok := <-r.parts
	switch {
	case !ok && r.ctx.Err() != nil:
		r.err = context.Cause(r.ctx)
	case !ok:
		r.err = io.EOF
	default:
		part := <-c
		if r.err = part.err; r.err == nil {
			r.cur = part.b
		}
	}
}

// Close ends all downloads.
func (r *rangeReader) Close() error {
	r.cancel()
	r.wg.Wait()
	return nil
}
