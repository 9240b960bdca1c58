package s3segments

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/wal"
)

const testCluster = "test"

// startS3 starts the embedded endpoint and returns a Config for it.
func startS3(t *testing.T) Config {
	t.Helper()
	s, err := objectserver.Start(t.Context(), objectserver.Config{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Bucket: "bucket", AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close S3: %v", err)
		}
	})
	return Config{
		URL: "s3://bucket/some/prefix", Cluster: testCluster, Endpoint: s.URL(), PathStyle: true,
		AccessKey: "key", SecretKey: "secret",
	}
}

// openStore opens a Store with short pauses between its attempts.
func openStore(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.backoff = backoff{first: time.Millisecond, max: 2 * time.Millisecond}
	return s
}

// newFaulty is a Store whose requests go through a faulty transport.
func newFaulty(t *testing.T, c Config) (*Store, *faults) {
	t.Helper()
	f := &faults{next: &http.Transport{}}
	c.Transport = f
	return openStore(t, c), f
}

// fault is something that happens to a request.
type fault int

const (
	none       fault = iota
	refused          // it does not reach the server
	lostAnswer       // it does, and the answer is lost
	status500
	status503
	status409
	status403
	hang    // no answer until the client gives up
	cutBody // the answer breaks off in the middle
	short   // the answer ends in the middle as if that were all
	garbled // one bit of the answer is another
)

var errInjected = errors.New("injected fault")

// faults is a transport that injects faults, operation by operation.
type faults struct {
	next *http.Transport

	mu     sync.Mutex
	script map[string][]fault // by operation, in order
	always map[string]fault
	log    []string
	hook   func(op, key string) // before a request goes out
}

// on makes the next requests of an operation meet faults, one each.
func (f *faults) on(op string, faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.script == nil {
		f.script = map[string][]fault{}
	}
	f.script[op] = append(f.script[op], faults...)
}

// all makes every request of an operation, "" for any, meet a fault.
func (f *faults) all(op string, what fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.always == nil {
		f.always = map[string]fault{}
	}
	f.always[op] = what
}

// count is how many requests of an operation were made.
func (f *faults) count(op string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.log {
		if o == op {
			n++
		}
	}
	return n
}

func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("uploads") && r.Method == http.MethodPost:
		return "CreateMultipartUpload"
	case q.Has("uploadId") && r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	case q.Has("uploadId") && r.Method == http.MethodPut:
		return "UploadPart"
	case q.Has("uploadId"):
		return "AbortMultipartUpload"
	case q.Has("list-type"):
		return "List"
	case q.Has("delete"):
		return "DeleteObjects"
	}
	return r.Method
}

func (f *faults) choose(op string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, op)
	if s := f.script[op]; len(s) > 0 {
		f.script[op] = s[1:]
		return s[0]
	}
	if what := f.always[op]; what != none {
		return what
	}
	return f.always[""]
}

// CloseIdleConnections is what http.Client looks for.
func (f *faults) CloseIdleConnections() { f.next.CloseIdleConnections() }

// RoundTrip implements http.RoundTripper.
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	op := operation(r)
	what := f.choose(op)
	if f.hook != nil {
		f.hook(op, r.URL.Path)
	}
	switch what {
	case refused:
		return nil, errInjected
	case hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case status500, status503, status409, status403:
		return errorAnswer(r, what)
	}
	resp, err := f.next.RoundTrip(r)
	if err != nil || what == none {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	switch what {
	case lostAnswer:
		return nil, errInjected
	case garbled:
		body = bytes.Clone(body)
		body[len(body)/2] ^= 4
		resp.Body = io.NopCloser(bytes.NewReader(body))
	case short:
		resp.Body = io.NopCloser(bytes.NewReader(body[:len(body)/2]))
	case cutBody:
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	}
	return resp, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func errorAnswer(r *http.Request, what fault) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	status, code := 500, "InternalError"
	switch what {
	case status503:
		status, code = 503, "SlowDown"
	case status409:
		status, code = 409, "ConditionalRequestConflict"
	case status403:
		status, code = 403, "AccessDenied"
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/xml"}},
		Body:   io.NopCloser(strings.NewReader("<Error><Code>" + code + "</Code><Message>injected</Message></Error>")),
	}, nil
}

// history is a run of entries that chain, after a position.
func history(after wal.Position, epoch int64, n int, size func(i int) int) []*wal.Entry {
	rng := rand.New(rand.NewPCG(uint64(n), after.Seq))
	entries := make([]*wal.Entry, n)
	for i := range entries {
		payload := make([]byte, size(i))
		for j := range payload {
			payload[j] = byte(rng.Uint32() & 0x3f) // compresses somewhat, as text does
		}
		kind := wal.KindEffects
		if i == 0 {
			kind = wal.KindEpochOpened
		}
		entries[i] = after.Next(kind, epoch, 1_700_000_000_000+int64(i), payload)
		after = entries[i].Position()
	}
	return entries
}

func small(int) int { return 100 }

// segmentOf packs entries that follow base.
func segmentOf(t testing.TB, base wal.Position, epoch int64, entries []*wal.Entry) ([]byte, Header) {
	t.Helper()
	w := NewWriter(Header{Cluster: testCluster, Shard: 0, Epoch: epoch, Base: base, Created: time.UnixMilli(1_700_000_000_000)})
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	b, h, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return b, h
}

// putSegment uploads entries as a segment of shard 0 and returns its key.
func putSegment(t testing.TB, s *Store, base wal.Position, epoch int64, entries []*wal.Entry) string {
	t.Helper()
	b, h := segmentOf(t, base, epoch, entries)
	key := segmentKey(0, h.First(), h.Last(), epoch)
	if err := s.Put(t.Context(), key, b, PutOptions{Metadata: h.metadata(b)}); err != nil {
		t.Fatal(err)
	}
	return key
}

func listUploads(s *Store) *s3.ListMultipartUploadsInput {
	return &s3.ListMultipartUploadsInput{Bucket: &s.bucket}
}
