package objectserver

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rclone/gofakes3"
)

const (
	stateDir  = ".objectserver" // not a valid bucket name, so never one
	metaDir   = stateDir + "/meta"
	tmpDir    = stateDir + "/tmp"
	uploadDir = stateDir + "/uploads"
	lockFile  = stateDir + "/lock"
)

// disk keeps objects in a directory; see the package comment.
type disk struct {
	files
	log *slog.Logger

	// mu is held for writing from the check of a write's conditions to the
	// fsync of its directory entry, and for reading while a data file and its
	// metadata are matched.
	mu  sync.RWMutex
	tmp atomic.Uint64 // names temporary files

	uploads uploads
}

// version is what a metadata file says of one content of its object.
type version struct {
	Size  int64             `json:"size"`
	MTime int64             `json:"mtime"` // modification time of the data file, Unix nanoseconds
	MD5   string            `json:"md5"`
	Meta  map[string]string `json:"headers,omitempty"`
}

// sidecar is the content of a metadata file: the version that is being put in
// place first, then the one it replaces.
type sidecar struct {
	Versions []version `json:"versions"`
}

// object is a data file matched with its metadata.
type object struct {
	version
	key string
}

func (o object) modTime() time.Time { return time.Unix(0, o.MTime) }

func openDisk(root *os.Root, log *slog.Logger) (*disk, error) {
	d := &disk{files: files{root: root}, log: log}
	for _, dir := range []string{tmpDir, uploadDir} {
		// What an earlier process left half-written was never acknowledged.
		if err := d.removeAll(dir); err != nil {
			return nil, fmt.Errorf("clean %s: %w", dir, err)
		}
		if err := d.mkdirAll(dir); err != nil {
			return nil, fmt.Errorf("make %s: %w", dir, err)
		}
	}
	return d, nil
}

// paths says where an object's bytes and metadata are.
func paths(bucket, key string) (data, meta string, err error) {
	if err := gofakes3.ValidateBucketName(bucket); err != nil {
		return "", "", gofakes3.BucketNotFound(bucket)
	}
	p, err := keyPath(key)
	if err != nil {
		return "", "", err
	}
	return bucket + "/" + p, metaDir + "/" + bucket + "/" + p + metaSuffix, nil
}

// isAbsent reports whether err says that there is no such file, or that a
// parent of it is a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// open returns an object and its bytes. The caller closes the file, which
// stays readable when the object is replaced or deleted meanwhile.
func (d *disk) open(bucket, key string) (*os.File, object, error) {
	data, meta, err := paths(bucket, key)
	if err != nil {
		return nil, object{}, gofakes3.KeyNotFound(key)
	}
	for {
		d.mu.RLock()
		f, info, err := d.openFile(data)
		if err != nil {
			d.mu.RUnlock()
			if isAbsent(err) {
				return nil, object{}, gofakes3.KeyNotFound(key)
			}
			return nil, object{}, err
		}
		v, ok := d.readSidecar(meta).find(info)
		d.mu.RUnlock()
		if ok {
			return f, object{version: v, key: key}, nil
		}
		err = d.adopt(f, info, data, meta)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, object{}, fmt.Errorf("adopt %s: %w", data, err)
		}
	}
}

// stat is open without the bytes.
func (d *disk) stat(bucket, key string) (object, error) {
	f, o, err := d.open(bucket, key)
	if err != nil {
		return object{}, err
	}
	return o, f.Close()
}

func (d *disk) openFile(name string) (*os.File, fs.FileInfo, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func (s sidecar) find(info fs.FileInfo) (version, bool) {
	for _, v := range s.Versions {
		if v.Size == info.Size() && v.MTime == info.ModTime().UnixNano() {
			return v, true
		}
	}
	return version{}, false
}

// readSidecar returns what a metadata file says; nothing when there is none
// or it is damaged.
func (d *disk) readSidecar(name string) sidecar {
	var s sidecar
	b, err := d.root.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil && !isAbsent(err) {
		d.log.Warn("object metadata is unreadable; going on without it", "file", name, "error", err)
		return sidecar{}
	}
	return s
}

// adopt writes metadata for a data file that matches none.
func (d *disk) adopt(f *os.File, info fs.FileInfo, data, meta string) error {
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	v := version{MD5: hex.EncodeToString(h.Sum(nil))}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.root.Stat(data)
	if isAbsent(err) || (err == nil && !os.SameFile(now, info)) {
		return nil // deleted or replaced meanwhile; the caller looks again
	}
	if err != nil {
		return err
	}
	for _, old := range d.readSidecar(meta).Versions {
		if old.MD5 == v.MD5 {
			v.Meta = old.Meta
		}
	}
	v.Size, v.MTime = info.Size(), info.ModTime().UnixNano()
	return d.writeSidecar(meta, v)
}

func (d *disk) writeSidecar(name string, versions ...version) (err error) {
	b, err := json.MarshalIndent(sidecar{Versions: versions}, "", "  ")
	if err != nil {
		return err
	}
	if err := d.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	t, err := d.newTemp()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.discard()) }()
	if _, err := t.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := t.finish(time.Time{}); err != nil {
		return err
	}
	return d.rename(t.name, name)
}

// temp is an object being written.
type temp struct {
	d    *disk
	file *os.File
	name string
	md5  hash.Hash
	size int64
}

func (d *disk) newTemp() (*temp, error) {
	name := tmpDir + "/" + strconv.FormatUint(d.tmp.Add(1), 10)
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	return &temp{d: d, file: f, name: name, md5: md5.New()}, nil
}

func (t *temp) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	t.md5.Write(p[:n])
	t.size += int64(n)
	return n, err
}

// finish makes the content durable, with the given modification time unless
// it is zero. The time is part of how metadata is matched, so it is set before
// the fsync.
func (t *temp) finish(mtime time.Time) error {
	if !mtime.IsZero() {
		if err := t.d.setTime(t.name, mtime); err != nil {
			return err
		}
	}
	return t.d.syncFile(t.file, t.name)
}

// discard removes what was not renamed into place. It may follow commit.
func (t *temp) discard() error {
	err := t.file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if rerr := t.d.remove(t.name); rerr != nil && !isAbsent(rerr) {
		err = errors.Join(err, rerr)
	}
	return err
}

// commit puts a finished temporary file in place as an object, if the
// request's conditions hold at that moment.
func (d *disk) commit(ctx context.Context, t *temp, bucket, key string, headers map[string]string) (object, error) {
	data, meta, err := paths(bucket, key)
	if err != nil {
		return object{}, err
	}
	if err := t.finish(time.Now()); err != nil {
		return object{}, err
	}
	o := object{key: key, version: version{Size: t.size, MD5: hex.EncodeToString(t.md5.Sum(nil)), Meta: headers}}

	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.bucketExists(bucket) {
		return object{}, gofakes3.BucketNotFound(bucket)
	}
	old, exists, err := d.current(data, meta)
	if err != nil {
		return object{}, err
	}
	if err := gofakes3.CheckWriteConditions(ctx, exists, old.MD5); err != nil {
		return object{}, err
	}
	if o.MTime, err = d.distinctTime(t, old); err != nil {
		return object{}, err
	}
	if err := d.makeRoom(data, key); err != nil {
		return object{}, err
	}
	versions := []version{o.version}
	if old.MD5 != "" {
		versions = append(versions, old)
	}
	if err := d.writeSidecar(meta, versions...); err != nil {
		return object{}, err
	}
	return o, d.rename(t.name, data)
}

// current is the version that holds at data. The caller has the lock. A file
// that matches no metadata has only its size and time.
func (d *disk) current(data, meta string) (version, bool, error) {
	info, err := d.root.Stat(data)
	if isAbsent(err) || (err == nil && !info.Mode().IsRegular()) {
		return version{}, false, nil
	}
	if err != nil {
		return version{}, false, err
	}
	v, ok := d.readSidecar(meta).find(info)
	if !ok {
		v = version{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	}
	return v, true, nil
}

// distinctTime returns the modification time of a finished temporary file as
// the file system keeps it, after moving it on if it could be taken for the
// version it replaces.
func (d *disk) distinctTime(t *temp, old version) (int64, error) {
	for {
		info, err := t.file.Stat()
		if err != nil {
			return 0, err
		}
		if info.ModTime().UnixNano() != old.MTime || t.size != old.Size {
			return info.ModTime().UnixNano(), nil
		}
		// Two seconds: the coarsest resolution file systems have.
		if err := t.finish(info.ModTime().Add(2 * time.Second)); err != nil {
			return 0, err
		}
	}
}

// makeRoom makes the directory that an object goes into, and clears away empty
// directories where it goes itself. S3 knows no error for an object where
// another has its directory; here it is InvalidRequest.
func (d *disk) makeRoom(data, key string) error {
	err := d.mkdirAll(path.Dir(data))
	if err == nil {
		var info fs.FileInfo
		if info, err = d.root.Stat(data); err == nil && info.IsDir() {
			err = d.removeEmptyTree(data)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist):
		return gofakes3.ErrorMessagef(gofakes3.ErrInvalidRequest,
			"this server keeps objects as files: %q is a directory of another key, or has one as its directory", key)
	}
	return err
}

// delete removes objects; that one is not there is no error. The result names
// those that could not be removed.
func (d *disk) delete(bucket string, keys ...string) map[string]error {
	failed := map[string]error{}
	metas := map[string]string{}  // by key: of the objects whose data is gone
	dirs := map[string][]string{} // the keys removed from each directory
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		data, meta, err := paths(bucket, key)
		if err != nil {
			continue // no such object can exist
		}
		info, err := d.root.Stat(data)
		if isAbsent(err) || (err == nil && !info.Mode().IsRegular()) {
			continue
		}
		if err == nil {
			err = d.remove(data)
		}
		if err != nil {
			failed[key] = err
			continue
		}
		metas[key] = meta
		dirs[path.Dir(data)] = append(dirs[path.Dir(data)], key)
	}
	for dir, keys := range dirs {
		if err := d.syncDir(dir); err != nil {
			for _, key := range keys {
				failed[key] = err
				delete(metas, key)
			}
		}
	}
	// Metadata goes last: an object that a crash brings back still has it.
	for key, meta := range metas {
		if err := d.remove(meta); err != nil && !isAbsent(err) {
			failed[key] = err
		}
		d.prune(path.Dir(meta), metaDir+"/"+bucket)
	}
	for dir := range dirs {
		d.prune(dir, bucket)
	}
	return failed
}

func (d *disk) bucketExists(bucket string) bool {
	if gofakes3.ValidateBucketName(bucket) != nil {
		return false
	}
	info, err := d.root.Stat(bucket)
	return err == nil && info.IsDir()
}
