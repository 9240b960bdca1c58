package objectserver

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone/gofakes3"
)

// newDisk is a disk on dir, with the test bucket.
func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	d, err := openDisk(root, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CreateBucket(t.Context(), testBucket); err != nil && !gofakes3.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return d
}

func putDisk(d *disk, key, body string, meta map[string]string) error {
	_, err := d.PutObject(context.Background(), testBucket, key, meta, strings.NewReader(body), int64(len(body)))
	return err
}

// getDisk returns an object's content, its user metadata "m" and its ETag.
func getDisk(d *disk, key string) (body, meta, md5 string, err error) {
	o, err := d.GetObject(context.Background(), testBucket, key, nil)
	if err != nil {
		return "", "", "", err
	}
	defer o.Contents.Close()
	b, err := io.ReadAll(o.Contents)
	head, herr := d.stat(testBucket, key)
	if err == nil {
		err = herr
	}
	return string(b), o.Metadata["X-Amz-Meta-M"], head.MD5, err
}

// tree is the objects' files below dir.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if rel == stateDir {
			return fs.SkipDir
		}
		if !e.IsDir() || strings.Contains(rel, "/") {
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func dialAlways(addr string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
}

func TestFilesLookLikeKeys(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, dir)
	keys := map[string]string{
		"dev/shards/0000/segments/1-2-3.seg": "redoubt/dev/shards/0000/segments/1-2-3.seg",
		"with space & ünïcode":               "redoubt/with space & ünïcode",
		"../../escape":                       "redoubt/%2E%2E/%2E%2E/escape",
		"a/./b":                              "redoubt/a/%2E/b",
		"a//b":                               "redoubt/a/%/b",
		"dir/":                               "redoubt/dir/%",
		"new\nline\x00nul%percent":           "redoubt/new%0Aline%00nul%25percent",
		"latin1-\xe9":                        "redoubt/latin1-%E9",
	}
	var want []string
	for key, file := range keys {
		if err := putDisk(d, key, key, nil); err != nil {
			t.Errorf("put %q: %v", key, err)
			continue
		}
		if got, _, _, err := getDisk(d, key); got != key || err != nil {
			t.Errorf("get %q: %q, %v", key, got, err)
		}
		want = append(want, file)
	}
	files := slices.DeleteFunc(tree(t, dir), func(n string) bool {
		info, err := os.Stat(filepath.Join(dir, n))
		return err != nil || info.IsDir()
	})
	slices.Sort(want)
	slices.Sort(files)
	if !slices.Equal(files, want) {
		t.Errorf("on disk: %q\nwant:    %q", files, want)
	}
}

func TestRefusedKeys(t *testing.T) {
	d := newDisk(t, t.TempDir())
	if err := putDisk(d, "k", "v", nil); err != nil {
		t.Fatal(err)
	}
	if err := putDisk(d, "dir/x", "v", nil); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]gofakes3.ErrorCode{
		"k/x":                        gofakes3.ErrInvalidRequest,
		"k/x/y":                      gofakes3.ErrInvalidRequest,
		"dir":                        gofakes3.ErrInvalidRequest,
		strings.Repeat("n", 251):     gofakes3.ErrKeyTooLong,
		strings.Repeat("long/", 300): gofakes3.ErrKeyTooLong,
		strings.Repeat("\x01", 100):  gofakes3.ErrKeyTooLong,
	} {
		if err := putDisk(d, key, "v", nil); !gofakes3.HasErrorCode(err, want) {
			t.Errorf("put %.20q: %v, want %s", key, err, want)
		}
		if _, _, _, err := getDisk(d, key); !isNoSuchKey(err) {
			t.Errorf("get %.20q: %v", key, err)
		}
		if err := d.delete(testBucket, key)[key]; err != nil {
			t.Errorf("delete %.20q: %v", key, err)
		}
	}
	for _, bucket := range []string{"..", ".", "", stateDir, "a/b", "UPPER"} {
		if _, err := d.PutObject(t.Context(), bucket, "k", nil, strings.NewReader("v"), 1); !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchBucket) {
			t.Errorf("put into bucket %q: %v", bucket, err)
		}
	}
}

func TestSymbolicLinksDoNotLeaveTheDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	d := newDisk(t, dir)
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": secret, "dir": outside} {
		if err := os.Symlink(target, filepath.Join(dir, testBucket, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "dir/secret"} {
		if got, _, _, err := getDisk(d, key); err == nil {
			t.Errorf("%s: read %q from outside", key, got)
		}
	}
	if err := putDisk(d, "dir/new", "v", nil); err == nil {
		t.Error("wrote through a link")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

func TestForeignFilesAreAdopted(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, dir)
	byHand := filepath.Join(dir, testBucket, "by-hand")
	if err := os.WriteFile(byHand, []byte("typed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, md5, err := getDisk(d, "by-hand"); got != "typed" || len(md5) != 32 || err != nil {
		t.Errorf("file put there by hand: %q, %q, %v", got, md5, err)
	}
	// As after cp -r of the directory: same content, another time.
	if err := putDisk(d, "copied", "v", map[string]string{"X-Amz-Meta-M": "kept"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, testBucket, "copied"), time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if got, meta, _, err := getDisk(d, "copied"); got != "v" || meta != "kept" || err != nil {
		t.Errorf("file with another time: %q, metadata %q, %v", got, meta, err)
	}
	// Changed by hand: the metadata describes something else.
	if err := os.WriteFile(filepath.Join(dir, testBucket, "copied"), []byte("edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, meta, _, err := getDisk(d, "copied"); got != "edited" || meta != "" || err != nil {
		t.Errorf("edited file: %q, metadata %q, %v", got, meta, err)
	}
}

// The modification time tells contents apart, so it must differ even where
// the clock stands still.
func TestSameSizeOverwriteKeepsMetadataApart(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, dir)
	if err := putDisk(d, "k", "1", map[string]string{"X-Amz-Meta-M": "1"}); err != nil {
		t.Fatal(err)
	}
	old, err := d.stat(testBucket, "k")
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := d.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmp.Write([]byte("2")); err != nil {
		t.Fatal(err)
	}
	if err := tmp.finish(old.modTime()); err != nil {
		t.Fatal(err)
	}
	got, err := d.distinctTime(tmp, old.version)
	if err != nil || got == old.MTime {
		t.Errorf("time %d after %d, %v", got, old.MTime, err)
	}
	if err := tmp.discard(); err != nil {
		t.Fatal(err)
	}
}
