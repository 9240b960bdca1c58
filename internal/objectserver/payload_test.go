package objectserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rclone/gofakes3"
)

func crc32Base64(b string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(b))))
}

func sha(b string) string {
	s := sha256.Sum256([]byte(b))
	return hex.EncodeToString(s[:])
}

func TestVerifyPayload(t *testing.T) {
	const streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	crc := crc32Base64("hello")
	for _, tt := range []struct {
		name, body string
		url        string
		headers    map[string]string
		want       string
		err        gofakes3.ErrorCode
	}{
		{name: "plain", body: "hello", headers: map[string]string{headerSHA256: sha("hello")}, want: "hello"},
		{name: "unsigned", body: "hello", headers: map[string]string{headerSHA256: unsignedPayload}, want: "hello"},
		{name: "altered", body: "jello", headers: map[string]string{headerSHA256: sha("hello")}, err: gofakes3.ErrBadDigest},
		{name: "no hash", body: "hello", headers: map[string]string{headerSHA256: "nonsense"}, err: gofakes3.ErrInvalidArgument},
		{name: "part", url: "?uploadId=1&partNumber=1", body: "hello", headers: map[string]string{"X-Amz-Checksum-Crc32": crc}, want: "hello"},
		{name: "altered part", url: "?uploadId=1&partNumber=1", body: "jello", headers: map[string]string{"X-Amz-Checksum-Crc32": crc}, err: gofakes3.ErrBadDigest},
		{name: "bad checksum", url: "?uploadId=1&partNumber=1", body: "hello", headers: map[string]string{"X-Amz-Checksum-Crc32": "AA=="}, err: gofakes3.ErrInvalidArgument},
		{name: "chunks", body: "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:" + crc + "\r\n\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5", headerTrailer: "x-amz-checksum-crc32"}, want: "hello"},
		{name: "signed chunks", body: "5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n",
			headers: map[string]string{headerSHA256: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headerDecodedLength: "5"}, want: "hello"},
		{name: "altered chunks", body: "5\r\njello\r\n0\r\nx-amz-checksum-crc32:" + crc + "\r\n\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5", headerTrailer: "x-amz-checksum-crc32"}, err: gofakes3.ErrBadDigest},
		{name: "no trailer", body: "5\r\nhello\r\n0\r\n\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5", headerTrailer: "x-amz-checksum-crc32"}, err: gofakes3.ErrInvalidRequest},
		{name: "cut", body: "5\r\nhel",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrIncompleteBody},
		{name: "cut before the trailer", body: "5\r\nhello\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrIncompleteBody},
		{name: "too long", body: "6\r\nhello!\r\n0\r\n\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrInvalidRequest},
		{name: "too short", body: "4\r\nhell\r\n0\r\n\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrIncompleteBody},
		{name: "no length", body: "0\r\n\r\n", headers: map[string]string{headerSHA256: streaming}, err: gofakes3.ErrMissingContentLength},
		{name: "huge chunk", body: "fffffffffffffffff\r\n",
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrInvalidRequest},
		{name: "endless line", body: strings.Repeat("0", 2*maxChunkLine),
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrInvalidRequest},
		{name: "endless trailers", body: "5\r\nhello\r\n0\r\n" + strings.Repeat("a:b\r\n", 100),
			headers: map[string]string{headerSHA256: streaming, headerDecodedLength: "5"}, err: gofakes3.ErrInvalidRequest},
	} {
		for _, slow := range []bool{false, true} {
			var body io.Reader = strings.NewReader(tt.body)
			if slow {
				body = iotest.OneByteReader(body)
			}
			r := httptest.NewRequest(http.MethodPut, "/b/k"+tt.url, body)
			r.ContentLength = int64(len(tt.body))
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			got, err := readAll(r)
			if tt.err != "" && !gofakes3.HasErrorCode(err, tt.err) || tt.err == "" && (err != nil || got != tt.want) {
				t.Errorf("%s: %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.err)
			}
		}
	}
}

// readAll reads as gofakes3 does: never beyond the length it knows.
func readAll(r *http.Request) (string, error) {
	if err := verifyPayload(r); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
	return string(b), err
}

func FuzzChunkedPayload(f *testing.F) {
	f.Add([]byte("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), int64(5))
	f.Add([]byte("5;chunk-signature=00\r\nhello\r\n0\r\n\r\n"), int64(5))
	f.Add([]byte("7fffffffffffffff\r\n"), int64(1)<<62)
	f.Fuzz(func(t *testing.T, body []byte, length int64) {
		r := httptest.NewRequest(http.MethodPut, "/b/k", bytes.NewReader(body))
		r.Header.Set(headerSHA256, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.Header.Set(headerDecodedLength, fmt.Sprint(length))
		if verifyPayload(r) != nil {
			return
		}
		got, err := io.ReadAll(r.Body)
		if len(got) > len(body) || (err == nil && length > 0 && int64(len(got)) != length) {
			t.Fatalf("%d bytes of %d, out of %d: %v", len(got), length, len(body), err)
		}
	})
}

// The SDK streams with a trailer only over TLS, so the request is made here.
func TestStreamingUploadWithTrailer(t *testing.T) {
	s := startServer(t, t.TempDir())
	send := func(trailer string) int {
		body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + trailer + "\r\n\r\n"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+"/"+testBucket+"/k", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		const sum = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		for k, v := range map[string]string{
			headerSHA256: sum, headerDecodedLength: "5", headerTrailer: "x-amz-checksum-crc32",
			"Content-Encoding": "aws-chunked", "X-Amz-Meta-A": "b",
		} {
			req.Header.Set(k, v)
		}
		err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, sum, "s3", "us-east-1", time.Now(),
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := send(crc32Base64("jello")); got != http.StatusBadRequest {
		t.Errorf("wrong checksum: status %d", got)
	}
	if _, _, err := get(t.Context(), client(s), "k"); code(err) != "NoSuchKey" {
		t.Errorf("refused upload left: %v", err)
	}
	if got := send(crc32Base64("hello")); got != http.StatusOK {
		t.Errorf("right checksum: status %d", got)
	}
	got, o, err := get(t.Context(), client(s), "k")
	if err != nil || string(got) != "hello" || o.Metadata["a"] != "b" || aws.ToString(o.ContentEncoding) != "" {
		t.Errorf("%q, %+v, %v", got, o, err)
	}
}
