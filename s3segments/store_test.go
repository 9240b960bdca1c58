package s3segments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ url, bucket, prefix string }{
		{"s3://b", "b", ""},
		{"s3://b/", "b", ""},
		{"s3://b/p", "b", "p/"},
		{"s3://b/p/q/", "b", "p/q/"},
		{"http://b/p", "", ""},
		{"s3:///p", "", ""},
		{"s3://b/p?x=1", "", ""},
		{"b/p", "", ""},
		{"", "", ""},
	} {
		bucket, prefix, err := parseURL(tt.url)
		if bucket != tt.bucket || prefix != tt.prefix || (err != nil) != (tt.bucket == "") || (err != nil && !errors.Is(err, ErrConfig)) {
			t.Errorf("%q: %q, %q, %v", tt.url, bucket, prefix, err)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{}
	for n := 1; n < 100; n++ {
		want := 5 * time.Second
		if n < 7 {
			want = min(want, 100*time.Millisecond<<(n-1))
		}
		for range 20 {
			if d := b.after(n); d < want/2 || d > want {
				t.Errorf("after failure %d: %v, want %v at most", n, d, want)
			}
		}
	}
}

func TestRequestsAreTriedAgain(t *testing.T) {
	cfg := startS3(t)
	for _, tt := range []struct {
		name   string
		faults []fault
		tries  int
		ok     bool
	}{
		{"none", nil, 1, true},
		{"refused", []fault{refused, refused}, 3, true},
		{"500 and 503", []fault{status500, status503}, 3, true},
		{"conflict", []fault{status409}, 2, true},
		{"lost answer", []fault{lostAnswer}, 2, true},
		{"too often", []fault{refused, status500, status503, refused}, 4, false},
		{"denied", []fault{status403}, 1, false},
	} {
		cfg.Attempts = 4
		s, f := newFaulty(t, cfg)
		f.on("PUT", tt.faults...)
		err := s.Put(t.Context(), "k-"+tt.name, []byte("v"), PutOptions{IfNoneMatch: true})
		if (err == nil) != tt.ok || f.count("PUT") != tt.tries {
			t.Errorf("put, %s: %v after %d requests, want %d", tt.name, err, f.count("PUT"), tt.tries)
		}
		if _, away := s.Outage(); away == tt.ok {
			t.Errorf("put, %s: outage is %v", tt.name, away)
		}
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	cfg := startS3(t)
	body := bytes.Repeat([]byte("0123456789"), 5000)
	if err := openStore(t, cfg).Put(t.Context(), "k", body, PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []fault{refused, lostAnswer, status500, status503, cutBody, short, garbled} {
		s, f := newFaulty(t, cfg)
		f.on("GET", what)
		got, err := s.Get(t.Context(), "k")
		if err != nil || !bytes.Equal(got, body) || f.count("GET") != 2 {
			t.Errorf("get with fault %d: %d bytes, %v after %d requests", what, len(got), err, f.count("GET"))
		}
		f.on("GET", what)
		part, err := s.GetRange(t.Context(), "k", 0, 100)
		if what != garbled && (err != nil || !bytes.Equal(part, body[:100]) || f.count("GET") != 4) {
			t.Errorf("get of a range with fault %d: %d bytes, %v after %d requests", what, len(part), err, f.count("GET")-2)
		}
		f.on("List", what)
		var keys []string
		err = s.List(t.Context(), "", func(o ObjectInfo) error { keys = append(keys, o.Key); return nil })
		if what == garbled {
			continue // neither listings nor ranges have a checksum; TCP's must do
		}
		if err != nil || len(keys) != 1 || f.count("List") != 2 {
			t.Errorf("list with fault %d: %v, %v after %d requests", what, keys, err, f.count("List"))
		}
	}
}

// The answer to a conditional put is lost: its retry is refused because the
// first try went through, and must not be taken for somebody else's object.
func TestLostAnswerToConditionalPut(t *testing.T) {
	cfg := startS3(t)
	big := bytes.Repeat([]byte("x"), multipartFrom+1)
	for _, tt := range []struct {
		op   string
		body []byte
	}{{"PUT", []byte("small")}, {"CompleteMultipartUpload", big}} {
		s, f := newFaulty(t, cfg)
		f.on(tt.op, lostAnswer)
		f.on("GET", status503) // reading back may need its own retry
		if err := s.Put(t.Context(), tt.op, tt.body, PutOptions{IfNoneMatch: true}); err != nil {
			t.Errorf("%s: %v", tt.op, err)
		}
		if n := f.count("GET"); tt.op == "PUT" && n == 0 {
			t.Errorf("%s: not read back", tt.op)
		}

		// The same with somebody else's object there: never a success.
		other := bytes.Clone(tt.body)
		other[0]++
		if err := openStore(t, cfg).Put(t.Context(), "other-"+tt.op, other, PutOptions{}); err != nil {
			t.Fatal(err)
		}
		f.on(tt.op, refused)
		if err := s.Put(t.Context(), "other-"+tt.op, tt.body, PutOptions{IfNoneMatch: true}); !errors.Is(err, ErrExists) {
			t.Errorf("%s over another object: %v", tt.op, err)
		}
		if got, err := s.Get(t.Context(), "other-"+tt.op); err != nil || !bytes.Equal(got, other) {
			t.Errorf("%s over another object: the object has changed, %v", tt.op, err)
		}
	}
}

// Without an attempt of unknown outcome, an object that is there is somebody
// else's even if the bytes are the same.
func TestExistsIsNotReadBackWithoutDoubt(t *testing.T) {
	s, f := newFaulty(t, startS3(t))
	if err := s.Put(t.Context(), "k", []byte("v"), PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "k", []byte("v"), PutOptions{IfNoneMatch: true}); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if n := f.count("GET"); n != 0 {
		t.Errorf("read back %d times", n)
	}
}

func TestMultipartFaults(t *testing.T) {
	cfg := startS3(t)
	body := make([]byte, 3*minPartSize+1)
	for i := range body {
		body[i] = byte(i >> 8)
	}
	for i, tt := range []struct {
		op     string
		faults []fault
	}{
		{"CreateMultipartUpload", []fault{lostAnswer, status500}},
		{"UploadPart", []fault{refused, lostAnswer, status503, cutBody}},
		{"CompleteMultipartUpload", []fault{refused, status500, lostAnswer}},
	} {
		s, f := newFaulty(t, cfg)
		f.on(tt.op, tt.faults...)
		key := fmt.Sprintf("k%d", i)
		if err := s.Put(t.Context(), key, body, PutOptions{IfNoneMatch: true, Metadata: map[string]string{"a": "b"}}); err != nil {
			t.Errorf("%s: %v", tt.op, err)
			continue
		}
		if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: read back %d bytes, %v", tt.op, len(got), err)
		}
	}
	s, f := newFaulty(t, cfg)
	f.all("UploadPart", status403)
	if err := s.Put(t.Context(), "denied", body, PutOptions{}); err == nil || f.count("AbortMultipartUpload") != 1 {
		t.Errorf("denied: %v, %d aborts", err, f.count("AbortMultipartUpload"))
	}
}

// A restarted embedded endpoint forgets uploads in progress.
func TestForgottenUploadBeginsAgain(t *testing.T) {
	s, f := newFaulty(t, startS3(t))
	forgot := false
	f.hook = func(op, _ string) {
		if op == "CompleteMultipartUpload" && !forgot {
			forgot = true
			uploads, err := s.cli.ListMultipartUploads(context.Background(), listUploads(s))
			if err != nil || len(uploads.Uploads) != 1 {
				t.Errorf("uploads: %+v, %v", uploads, err)
				return
			}
			s.abort(context.Background(), "k", uploads.Uploads[0].UploadId)
		}
	}
	body := bytes.Repeat([]byte("y"), multipartFrom+1)
	if err := s.Put(t.Context(), "k", body, PutOptions{IfNoneMatch: true}); err != nil {
		t.Fatal(err)
	}
	if n := f.count("CreateMultipartUpload"); n != 2 {
		t.Errorf("%d uploads begun, want 2", n)
	}
	if got, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
}

func TestPutFileFromDisk(t *testing.T) {
	s := openStore(t, startS3(t))
	name := filepath.Join(t.TempDir(), "f")
	body := bytes.Repeat([]byte("0123456789abcdef"), multipartFrom/16+1)
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.PutFile(t.Context(), "f", f, int64(len(body)), PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "f"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
}

func TestPartSize(t *testing.T) {
	for _, tt := range []struct{ size, want int64 }{
		{1, minPartSize},
		{minPartSize * maxParts, minPartSize},
		{minPartSize*maxParts + 1, 2 * minPartSize},
		{5 << 40, 1 << 30},
	} {
		got := partSize(tt.size)
		if got != tt.want || (tt.size+got-1)/got > maxParts {
			t.Errorf("%d bytes: parts of %d, want %d", tt.size, got, tt.want)
		}
	}
}

func TestAttemptTimeout(t *testing.T) {
	cfg := startS3(t)
	cfg.AttemptTimeout = 200 * time.Millisecond
	cfg.Attempts = 3
	s, f := newFaulty(t, cfg)
	f.on("PUT", hang, status403)
	if err := s.Put(t.Context(), "k", []byte("v"), PutOptions{}); err == nil || errors.Is(err, errNoAnswer) || f.count("PUT") != 2 {
		t.Errorf("denied after no answer: %v after %d requests", err, f.count("PUT"))
	}
	f.all("HEAD", hang)
	if _, err := s.Head(t.Context(), "k"); !errors.Is(err, errNoAnswer) || f.count("HEAD") != 3 {
		t.Errorf("%v after %d requests", err, f.count("HEAD"))
	}
	o, away := s.Outage()
	if !away || !errors.Is(o.Err, errNoAnswer) || o.Since.IsZero() {
		t.Errorf("outage %v: %+v", away, o)
	}
}

func TestCancelEndsRetries(t *testing.T) {
	cfg := startS3(t)
	cfg.Attempts = 1 << 30
	s, f := newFaulty(t, cfg)
	f.all("", refused)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("shutting down")
	f.hook = func(string, string) {
		if f.count("PUT") == 5 {
			cancel(cause)
		}
	}
	if err := s.Put(ctx, "k", nil, PutOptions{}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if n := f.count("PUT"); n > 6 {
		t.Errorf("%d requests", n)
	}
}

func TestOutageIsFromFirstFailureToNextSuccess(t *testing.T) {
	cfg := startS3(t)
	cfg.Attempts = 2
	s, f := newFaulty(t, cfg)
	if _, away := s.Outage(); away {
		t.Error("away from the start")
	}
	f.all("", refused)
	before := time.Now()
	_ = s.Put(t.Context(), "k", nil, PutOptions{})
	first, away := s.Outage()
	if !away || first.Since.Before(before) || first.Since.After(time.Now()) || !errors.Is(first.Err, errInjected) {
		t.Errorf("after a failure: %v, %+v", away, first)
	}
	f.all("", status503)
	_ = s.Put(t.Context(), "k", nil, PutOptions{})
	if o, away := s.Outage(); !away || !o.Since.Equal(first.Since) || errors.Is(o.Err, errInjected) {
		t.Errorf("after more failures: %v, %+v", away, o)
	}
	f.all("", none)
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if o, away := s.Outage(); away {
		t.Errorf("after an answer: %+v", o)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	cfg := startS3(t)
	cfg.URL = "s3://nowhere"
	if err := openStore(t, cfg).Check(t.Context()); err == nil || !bytes.Contains([]byte(err.Error()), []byte("bucket does not exist")) {
		t.Errorf("missing bucket: %v", err)
	}
	cfg.SecretKey = "wrong"
	if err := openStore(t, cfg).Check(t.Context()); err == nil {
		t.Error("wrong credentials went through")
	}
}

func TestResolveDamagedSpill(t *testing.T) {
	s := openStore(t, startS3(t))
	shard := NewShard(s, 0)
	e := wal.Position{}.Next(wal.KindEffects, 1, 1, []byte("payload"))
	ref, err := shard.Spill(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	logged, err := wal.Decode(wal.EncodeRef(nil, e, ref))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Get(t.Context(), ref.Key)
	if err != nil {
		t.Fatal(err)
	}
	b[60] ^= 1
	if err := s.Put(t.Context(), ref.Key, b, PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := wal.Resolve(t.Context(), logged, shard); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
	if err := s.Delete(t.Context(), ref.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := wal.Resolve(t.Context(), logged, shard); !errors.Is(err, ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
}

// BeforeDelete is asked for each attempt, and what it refuses does not go out.
func TestBeforeDelete(t *testing.T) {
	errNo := errors.New("no")
	asked, answers := 0, []error{nil, nil, errNo}
	c := startS3(t)
	c.BeforeDelete = func(context.Context) error {
		asked++
		return answers[asked-1]
	}
	s, f := newFaulty(t, c)
	for _, k := range []string{"a", "b"} {
		if err := s.Put(t.Context(), k, []byte("x"), PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	f.on("DeleteObjects", status503)
	if err := s.Delete(t.Context(), "a"); err != nil || asked != 2 {
		t.Errorf("asked %d times for two attempts: %v", asked, err)
	}
	if err := s.Delete(t.Context(), "b"); !errors.Is(err, errNo) || asked != 3 || f.count("DeleteObjects") != 2 {
		t.Errorf("refused: %v, asked %d times, %d requests", err, asked, f.count("DeleteObjects"))
	}
	if _, err := s.Head(t.Context(), "b"); err != nil {
		t.Errorf("what was not to be deleted: %v", err)
	}
	if _, away := s.Outage(); away {
		t.Error("a deletion that is held back counts as an outage")
	}
}
