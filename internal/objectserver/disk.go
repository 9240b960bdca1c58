package objectserver

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
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
	h := newMD5()
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

func (d *disk) bucketExists(bucket string) bool {
	if gofakes3.ValidateBucketName(bucket) != nil {
		return false
	}
	info, err := d.root.Stat(bucket)
	return err == nil && info.IsDir()
}
