package s3segments

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// multipartFrom is the size in bytes above which objects go up in parts.
	multipartFrom = 16 << 20
	// minPartSize is the size in bytes of a part, unless there would be more
	// parts than S3 takes.
	minPartSize = 8 << 20
	maxParts    = 10000
	// partsInFlight is how many parts of one object go up at once.
	partsInFlight = 4
	// uploadTries is how often an upload that the server has forgotten, as a
	// restarted server may, is begun again.
	uploadTries = 3
	// abortTime bounds giving an upload up; an upload that stays costs space.
	abortTime = 5 * time.Second
)

// partSize chooses the size of the parts of an object.
func partSize(size int64) int64 {
	n := int64(minPartSize)
	for (size+n-1)/n > maxParts {
		n *= 2
	}
	return n
}

// putParts stores an object by multipart upload.
func (s *Store) putParts(ctx context.Context, key string, f io.ReaderAt, size int64, o PutOptions) error {
	unsure := false
	for try := 1; ; try++ {
		err := s.upload(ctx, key, f, size, o, &unsure)
		if !errors.Is(err, errNoUpload) || try == uploadTries {
			return err
		}
		s.log.Debug("s3 has forgotten a multipart upload, beginning again", "object", key, "try", try)
	}
}

// upload is one multipart upload. unsure is set when its completion may have
// gone through without an answer.
func (s *Store) upload(ctx context.Context, key string, f io.ReaderAt, size int64, o PutOptions, unsure *bool) (err error) {
	var id *string
	err = s.do(ctx, "CreateMultipartUpload", key, 0, func(ctx context.Context, _ *attempt) error {
		out, err := s.cli.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: s.key(key), Metadata: o.Metadata,
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err == nil {
			id = out.UploadId
		}
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && !errors.Is(err, errNoUpload) {
			s.abort(ctx, key, id)
		}
	}()
	parts, err := s.uploadParts(ctx, key, id, f, size)
	if err != nil {
		return err
	}
	return s.do(ctx, "CompleteMultipartUpload", key, 0, func(ctx context.Context, a *attempt) error {
		_, err := s.cli.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: s.key(key), UploadId: id, IfNoneMatch: o.ifNoneMatch(),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		err = answer(err)
		if *unsure && (errors.Is(err, ErrExists) || errors.Is(err, errNoUpload)) {
			if oerr := s.ours(ctx, a, key, f, size); !errors.Is(oerr, ErrExists) {
				return oerr
			}
			return err
		}
		*unsure = *unsure || (err != nil && !errors.Is(err, errNoUpload))
		return err
	})
}

// uploadParts sends the parts, several at a time.
func (s *Store) uploadParts(ctx context.Context, key string, id *string, f io.ReaderAt, size int64) ([]types.CompletedPart, error) {
	step := partSize(size)
	parts := make([]types.CompletedPart, (size+step-1)/step)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(partsInFlight)
	for i := range parts {
		g.Go(func() error {
			offset := int64(i) * step
			section := func() *io.SectionReader { return io.NewSectionReader(f, offset, min(step, size-offset)) }
			h := crc32.NewIEEE()
			if _, err := io.Copy(h, section()); err != nil {
				return fmt.Errorf("UploadPart %s: read part %d: %w", key, i+1, err)
			}
			sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
			return s.do(ctx, "UploadPart", key, section().Size(), func(ctx context.Context, _ *attempt) error {
				out, err := s.cli.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: &s.bucket, Key: s.key(key), UploadId: id, PartNumber: aws.Int32(int32(i + 1)),
					Body: section(), ContentLength: aws.Int64(section().Size()), ChecksumCRC32: &sum,
				})
				if err != nil {
					return answer(err)
				}
				parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: &sum}
				return nil
			})
		})
	}
	return parts, g.Wait()
}

// abort gives an upload up, so that its parts cost nothing. The bucket's rule
// for incomplete uploads is for those that this does not reach.
func (s *Store) abort(ctx context.Context, key string, id *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_, err := s.cli.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: s.key(key), UploadId: id})
	if err != nil && answer(err) != errNoUpload {
		s.log.Warn("multipart upload was not aborted", "object", key, "upload", aws.ToString(id), "err", err)
	}
}
