package objectserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
)

const (
	// minPart is the smallest part S3 takes, except as the last one, in bytes.
	minPart = 5 << 20
	// uploadLife is after how long without a new part an upload is given up.
	uploadLife = 24 * time.Hour
)

// uploads is the multipart uploads in progress.
type uploads struct {
	mu sync.Mutex
	m  map[gofakes3.UploadID]*upload
}

// upload is one multipart upload. Its parts are files in its own directory.
type upload struct {
	dir         string
	bucket, key string
	headers     map[string]string

	mu     sync.Mutex
	parts  map[int]part
	nextID int
	used   time.Time
	done   bool // completed or aborted
}

type part struct {
	file string
	size int64
	md5  string
}

// CreateMultipartUpload implements gofakes3.MultipartBackend.
func (d *disk) CreateMultipartUpload(_ context.Context, bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	if _, _, err := paths(bucket, key); err != nil {
		return "", err
	}
	d.expireUploads(time.Now().Add(-uploadLife))
	id := gofakes3.UploadID(strings.ToLower(rand.Text()))
	u := &upload{
		dir:    uploadDir + "/" + string(id),
		bucket: bucket, key: key, headers: headers(meta),
		parts: map[int]part{}, used: time.Now(),
	}
	if err := d.mkdirAll(u.dir); err != nil {
		return "", err
	}
	d.uploads.mu.Lock()
	defer d.uploads.mu.Unlock()
	if d.uploads.m == nil {
		d.uploads.m = map[gofakes3.UploadID]*upload{}
	}
	d.uploads.m[id] = u
	return id, nil
}

// expireUploads gives up the uploads not used since a time.
func (d *disk) expireUploads(before time.Time) {
	for id, u := range d.uploads.all() {
		u.mu.Lock()
		if old := u.used.Before(before); old && !u.done {
			u.done = true
			if err := d.dropUpload(id, u); err != nil {
				d.log.Warn("abandoned upload stays until the next start", "upload", id, "error", err)
			}
		}
		u.mu.Unlock()
	}
}

func (us *uploads) all() map[gofakes3.UploadID]*upload {
	us.mu.Lock()
	defer us.mu.Unlock()
	all := make(map[gofakes3.UploadID]*upload, len(us.m))
	for id, u := range us.m {
		all[id] = u
	}
	return all
}

func (us *uploads) get(bucket, key string, id gofakes3.UploadID) (*upload, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u, ok := us.m[id]
	if !ok || u.bucket != bucket || u.key != key {
		return nil, gofakes3.ErrNoSuchUpload
	}
	return u, nil
}

// dropUpload forgets an upload and its parts. The caller has u.mu.
func (d *disk) dropUpload(id gofakes3.UploadID, u *upload) error {
	d.uploads.mu.Lock()
	delete(d.uploads.m, id)
	d.uploads.mu.Unlock()
	return d.removeAll(u.dir)
}

// UploadPart implements gofakes3.MultipartBackend. Parts are not fsynced: they
// do not outlive the process, and the completed object is.
func (d *disk) UploadPart(_ context.Context, bucket, key string, id gofakes3.UploadID, number int, size int64, body io.Reader) (string, error) {
	u, err := d.uploads.get(bucket, key, id)
	if err != nil {
		return "", err
	}
	u.mu.Lock()
	u.nextID++
	u.used = time.Now()
	name := fmt.Sprintf("%s/%05d-%d", u.dir, number, u.nextID)
	u.mu.Unlock()

	p, err := d.writePart(name, body)
	if err == nil && p.size != size {
		err = gofakes3.ErrIncompleteBody
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil && u.done {
		err = gofakes3.ErrNoSuchUpload
	}
	drop := p.file
	if err == nil {
		drop = u.parts[number].file // the part this one replaces
		u.parts[number] = p
	}
	if drop != "" {
		if rerr := d.remove(drop); rerr != nil && !isAbsent(rerr) {
			d.log.Warn("part stays until its upload ends", "file", drop, "error", rerr)
		}
	}
	return `"` + p.md5 + `"`, err
}

func (d *disk) writePart(name string, body io.Reader) (part, error) {
	f, err := d.create(name)
	if err != nil {
		return part{}, err
	}
	t := temp{d: d, file: f, name: name, md5: newMD5()}
	_, err = io.Copy(&t, body)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return part{file: name, size: t.size, md5: hex.EncodeToString(t.md5.Sum(nil))}, err
}

// CompleteMultipartUpload implements gofakes3.MultipartBackend.
func (d *disk) CompleteMultipartUpload(ctx context.Context, bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	u, err := d.uploads.get(bucket, key, id)
	if err != nil {
		return "", "", err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	parts, err := u.choose(in.Parts)
	if err != nil {
		return "", "", err
	}
	r := &partsReader{d: d, parts: parts}
	o, err := d.put(ctx, bucket, key, u.headers, r, -1)
	r.close()
	if err != nil {
		return "", "", err
	}
	u.done = true
	if err := d.dropUpload(id, u); err != nil {
		d.log.Warn("parts of a completed upload stay until the next start", "upload", id, "error", err)
	}
	return "", `"` + o.MD5 + `"`, nil
}

// choose matches the parts a client lists with those it has uploaded.
func (u *upload) choose(listed []gofakes3.CompletedPart) ([]part, error) {
	if len(listed) == 0 {
		return nil, gofakes3.ErrMalformedXML
	}
	parts := make([]part, 0, len(listed))
	for i, l := range listed {
		if i > 0 && l.PartNumber <= listed[i-1].PartNumber {
			return nil, gofakes3.ErrInvalidPartOrder
		}
		p, ok := u.parts[l.PartNumber]
		if !ok || strings.Trim(l.ETag, `"`) != p.md5 {
			return nil, gofakes3.ErrorMessagef(gofakes3.ErrInvalidPart, "part %d was not uploaded with this ETag", l.PartNumber)
		}
		if i < len(listed)-1 && p.size < minPart {
			return nil, gofakes3.ErrorMessagef(gofakes3.ErrInvalidRequest,
				"EntityTooSmall: part %d has %d bytes, only the last may have fewer than %d", l.PartNumber, p.size, minPart)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// partsReader reads part files one after another.
type partsReader struct {
	d     *disk
	parts []part
	cur   io.ReadCloser
}

func (r *partsReader) Read(p []byte) (int, error) {
	for {
		if r.cur == nil {
			if len(r.parts) == 0 {
				return 0, io.EOF
			}
			f, err := r.d.root.Open(r.parts[0].file)
			if err != nil {
				return 0, err
			}
			r.cur, r.parts = f, r.parts[1:]
		}
		n, err := r.cur.Read(p)
		if err == io.EOF {
			r.close()
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (r *partsReader) close() {
	if r.cur != nil {
		_ = r.cur.Close() // only read from
		r.cur = nil
	}
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (d *disk) AbortMultipartUpload(_ context.Context, bucket, key string, id gofakes3.UploadID) error {
	u, err := d.uploads.get(bucket, key, id)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = true
	return d.dropUpload(id, u)
}
