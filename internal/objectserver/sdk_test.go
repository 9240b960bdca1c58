package objectserver

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestPutGetHead(t *testing.T) {
	c := client(startServer(t, t.TempDir()))
	body := []byte("one segment, as it were")
	sum := md5.Sum(body)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	meta := map[string]string{"position": "seq 7 epoch 3", "engine": "redoubt"}

	for _, algorithm := range append([]types.ChecksumAlgorithm{""}, types.ChecksumAlgorithmCrc32.Values()[:5]...) {
		key := "shards/0000/segments/" + string(algorithm) + ".seg"
		out, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(testBucket), Key: &key, Body: bytes.NewReader(body),
			Metadata: meta, ContentType: aws.String("application/x-redoubt"), ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if aws.ToString(out.ETag) != etag {
			t.Errorf("%s: put answered ETag %s, want %s", algorithm, aws.ToString(out.ETag), etag)
		}
		got, o, err := get(t.Context(), c, key)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%s: got %q, %v", algorithm, got, err)
		}
		if aws.ToString(o.ETag) != etag || !maps.Equal(o.Metadata, meta) || aws.ToString(o.ContentType) != "application/x-redoubt" {
			t.Errorf("%s: got ETag %s metadata %v type %s", algorithm, aws.ToString(o.ETag), o.Metadata, aws.ToString(o.ContentType))
		}
		if age := time.Since(aws.ToTime(o.LastModified)); age < -2*time.Second || age > time.Minute {
			t.Errorf("%s: Last-Modified is %v away", algorithm, age)
		}
		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(testBucket), Key: &key})
		if err != nil || aws.ToInt64(head.ContentLength) != int64(len(body)) || !maps.Equal(head.Metadata, meta) {
			t.Errorf("%s: head %+v, %v", algorithm, head, err)
		}
	}
}

func TestRangeReads(t *testing.T) {
	c := client(startServer(t, t.TempDir()))
	body := []byte("0123456789")
	put(t, c, "digits", body)
	for _, tt := range []struct{ rng, want, code string }{
		{"bytes=0-0", "0", ""},
		{"bytes=3-6", "3456", ""},
		{"bytes=7-", "789", ""},
		{"bytes=-2", "89", ""},
		{"bytes=8-99", "89", ""},
		{"bytes=10-11", "", "InvalidRange"},
	} {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("digits"), Range: &tt.rng})
		if code(err) != tt.code {
			t.Errorf("%s: error %v, want %q", tt.rng, err, tt.code)
		}
		if err != nil {
			continue
		}
		got, err := io.ReadAll(out.Body)
		if err := errors.Join(err, out.Body.Close()); err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.rng, got, err, tt.want)
		}
	}
}

func TestConditionalPutHasOneWinner(t *testing.T) {
	c := client(startServer(t, t.TempDir()))
	for round := range 5 {
		key := fmt.Sprintf("race-%d", round)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: aws.String(testBucket), Key: &key, IfNoneMatch: aws.String("*"),
					Body: strings.NewReader(fmt.Sprintf("writer %d", i)),
				})
				switch code(err) {
				case "":
					won.Add(1)
				case "PreconditionFailed":
				default:
					t.Errorf("put: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d writers won, want 1", key, won.Load())
		}
	}
}

func TestIfMatch(t *testing.T) {
	c := client(startServer(t, t.TempDir()))
	put(t, c, "k", []byte("v1"))
	sum := md5.Sum([]byte("v1"))
	tag := hex.EncodeToString(sum[:])
	try := func(etag, body string) string {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("k"), IfMatch: &etag, Body: strings.NewReader(body)})
		return code(err)
	}
	if got := try(strings.Repeat("0", 32), "lost"); got != "PreconditionFailed" {
		t.Errorf("wrong ETag: %q", got)
	}
	if got := try(tag, "v2"); got != "" {
		t.Errorf("right ETag: %q", got)
	}
	if got, _, err := get(t.Context(), c, "k"); string(got) != "v2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMultipart(t *testing.T) {
	dir := t.TempDir()
	c := client(startServer(t, dir))
	big := make([]byte, 12<<20)
	fill(big, 1)
	upload := func(key string, parts [][]byte, ifNoneMatch *string) error {
		mpu, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: aws.String(testBucket), Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
			Metadata: map[string]string{"kind": "snapshot"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var done []types.CompletedPart
		for i, p := range parts {
			out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: aws.String(testBucket), Key: &key, UploadId: mpu.UploadId, PartNumber: aws.Int32(int32(i + 1)),
				Body: bytes.NewReader(p), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
			})
			if err != nil {
				t.Fatal(err)
			}
			done = append(done, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag})
		}
		_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(testBucket), Key: &key, UploadId: mpu.UploadId, IfNoneMatch: ifNoneMatch,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
		})
		return err
	}
	if err := upload("big", [][]byte{big[:5<<20], big[5<<20 : 10<<20], big[10<<20:]}, aws.String("*")); err != nil {
		t.Fatal(err)
	}
	got, o, err := get(t.Context(), c, "big")
	if err != nil || !bytes.Equal(got, big) || o.Metadata["kind"] != "snapshot" {
		t.Fatalf("read back %d bytes, metadata %v, %v", len(got), o.Metadata, err)
	}
	if err := upload("big", [][]byte{big[:5<<20]}, aws.String("*")); code(err) != "PreconditionFailed" {
		t.Errorf("completing over an object: %v", err)
	}
	if err := upload("small-parts", [][]byte{big[:1], big[1:2]}, nil); code(err) != "InvalidRequest" {
		t.Errorf("small parts: %v", err)
	}
	if got, _, _ := get(t.Context(), c, "big"); !bytes.Equal(got, big) {
		t.Error("a refused completion changed the object")
	}
}

func TestListing(t *testing.T) {
	c := client(startServer(t, t.TempDir()))
	keys := []string{"a", "b/1", "b/2", "b/c/3", "b-x", "b0", "d"}
	for _, k := range keys {
		put(t, c, k, []byte(k))
	}
	v1, err := c.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String(testBucket), Prefix: aws.String("b/"), Delimiter: aws.String("/")})
	if err != nil {
		t.Fatal(err)
	}
	if len(v1.Contents) != 2 || len(v1.CommonPrefixes) != 1 || aws.ToString(v1.CommonPrefixes[0].Prefix) != "b/c/" {
		t.Errorf("v1: %+v", v1)
	}
	var got []string
	p := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(testBucket), MaxKeys: aws.Int32(2)})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, aws.ToString(o.Key))
			if aws.ToInt64(o.Size) != int64(len(*o.Key)) || len(aws.ToString(o.ETag)) != 34 {
				t.Errorf("%s: size %d ETag %s", *o.Key, aws.ToInt64(o.Size), aws.ToString(o.ETag))
			}
		}
	}
	if want := "a b-x b/1 b/2 b/c/3 b0 d"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestDelete(t *testing.T) {
	dir := t.TempDir()
	c := client(startServer(t, dir))
	put(t, c, "x/y/1", []byte("1"))
	put(t, c, "x/y/2", []byte("2"))
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(testBucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("x/y/1")}, {Key: aws.String("x/y/2")}, {Key: aws.String("never/was")}},
	}})
	if err != nil || len(out.Deleted) != 3 || len(out.Errors) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, _, err := get(t.Context(), c, "x/y/1"); code(err) != "NoSuchKey" {
		t.Errorf("deleted object: %v", err)
	}
	if left := tree(t, dir); len(left) != 0 {
		t.Errorf("left on disk: %v", left)
	}
}

func TestRequestsMustBeSigned(t *testing.T) {
	s := startServer(t, t.TempDir())
	for _, tt := range []struct{ key, secret, code string }{
		{testKey, "wrong", "SignatureDoesNotMatch"},
		{"somebody", testSecret, "InvalidAccessKeyId"},
	} {
		c := client(s, func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(tt.key, tt.secret, "")
		})
		if _, _, err := get(t.Context(), c, "k"); code(err) != tt.code {
			t.Errorf("%s/%s: %v, want %s", tt.key, tt.secret, err, tt.code)
		}
	}
	resp, err := http.Get(s.URL() + "/" + testBucket + "/k")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %s", resp.Status)
	}
}

func TestPresignedAndVirtualHost(t *testing.T) {
	s := startServer(t, t.TempDir())
	put(t, client(s), "a key", []byte("v"))
	req, err := s3.NewPresignClient(client(s)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("a key")})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(req.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || string(got) != "v" {
		t.Errorf("presigned: %q, %v", got, err)
	}

	// <bucket>.localhost, resolved to the server whatever the resolver does.
	vhost := client(s, func(o *s3.Options) {
		o.UsePathStyle = false
		o.BaseEndpoint = aws.String(strings.Replace(s.URL(), "127.0.0.1", "localhost", 1))
		o.HTTPClient = &http.Client{Transport: dialAlways(s.addr.String())}
	})
	if got, _, err := get(t.Context(), vhost, "a key"); err != nil || string(got) != "v" {
		t.Errorf("virtual host: %q, %v", got, err)
	}
}

func TestRestartKeepsObjects(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	c := client(s)
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("k"), Body: strings.NewReader("v"), Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Dir: dir, Addr: "127.0.0.1:0", AccessKey: "a", SecretKey: "b"}); !errors.Is(err, ErrInUse) {
		t.Errorf("second server on the directory: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, o, err := get(t.Context(), client(startServer(t, dir)), "k")
	if err != nil || string(got) != "v" || o.Metadata["a"] != "b" {
		t.Errorf("after a restart: %q, %+v, %v", got, o, err)
	}
}

func fill(b []byte, seed uint64) {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b) // never fails
}
