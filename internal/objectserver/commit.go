package objectserver

import (
	"context"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path"
	"strconv"
	"syscall"
	"time"

	"github.com/rclone/gofakes3"
)

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
	return &temp{d: d, file: f, name: name, md5: newMD5()}, nil
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
