package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

func put(ctx context.Context, s *S3, key, body, ifNoneMatch string) error {
	in := &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: &key, Body: strings.NewReader(body),
		Metadata: map[string]string{"first-seq": "1"},
	}
	if ifNoneMatch != "" {
		in.IfNoneMatch = &ifNoneMatch
	}
	_, err := s.Client().PutObject(ctx, in)
	return err
}

func get(ctx context.Context, s *S3, key string) (string, error) {
	out, err := s.Client().GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

// TestVersityGWDoesWhatSegmentsNeed is about the server, not about our code: it
// says which of S3's promises the tests may lean on.
func TestVersityGWDoesWhatSegmentsNeed(t *testing.T) {
	s := StartVersityGW(t)
	t.Run("conditional write", func(t *testing.T) { testConditionalWrite(t, s) })
	t.Run("concurrent conditional writes", func(t *testing.T) { testConcurrentWrites(t, s) })
	t.Run("multipart", func(t *testing.T) { testMultipart(t, s) })
	t.Run("list and delete", func(t *testing.T) { testListDelete(t, s) })
	t.Run("range, head and what is not there", func(t *testing.T) { testRead(t, s) })
	t.Run("aws command", func(t *testing.T) { testAWS(t, s) })
}

func testConditionalWrite(t *testing.T, s *S3) {
	ctx := t.Context()
	if err := put(ctx, s, "cond/a", "first", "*"); err != nil {
		t.Fatalf("first write: %v", err)
	}
	if err := put(ctx, s, "cond/a", "second", "*"); code(err) != "PreconditionFailed" {
		t.Fatalf("second write: %v, want PreconditionFailed", err)
	}
	if got, err := get(ctx, s, "cond/a"); err != nil || got != "first" {
		t.Errorf("read %q, %v", got, err)
	}
}

func testConcurrentWrites(t *testing.T, s *S3) {
	var wg sync.WaitGroup
	var won atomic.Int32
	winner := make(chan string, 16)
	for i := range cap(winner) {
		wg.Go(func() {
			body := fmt.Sprint(i)
			switch err := put(t.Context(), s, "cond/race", body, "*"); {
			case err == nil:
				won.Add(1)
				winner <- body
			case code(err) != "PreconditionFailed" && code(err) != "ConditionalRequestConflict":
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Fatalf("%d of %d conditional writes succeeded", n, cap(winner))
	}
	if got, err := get(t.Context(), s, "cond/race"); err != nil || got != <-winner {
		t.Errorf("the object is %q, %v, not the winner's", got, err)
	}
}

func testMultipart(t *testing.T, s *S3) {
	ctx, cli, key := t.Context(), s.Client(), "multi/part"
	parts := [][]byte{bytes.Repeat([]byte("a"), 5<<20), []byte("tail")}
	if err := putParts(t, s, key, parts); err != nil {
		t.Fatal(err)
	}
	got, err := get(ctx, s, key)
	if err != nil || got != string(bytes.Join(parts, nil)) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
	head, err := cli.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key})
	if err != nil || head.Metadata["engine"] != "x" {
		t.Errorf("head: %v, %v", head, err)
	}
	if err := putParts(t, s, key, [][]byte{[]byte("other")}); code(err) != "PreconditionFailed" {
		t.Errorf("a second conditional upload: %v, want PreconditionFailed", err)
	}
}

// putParts uploads an object in parts, which must not exist before.
func putParts(t *testing.T, s *S3, key string, parts [][]byte) error {
	t.Helper()
	ctx, cli := t.Context(), s.Client()
	up, err := cli.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.Bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		Metadata: map[string]string{"engine": "x"},
	})
	if err != nil {
		return err
	}
	var done []types.CompletedPart
	for i, body := range parts {
		n := aws.Int32(int32(i + 1))
		out, err := cli.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.Bucket, Key: &key, UploadId: up.UploadId, PartNumber: n,
			Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return err
		}
		if out.ChecksumCRC32 == nil {
			t.Errorf("part %d: no checksum came back", *n)
		}
		done = append(done, types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	_, err = cli.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.Bucket, Key: &key, UploadId: up.UploadId, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
	return err
}

func testListDelete(t *testing.T, s *S3) {
	ctx, cli := t.Context(), s.Client()
	const n = 25
	for i := range n {
		if err := put(ctx, s, fmt.Sprintf("list/%020d.seg", i), "x", ""); err != nil {
			t.Fatal(err)
		}
	}
	list := func() (keys []string) {
		t.Helper()
		pages := s3.NewListObjectsV2Paginator(cli, &s3.ListObjectsV2Input{
			Bucket: &s.Bucket, Prefix: aws.String("list/"), MaxKeys: aws.Int32(10),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				keys = append(keys, *o.Key)
			}
		}
		return keys
	}
	keys := list()
	if len(keys) != n {
		t.Fatalf("%d keys listed, want %d", len(keys), n)
	}
	for i, key := range keys {
		if want := fmt.Sprintf("list/%020d.seg", i); key != want {
			t.Fatalf("key %d is %s, want %s", i, key, want)
		}
	}
	var ids []types.ObjectIdentifier
	for _, key := range append(keys[1:], "list/never-there") {
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	out, err := cli.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &types.Delete{Objects: ids}})
	if err != nil || len(out.Errors) != 0 {
		t.Fatalf("delete: %v, %v", err, out)
	}
	if left := list(); len(left) != 1 || left[0] != keys[0] {
		t.Errorf("left after the delete: %q", left)
	}
	if _, err := cli.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: aws.String("list/never-there")}); err != nil {
		t.Errorf("delete of what is not there: %v", err)
	}
}

func testRead(t *testing.T, s *S3) {
	ctx, cli := t.Context(), s.Client()
	if err := put(ctx, s, "read/a", "0123456789", ""); err != nil {
		t.Fatal(err)
	}
	out, err := cli.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: aws.String("read/a"), Range: aws.String("bytes=-3")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if b, err := io.ReadAll(out.Body); err != nil || string(b) != "789" {
		t.Errorf("last three bytes: %q, %v", b, err)
	}
	head, err := cli.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: aws.String("read/a")})
	if err != nil || *head.ContentLength != 10 || head.Metadata["first-seq"] != "1" {
		t.Errorf("head: %v, %v", head, err)
	}
	if _, err := get(ctx, s, "read/none"); code(err) != "NoSuchKey" {
		t.Errorf("read of what is not there: %v", err)
	}
	if _, err := cli.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: aws.String("read/none")}); code(err) != "NotFound" {
		t.Errorf("head of what is not there: %v", err)
	}
	b, err := os.ReadFile(s.ObjectPath("read/a"))
	if err != nil || string(b) != "0123456789" {
		t.Errorf("the object's file: %q, %v", b, err)
	}
}

func testAWS(t *testing.T, s *S3) {
	if err := put(t.Context(), s, "aws/a", "hello", ""); err != nil {
		t.Fatal(err)
	}
	if got := AWS(t, s.S3Access, "s3", "cp", s.URL("aws/a"), "-"); got != "hello" {
		t.Errorf("aws s3 cp: %q", got)
	}
}

func TestVersityGWOutage(t *testing.T) {
	s := StartVersityGW(t)
	ctx := t.Context()
	if err := put(ctx, s, "a", "kept", "*"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	if _, err := get(short, s, "a"); err == nil {
		t.Error("a killed server answers")
	}
	cancel()
	s.Restart()
	if got, err := get(ctx, s, "a"); err != nil || got != "kept" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	if err := put(ctx, s, "a", "again", "*"); code(err) != "PreconditionFailed" {
		t.Errorf("conditional write after a restart: %v", err)
	}
	s.Stop()
	short, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
	if _, err := get(short, s, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read from a server that stands still: %v", err)
	}
	cancel()
	s.Cont()
	if got, err := get(ctx, s, "a"); err != nil || got != "kept" {
		t.Errorf("after Cont: %q, %v", got, err)
	}
}
