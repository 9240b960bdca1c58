// Package storetest checks that an S3 service keeps the promises that package
// s3segments relies on. The suite runs against the embedded endpoint, and
// against whatever S3 a test has at hand.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// Run runs the suite against the bucket that c names. It writes below
// clusters of its own and deletes what it wrote.
func Run(t *testing.T, c s3segments.Config) {
	for name, test := range map[string]func(*testing.T, *s3segments.Store){
		"PutGet":             putGet,
		"Metadata":           metadata,
		"IfNoneMatch":        ifNoneMatch,
		"IfNoneMatchRace":    ifNoneMatchRace,
		"Multipart":          multipart,
		"ListPages":          listPages,
		"Ranges":             ranges,
		"Delete":             remove,
		"Spill":              spill,
		"SegmentsReadBack":   segmentsReadBack,
		"MissingIsNotAnswer": missing,
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.Cluster = fmt.Sprintf("storetest-%d", rand.Uint64())
			s, err := s3segments.OpenStore(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, s)
			cleanUp(t, s)
		})
	}
}

func cleanUp(t *testing.T, s *s3segments.Store) {
	keys := list(t, s, "")
	if err := s.Delete(t.Context(), keys...); err != nil {
		t.Errorf("clean up: %v", err)
	}
	if left := list(t, s, ""); len(left) != 0 {
		t.Errorf("left after deleting everything: %v", left)
	}
}

func list(t *testing.T, s *s3segments.Store, prefix string) (keys []string) {
	t.Helper()
	err := s.List(t.Context(), prefix, func(o s3segments.ObjectInfo) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	return keys
}

func put(t *testing.T, s *s3segments.Store, key string, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, body, s3segments.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b) // never fails
	return b
}

func putGet(t *testing.T, s *s3segments.Store) {
	for _, n := range []int{0, 1, 100_000} {
		key := fmt.Sprintf("dir/%d", n)
		want := randomBytes(n)
		put(t, s, key, want)
		got, err := s.Get(t.Context(), key)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
		put(t, s, key, []byte("another"))
		if got, err := s.Get(t.Context(), key); err != nil || string(got) != "another" {
			t.Errorf("overwritten: got %q, %v", got, err)
		}
	}
}

func metadata(t *testing.T, s *s3segments.Store) {
	meta := map[string]string{"position": "seq 7 epoch 3 chain 00000000000000ff", "prev-chain": "ff", "keys": "12"}
	body := randomBytes(1000)
	if err := s.Put(t.Context(), "k", body, s3segments.PutOptions{Metadata: meta}); err != nil {
		t.Fatal(err)
	}
	o, err := s.Head(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if o.Key != "k" || o.Size != 1000 || !maps.Equal(o.Metadata, meta) || o.ETag == "" || o.LastModified.IsZero() {
		t.Errorf("head: %+v", o)
	}
}

func ifNoneMatch(t *testing.T, s *s3segments.Store) {
	once := s3segments.PutOptions{IfNoneMatch: true}
	if err := s.Put(t.Context(), "k", []byte("first"), once); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"other", "first"} {
		if err := s.Put(t.Context(), "k", []byte(body), once); !errors.Is(err, s3segments.ErrExists) {
			t.Errorf("second put of %q: %v", body, err)
		}
	}
	if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != "first" {
		t.Errorf("got %q, %v", got, err)
	}
}

func ifNoneMatchRace(t *testing.T, s *s3segments.Store) {
	for round := range 3 {
		key := fmt.Sprintf("race-%d", round)
		var winner atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := s.Put(t.Context(), key, fmt.Appendf(nil, "writer %d", i+1), s3segments.PutOptions{IfNoneMatch: true})
				switch {
				case err == nil:
					if other := winner.Swap(int64(i + 1)); other != 0 {
						t.Errorf("%s: writers %d and %d both won", key, other, i+1)
					}
				case !errors.Is(err, s3segments.ErrExists):
					t.Errorf("%s: %v", key, err)
				}
			})
		}
		wg.Wait()
		got, err := s.Get(t.Context(), key)
		if want := fmt.Sprintf("writer %d", winner.Load()); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", key, got, err, want)
		}
	}
}

func multipart(t *testing.T, s *s3segments.Store) {
	const size = 21<<20 + 5
	body := randomBytes(size)
	o := s3segments.PutOptions{IfNoneMatch: true, Metadata: map[string]string{"engine": "redoubt"}}
	if err := s.PutFile(t.Context(), "big", bytes.NewReader(body), size, o); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "big")
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if info, err := s.Head(t.Context(), "big"); err != nil || info.Metadata["engine"] != "redoubt" || info.Size != size {
		t.Errorf("head: %+v, %v", info, err)
	}
	body[size-1]++
	if err := s.PutFile(t.Context(), "big", bytes.NewReader(body), size, o); !errors.Is(err, s3segments.ErrExists) {
		t.Errorf("second upload: %v", err)
	}
	if got, err := s.GetRange(t.Context(), "big", size-1, 1); err != nil || got[0] == body[size-1] {
		t.Errorf("the second upload changed the object: %v, %v", got, err)
	}
}

func listPages(t *testing.T, s *s3segments.Store) {
	const n = 1005 // more than one page
	var want []string
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		key := fmt.Sprintf("pages/%04d", i)
		want = append(want, key)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.Put(t.Context(), key, nil, s3segments.PutOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	put(t, s, "pages-no", nil)
	if got := list(t, s, "pages/"); !slices.Equal(got, want) {
		t.Errorf("listed %d keys of %d, or in another order", len(got), n)
	}
	stop := errors.New("stop")
	calls := 0
	err := s.List(t.Context(), "", func(s3segments.ObjectInfo) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("list with an error of fn: %v after %d calls", err, calls)
	}
	if err := s.Delete(t.Context(), want...); err != nil {
		t.Errorf("delete %d keys: %v", n, err)
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"pages-no"}) {
		t.Errorf("left: %v", got)
	}
}

func ranges(t *testing.T, s *s3segments.Store) {
	put(t, s, "digits", []byte("0123456789"))
	for _, tt := range []struct {
		offset, n int64
		want      string
	}{{0, 1, "0"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 1, ""}, {99, 5, ""}, {0, 0, ""}} {
		got, err := s.GetRange(t.Context(), "digits", tt.offset, tt.n)
		if err != nil || string(got) != tt.want {
			t.Errorf("%d bytes from %d: %q, %v; want %q", tt.n, tt.offset, got, err, tt.want)
		}
	}
}

func remove(t *testing.T, s *s3segments.Store) {
	put(t, s, "k", []byte("v"))
	if err := s.Delete(t.Context(), "k", "never-was"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, s3segments.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
}

func missing(t *testing.T, s *s3segments.Store) {
	_, err := s.Get(t.Context(), "never-was")
	_, rerr := s.GetRange(t.Context(), "never-was", 0, 1)
	_, herr := s.Head(t.Context(), "never-was")
	for _, err := range []error{err, rerr, herr} {
		if !errors.Is(err, s3segments.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	if o, away := s.Outage(); away {
		t.Errorf("a missing object counts as an outage: %+v", o)
	}
}

func spill(t *testing.T, s *s3segments.Store) {
	shard := s3segments.NewShard(s, 3)
	e := wal.Position{Seq: 41, Epoch: 7, Chain: 9}.Next(wal.KindEffects, 7, 1, randomBytes(2<<20))
	ref, err := shard.Spill(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := shard.Spill(t.Context(), e)
	if err != nil || again != ref {
		t.Errorf("spilled again: %+v, %v; first %+v", again, err, ref)
	}
	other := wal.Position{Seq: 41, Epoch: 7, Chain: 9}.Next(wal.KindEffects, 7, 1, []byte("other"))
	if _, err := shard.Spill(t.Context(), other); !errors.Is(err, s3segments.ErrExists) {
		t.Errorf("another entry in its place: %v", err)
	}
	logged, err := wal.Decode(wal.EncodeRef(nil, e, ref))
	if err != nil {
		t.Fatal(err)
	}
	got, err := wal.Resolve(t.Context(), logged, shard)
	if err != nil || !bytes.Equal(got.Payload, e.Payload) {
		t.Errorf("resolved: %v", err)
	}
	infos, err := shard.ListSpills(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Seq != 42 || infos[0].Epoch != 7 || infos[0].Key != ref.Key {
		t.Errorf("listed: %+v, %v", infos, err)
	}
}

func segmentsReadBack(t *testing.T, s *s3segments.Store) {
	shard := s3segments.NewShard(s, 0)
	head := &memHead{}
	var pos wal.Position
	for i := range 3000 {
		e := pos.Next(wal.KindEffects, 5, int64(i), randomBytes(i%700))
		head.entries = append(head.entries, e)
		pos = e.Position()
	}
	sealer := s3segments.NewSealer(s3segments.SealerConfig{Shard: shard, Head: head, Epoch: 5, Size: 200_000, Age: time.Hour})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- sealer.Run(ctx) }()
	sealer.Committed(pos, 1_000_000)
	if err := sealer.SealNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	infos, err := shard.List(t.Context())
	if err != nil || len(infos) < 5 {
		t.Fatalf("%d segments, %v", len(infos), err)
	}
	next := 0
	end, err := shard.Read(t.Context(), wal.Position{}, pos.Seq, func(e *wal.Entry) error {
		if want := head.entries[next]; e.Position() != want.Position() || !bytes.Equal(e.Payload, want.Payload) {
			return fmt.Errorf("entry %d is %v", want.Seq, e.Position())
		}
		next++
		return nil
	})
	if err != nil || end != pos || next != len(head.entries) {
		t.Errorf("read %d entries up to %v, %v", next, end, err)
	}
}
