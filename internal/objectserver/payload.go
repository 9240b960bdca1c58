package objectserver

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
)

const (
	headerSHA256        = "X-Amz-Content-Sha256"
	headerDecodedLength = "X-Amz-Decoded-Content-Length"
	headerTrailer       = "X-Amz-Trailer"
	checksumPrefix      = "X-Amz-Checksum-"

	unsignedPayload = "UNSIGNED-PAYLOAD"

	maxChunkLine    = 4 << 10 // bytes of one aws-chunked header or trailer line
	maxTrailerLines = 16      // trailer lines of one request
	crc64NVME       = 0x9a6c9329ac4bc9b5
)

func newMD5() hash.Hash { return md5.New() }

// checksums are S3's algorithms, by the end of their header's name.
var checksums = map[string]func() hash.Hash{
	"Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(crc64NVME)) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

// expectation is one checksum a payload must have.
type expectation struct {
	name string
	hash hash.Hash
	want []byte // nil until the trailer was read
}

// verifyPayload makes r.Body fail at its end unless the payload is what the
// client says it sent, and takes aws-chunked encoding off it. The request's
// signature must have been checked: it covers the headers changed here.
func verifyPayload(r *http.Request) error {
	sha := r.Header.Get(headerSHA256)
	body := &payload{body: r.Body, remain: r.ContentLength}
	switch {
	case strings.HasPrefix(sha, "STREAMING-"):
		if err := body.unchunk(r, strings.HasSuffix(sha, "-TRAILER")); err != nil {
			return err
		}
	case sha != "" && sha != unsignedPayload:
		want, err := hex.DecodeString(sha)
		if err != nil || len(want) != sha256.Size {
			return gofakes3.ErrorInvalidArgument(headerSHA256, sha, "not a SHA-256 in hexadecimal, "+unsignedPayload+" or STREAMING-...")
		}
		body.expect = append(body.expect, &expectation{headerSHA256, sha256.New(), want})
	}
	// gofakes3 checks these headers of whole objects, but not of parts.
	if r.Method == http.MethodPut && r.URL.Query().Has("uploadId") {
		if err := body.expectHeaders(r.Header); err != nil {
			return err
		}
	}
	if body.chunks != nil || len(body.expect) > 0 {
		r.Body = body
	}
	return nil
}

// unchunk prepares to take aws-chunked encoding off the body.
func (p *payload) unchunk(r *http.Request, trailer bool) error {
	n, err := strconv.ParseInt(r.Header.Get(headerDecodedLength), 10, 64)
	if err != nil || n < 0 {
		return gofakes3.ErrMissingContentLength
	}
	p.remain = n
	p.chunks = bufio.NewReaderSize(r.Body, maxChunkLine)
	if name := textproto.CanonicalMIMEHeaderKey(r.Header.Get(headerTrailer)); trailer && name != "" {
		algorithm, ok := checksums[strings.TrimPrefix(name, checksumPrefix)]
		if !ok {
			return gofakes3.ErrorInvalidArgument(headerTrailer, name, "not a checksum this server knows")
		}
		p.expect = append(p.expect, &expectation{name, algorithm(), nil})
	}
	// What follows must not take the encoding off again.
	r.Header.Set(headerSHA256, unsignedPayload)
	r.Header.Del(headerDecodedLength)
	r.ContentLength = n
	r.Header.Set("Content-Length", strconv.FormatInt(n, 10))
	return nil
}

func (p *payload) expectHeaders(h http.Header) error {
	for suffix, algorithm := range checksums {
		value := h.Get(checksumPrefix + suffix)
		if value == "" {
			continue
		}
		e := &expectation{checksumPrefix + suffix, algorithm(), nil}
		want, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(want) != e.hash.Size() {
			return gofakes3.ErrorInvalidArgument(e.name, value, "not a checksum in base64")
		}
		e.want = want
		p.expect = append(p.expect, e)
	}
	return nil
}

// payload is a request body that verifies itself. The read that returns its
// last byte also returns the verdict, because readers that know the length
// never ask for the end of file.
type payload struct {
	body   io.ReadCloser
	chunks *bufio.Reader // set when the body is aws-chunked
	chunk  int64         // bytes left in the current chunk
	begun  bool          // a chunk was begun
	remain int64         // payload bytes left, -1 when not known
	expect []*expectation
	err    error // of every further read
}

func (p *payload) Close() error { return p.body.Close() }

func (p *payload) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.remain >= 0 && int64(len(b)) > p.remain {
		b = b[:p.remain]
	}
	n, err := p.read(b)
	for _, e := range p.expect {
		e.hash.Write(b[:n])
	}
	if p.remain >= 0 {
		p.remain -= int64(n)
		switch {
		case p.remain == 0:
			err = p.finish()
		case err == io.EOF:
			err = gofakes3.ErrIncompleteBody
		}
	} else if err == io.EOF {
		err = p.finish()
	}
	p.err = err
	return n, err
}

// read reads payload bytes: as they come, or out of the chunks.
func (p *payload) read(b []byte) (int, error) {
	if p.chunks == nil || len(b) == 0 {
		return p.body.Read(b)
	}
	for p.chunk == 0 {
		if err := p.nextChunk(); err != nil {
			return 0, err
		}
		if p.chunk == 0 {
			return 0, io.EOF
		}
	}
	n, err := p.chunks.Read(b[:min(int64(len(b)), p.chunk)])
	p.chunk -= int64(n)
	return n, err
}

// nextChunk reads a chunk's header: its length in hexadecimal, then maybe its
// signature.
func (p *payload) nextChunk() error {
	if p.begun {
		if line, err := p.line(); err != nil || line != "" {
			return errors.Join(err, gofakes3.ErrIncompleteBody)
		}
	}
	p.begun = true
	line, err := p.line()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
	if err != nil {
		return gofakes3.ErrorMessagef(gofakes3.ErrInvalidRequest, "aws-chunked: %q is no chunk length", size)
	}
	p.chunk = int64(n)
	return nil
}

// line reads a line of bounded length, without its end.
func (p *payload) line() (string, error) {
	b, err := p.chunks.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", gofakes3.ErrorMessage(gofakes3.ErrInvalidRequest, "aws-chunked: line too long")
	}
	if err == io.EOF && len(b) > 0 {
		err = nil // S3 takes a last line without its end
	}
	return strings.TrimRight(string(b), "\r\n"), err
}

// finish reads what follows the last byte and returns io.EOF if all is well.
func (p *payload) finish() error {
	if p.chunks != nil {
		if err := p.readTrailer(); err != nil {
			return err
		}
	}
	for _, e := range p.expect {
		if e.want == nil {
			return gofakes3.ErrorMessagef(gofakes3.ErrInvalidRequest, "the trailer %s was announced and not sent", e.name)
		}
		if !bytes.Equal(e.hash.Sum(nil), e.want) {
			return gofakes3.ErrorMessagef(gofakes3.ErrBadDigest, "the payload does not have the %s it was sent with", e.name)
		}
	}
	return io.EOF
}

func (p *payload) readTrailer() error {
	if p.chunk == 0 {
		if err := p.nextChunk(); err != nil {
			return gofakes3.ErrIncompleteBody
		}
	}
	if p.chunk != 0 {
		return gofakes3.ErrorMessage(gofakes3.ErrInvalidRequest, "aws-chunked: more bytes than "+headerDecodedLength+" says")
	}
	for range maxTrailerLines {
		line, err := p.line()
		if err != nil && err != io.EOF {
			return err
		}
		if line == "" || err == io.EOF {
			return nil
		}
		name, value, _ := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		for _, e := range p.expect {
			if e.name != name {
				continue
			}
			if e.want, err = base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err != nil {
				return gofakes3.ErrorInvalidArgument(name, value, "not a checksum in base64")
			}
		}
	}
	return gofakes3.ErrorMessage(gofakes3.ErrInvalidRequest, "aws-chunked: too many trailers")
}
