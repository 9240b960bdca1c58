package s3segments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/redoubtdb/redoubt/wal"
)

var (
	errBody     = errors.New("s3segments: response body was cut or damaged")
	errChecksum = errors.New("s3segments: response body has another checksum")
	errNoUpload = errors.New("s3segments: multipart upload is gone")
	errRange    = errors.New("s3segments: range lies beyond the object's end")
	errHeldBack = errors.New("s3segments: not sent")
)

// ObjectInfo describes an object.
type ObjectInfo struct {
	Key          string // relative to the cluster's prefix
	Size         int64  // bytes
	ETag         string
	LastModified time.Time
	Metadata     map[string]string // user metadata; not set by List
}

// PutOptions tunes Put and PutFile.
type PutOptions struct {
	// IfNoneMatch makes the Put fail with ErrExists if there is another object
	// under the key already.
	IfNoneMatch bool
	// Metadata is user metadata; S3 keeps names in lower case, and takes up to
	// 2 KB of US-ASCII.
	Metadata map[string]string
}

func (o PutOptions) ifNoneMatch() *string {
	if o.IfNoneMatch {
		return aws.String("*")
	}
	return nil
}

// Put stores body under key, durably once it returns nil. Bodies larger than
// 16 MiB go up in parts. With IfNoneMatch, a retry that finds what an earlier
// attempt of the same call has stored is a success. Errors: ErrExists.
func (s *Store) Put(ctx context.Context, key string, body []byte, o PutOptions) error {
	return s.PutFile(ctx, key, bytes.NewReader(body), int64(len(body)), o)
}

// PutFile is Put with size bytes of f, an *os.File say, which is read several
// times and in several places at once.
func (s *Store) PutFile(ctx context.Context, key string, f io.ReaderAt, size int64, o PutOptions) error {
	if size > multipartFrom {
		return s.putParts(ctx, key, f, size, o)
	}
	unsure := false // an attempt whose outcome is not known may have stored it
	return s.do(ctx, "PutObject", key, size, func(ctx context.Context, a *attempt) error {
		_, err := s.cli.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: s.key(key),
			Body: io.NewSectionReader(f, 0, size), ContentLength: &size,
			Metadata: o.Metadata, IfNoneMatch: o.ifNoneMatch(),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		err = answer(err)
		if unsure && errors.Is(err, ErrExists) {
			return s.ours(ctx, a, key, f, size)
		}
		unsure = unsure || err != nil
		return err
	})
}

// ours finds out what became of an attempt of unknown outcome: nil when the
// object is what was being stored, ErrExists when it is another or none.
func (s *Store) ours(ctx context.Context, a *attempt, key string, f io.ReaderAt, size int64) error {
	same, err := s.holds(ctx, a, key, f, size)
	if errors.Is(err, ErrNotFound) || (err == nil && !same) {
		return ErrExists
	}
	return err
}

// holds reports whether the object under key is size bytes of f.
func (s *Store) holds(ctx context.Context, a *attempt, key string, f io.ReaderAt, size int64) (bool, error) {
	a.allow(s.timeout + transferTime(size))
	out, err := s.cli.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key)})
	if err != nil {
		return false, answer(err)
	}
	defer out.Body.Close() // only read from
	if aws.ToInt64(out.ContentLength) != size {
		return false, nil
	}
	return sameBytes(out.Body, io.NewSectionReader(f, 0, size))
}

// sameBytes compares an object's body with what it should be.
func sameBytes(body, want io.Reader) (bool, error) {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(want, b)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		m, berr := io.ReadFull(body, a[:n])
		if berr != nil && berr != io.EOF {
			return false, fmt.Errorf("%w: %w", errBody, berr)
		}
		if !bytes.Equal(a[:m], b[:n]) {
			return false, nil
		}
		if err != nil {
			// The end of what was wanted: the body must end too, with its checksum.
			if _, err := body.Read(a[:1]); err != io.EOF {
				return false, fmt.Errorf("%w: %w", errBody, err)
			}
			return true, nil
		}
	}
}

// Get reads a whole object. Errors: ErrNotFound, ErrDamaged.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	b, _, err := s.get(ctx, key, nil)
	return b, err
}

// GetRange reads n bytes of an object from offset, fewer at its end. Errors:
// ErrNotFound, ErrDamaged.
func (s *Store) GetRange(ctx context.Context, key string, offset, n int64) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	b, _, err := s.get(ctx, key, aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+n-1)))
	if errors.Is(err, errRange) {
		return nil, nil
	}
	return b, err
}

// maxMismatches is how often a body may have another checksum than S3 says before
// it is the object that is damaged, and not what came over the network.
const maxMismatches = 3

func (s *Store) get(ctx context.Context, key string, byteRange *string) (body []byte, info ObjectInfo, err error) {
	mismatches := 0
	err = s.do(ctx, "GetObject", key, 0, func(ctx context.Context, a *attempt) error {
		out, err := s.cli.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key), Range: byteRange})
		if err != nil {
			return answer(err)
		}
		defer out.Body.Close() // only read from
		n := aws.ToInt64(out.ContentLength)
		a.allow(s.timeout + transferTime(n))
		if body, err = readBody(out.Body, n); errors.Is(err, errChecksum) {
			if mismatches++; mismatches >= min(maxMismatches, s.attempts) {
				return fmt.Errorf("%w (%w): %w", ErrDamaged, wal.ErrCorrupt, err)
			}
		}
		if err != nil {
			return err
		}
		info = ObjectInfo{Key: key, Size: n, ETag: aws.ToString(out.ETag), LastModified: aws.ToTime(out.LastModified), Metadata: out.Metadata}
		return nil
	})
	return body, info, err
}

// readBody reads a body of n bytes, trusting n only as far as bytes arrive.
func readBody(r io.Reader, n int64) ([]byte, error) {
	const trusted = 16 << 20
	var b bytes.Buffer
	b.Grow(int(min(max(n, 0), trusted)) + bytes.MinRead)
	got, err := b.ReadFrom(r)
	if err != nil && n > 0 && got == n {
		// All is there: what fails is the SDK's comparison of the checksums.
		return nil, fmt.Errorf("%w: %w", errChecksum, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if got != n {
		return nil, fmt.Errorf("%w: %d bytes of %d", errBody, got, n)
	}
	return b.Bytes(), nil
}

// Head describes an object, with its metadata. Errors: ErrNotFound.
func (s *Store) Head(ctx context.Context, key string) (info ObjectInfo, err error) {
	err = s.do(ctx, "HeadObject", key, 0, func(ctx context.Context, _ *attempt) error {
		out, err := s.cli.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: s.key(key)})
		if err != nil {
			return answer(err)
		}
		info = ObjectInfo{
			Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag),
			LastModified: aws.ToTime(out.LastModified), Metadata: out.Metadata,
		}
		return nil
	})
	return info, err
}

// List calls fn for the objects whose keys start with prefix, in the order of
// their keys. An error of fn ends it and is returned as it is.
func (s *Store) List(ctx context.Context, prefix string, fn func(ObjectInfo) error) error {
	var token *string
	for {
		var page *s3.ListObjectsV2Output
		err := s.do(ctx, "ListObjectsV2", prefix, 0, func(ctx context.Context, _ *attempt) (err error) {
			page, err = s.cli.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.key(prefix), ContinuationToken: token})
			return err
		})
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			info := ObjectInfo{
				Key:  strings.TrimPrefix(aws.ToString(o.Key), s.prefix),
				Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), LastModified: aws.ToTime(o.LastModified),
			}
			if err := fn(info); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		if token = page.NextContinuationToken; aws.ToString(token) == "" {
			return fmt.Errorf("ListObjectsV2 %s: %w: a page that is not the last has no token", prefix, errBody)
		}
	}
}

// maxDelete is how many keys one DeleteObjects takes.
const maxDelete = 1000

// Delete removes objects; that one is not there is no error.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	for len(keys) > 0 {
		n := min(len(keys), maxDelete)
		if err := s.deleteBatch(ctx, keys[:n]); err != nil {
			errs = append(errs, err)
		}
		keys = keys[n:]
	}
	return errors.Join(errs...)
}

func (s *Store) deleteBatch(ctx context.Context, keys []string) error {
	ids := make([]types.ObjectIdentifier, len(keys))
	for i, k := range keys {
		ids[i].Key = s.key(k)
	}
	what := keys[0]
	if len(keys) > 1 {
		what = fmt.Sprintf("%s and %d more", what, len(keys)-1)
	}
	return s.do(ctx, "DeleteObjects", what, 0, func(ctx context.Context, _ *attempt) error {
		out, err := s.cli.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}}, s.askBefore)
		if err != nil {
			return err
		}
		var errs []error
		for _, e := range out.Errors {
			errs = append(errs, fmt.Errorf("%s: %w", strings.TrimPrefix(aws.ToString(e.Key), s.prefix),
				&smithy.GenericAPIError{Code: aws.ToString(e.Code), Message: aws.ToString(e.Message)}))
		}
		return errors.Join(errs...)
	})
}

// askBefore lets Config.BeforeDelete stop a request that is signed.
func (s *Store) askBefore(o *s3.Options) {
	if s.beforeDelete == nil {
		return
	}
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("BeforeDelete",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
				if err := s.beforeDelete(ctx); err != nil {
					return out, md, fmt.Errorf("%w: %w", errHeldBack, err)
				}
				return next.HandleFinalize(ctx, in)
			}), "Signing", middleware.After)
	})
}

// answer turns the SDK's errors that answer the question into our own.
func answer(err error) error {
	var api smithy.APIError
	var resp *smithyhttp.ResponseError
	if !errors.As(err, &api) {
		return err
	}
	status := 0
	if errors.As(err, &resp) && resp.Response != nil {
		status = resp.HTTPStatusCode()
	}
	switch code := api.ErrorCode(); {
	case code == "NoSuchBucket":
		return err
	case code == "NoSuchUpload":
		return errNoUpload
	case code == "NoSuchKey" || status == http.StatusNotFound:
		return ErrNotFound
	case code == "PreconditionFailed" || status == http.StatusPreconditionFailed:
		return ErrExists
	case code == "InvalidRange" || status == http.StatusRequestedRangeNotSatisfiable:
		return errRange
	}
	return err
}
