package objectserver

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/rclone/gofakes3"
)

var (
	_ gofakes3.Backend          = (*disk)(nil)
	_ gofakes3.MultipartBackend = (*disk)(nil)
)

const lastModified = "Last-Modified" // gofakes3 keeps it with the metadata; the file's time is ours

func isNoSuchKey(err error) bool { return gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) }

// ListBuckets implements gofakes3.Backend.
func (d *disk) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var buckets []gofakes3.BucketInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || gofakes3.ValidateBucketName(e.Name()) != nil {
			continue
		}
		buckets = append(buckets, gofakes3.BucketInfo{Name: e.Name(), CreationDate: gofakes3.NewContentTime(info.ModTime())})
	}
	return buckets, nil
}

// ListBucket implements gofakes3.Backend.
func (d *disk) ListBucket(_ context.Context, bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if !d.bucketExists(bucket) {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	l := listing{d: d, bucket: bucket, after: page.Marker, max: int(page.MaxKeys)}
	if prefix != nil {
		l.prefix, l.delimiter = prefix.Prefix, prefix.Delimiter
	}
	if err := l.run(); err != nil {
		return nil, err
	}
	out := gofakes3.NewObjectList()
	for _, o := range l.objects {
		out.Add(&gofakes3.Content{
			Key:          o.key,
			LastModified: gofakes3.NewContentTime(o.modTime()),
			ETag:         `"` + o.MD5 + `"`,
			Size:         o.Size,
			StorageClass: gofakes3.StorageStandard,
		})
	}
	for _, p := range l.prefixes {
		out.AddPrefix(p)
	}
	if l.truncated {
		out.IsTruncated, out.NextMarker = true, l.last
	}
	return out, nil
}

// CreateBucket implements gofakes3.Backend.
func (d *disk) CreateBucket(_ context.Context, bucket string) error {
	if err := gofakes3.ValidateBucketName(bucket); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bucketExists(bucket) {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, bucket)
	}
	return d.mkdirAll(bucket)
}

// BucketExists implements gofakes3.Backend.
func (d *disk) BucketExists(_ context.Context, bucket string) (bool, error) {
	return d.bucketExists(bucket), nil
}

// DeleteBucket implements gofakes3.Backend.
func (d *disk) DeleteBucket(_ context.Context, bucket string) error {
	if !d.bucketExists(bucket) {
		return gofakes3.BucketNotFound(bucket)
	}
	l := listing{d: d, bucket: bucket, max: 1}
	if err := l.run(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.objects) > 0 || d.removeEmptyTree(bucket) != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, bucket)
	}
	if err := d.removeAll(metaDir + "/" + bucket); err != nil {
		return err
	}
	return d.syncDir(".")
}

// GetObject implements gofakes3.Backend.
func (d *disk) GetObject(_ context.Context, bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	f, o, err := d.open(bucket, key)
	if err != nil {
		return nil, err
	}
	got, err := want.Range(o.Size)
	if err != nil {
		_ = f.Close() // only read from
		return nil, err
	}
	out, err := o.toS3()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	out.Range = got
	section := io.NewSectionReader(f, 0, o.Size)
	if got != nil {
		section = io.NewSectionReader(f, got.Start, got.Length)
	}
	out.Contents = struct {
		io.Reader
		io.Closer
	}{section, f}
	return out, nil
}

// HeadObject implements gofakes3.Backend.
func (d *disk) HeadObject(_ context.Context, bucket, key string) (*gofakes3.Object, error) {
	o, err := d.stat(bucket, key)
	if err != nil {
		return nil, err
	}
	return o.toS3()
}

func (o object) toS3() (*gofakes3.Object, error) {
	sum, err := hex.DecodeString(o.MD5)
	if err != nil {
		return nil, err
	}
	meta := map[string]string{lastModified: o.modTime().UTC().Format(http.TimeFormat)}
	maps.Copy(meta, o.Meta)
	return &gofakes3.Object{Name: o.key, Metadata: meta, Size: o.Size, Hash: sum, Contents: http.NoBody}, nil
}

// headers is what is kept of a request's metadata.
func headers(meta map[string]string) map[string]string {
	kept := maps.Clone(meta)
	delete(kept, lastModified)
	return kept
}

// put writes an object of the given size, -1 for unknown, from in.
func (d *disk) put(ctx context.Context, bucket, key string, meta map[string]string, in io.Reader, size int64) (o object, err error) {
	if _, _, err := paths(bucket, key); err != nil {
		return object{}, err
	}
	t, err := d.newTemp()
	if err != nil {
		return object{}, err
	}
	defer func() {
		if derr := t.discard(); derr != nil {
			d.log.Warn("temporary file left behind until the next start", "file", t.name, "error", derr)
		}
	}()
	if _, err := io.Copy(t, in); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return object{}, gofakes3.ErrIncompleteBody
		}
		return object{}, err
	}
	if size >= 0 && t.size != size {
		return object{}, gofakes3.ErrIncompleteBody
	}
	return d.commit(ctx, t, bucket, key, headers(meta))
}

// PutObject implements gofakes3.Backend.
func (d *disk) PutObject(ctx context.Context, bucket, key string, meta map[string]string, in io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	_, err := d.put(ctx, bucket, key, meta, in, size)
	return gofakes3.PutObjectResult{}, err
}

// DeleteObject implements gofakes3.Backend.
func (d *disk) DeleteObject(_ context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	if !d.bucketExists(bucket) {
		return gofakes3.ObjectDeleteResult{}, gofakes3.BucketNotFound(bucket)
	}
	return gofakes3.ObjectDeleteResult{}, d.delete(bucket, key)[key]
}

// DeleteMulti implements gofakes3.Backend.
func (d *disk) DeleteMulti(_ context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	if !d.bucketExists(bucket) {
		return gofakes3.MultiDeleteResult{}, gofakes3.BucketNotFound(bucket)
	}
	failed := d.delete(bucket, keys...)
	var out gofakes3.MultiDeleteResult
	for _, key := range keys {
		if err := failed[key]; err != nil {
			r := gofakes3.ErrorResultFromError(err)
			r.Key = key
			out.Error = append(out.Error, r)
			continue
		}
		out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
	}
	return out, nil
}

// CopyObject implements gofakes3.Backend.
func (d *disk) CopyObject(ctx context.Context, srcBucket, srcKey, bucket, key string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	f, src, err := d.open(srcBucket, srcKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	defer f.Close() // only read from
	o, err := d.put(ctx, bucket, key, meta, io.NewSectionReader(f, 0, src.Size), src.Size)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	return gofakes3.CopyObjectResult{
		ETag:         `"` + o.MD5 + `"`,
		LastModified: gofakes3.NewContentTime(o.modTime().Truncate(time.Millisecond)),
	}, nil
}
