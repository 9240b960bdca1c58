package objectserver

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// listing is one page of a bucket's keys in S3's order, which is by bytes.
type listing struct {
	d         *disk
	bucket    string
	prefix    string
	delimiter string
	after     string // only keys beyond this one
	max       int    // of objects and prefixes; none when 0

	objects   []object
	prefixes  []string
	truncated bool
	last      string // the last key or prefix of the page

	skip string // keys that start so are in the last prefix
}

// errStop ends a walk early.
var errStop = errors.New("stop")

func (l *listing) run() error {
	if l.delimiter != "" && strings.HasSuffix(l.after, l.delimiter) && l.commonPrefix(l.after) == l.after {
		l.skip = l.after // the page before ended with this prefix
	}
	// The keys are below the last directory that the prefix names whole.
	dir, base := l.bucket, ""
	if i := strings.LastIndexByte(l.prefix, '/'); i >= 0 {
		base = l.prefix[:i+1]
		p, err := keyPath(l.prefix[:i])
		if err != nil {
			return nil // too long for any key here
		}
		dir += "/" + p
	}
	err := l.walk(dir, base)
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// commonPrefix is the prefix that a key is rolled up into, "" for none.
func (l *listing) commonPrefix(key string) string {
	if l.delimiter == "" || !strings.HasPrefix(key, l.prefix) {
		return ""
	}
	if i := strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
		return key[:len(l.prefix)+i+len(l.delimiter)]
	}
	return ""
}

// walk visits the keys below dir, whose keys start with base, in order.
func (l *listing) walk(dir, base string) error {
	type child struct {
		key  string // of a directory: with the slash, as its keys start
		name string
		dir  bool
	}
	f, err := l.d.root.Open(dir)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		if isAbsent(err) {
			return nil // a file, or removed meanwhile
		}
		return err
	}
	children := make([]child, 0, len(entries))
	for _, e := range entries {
		n, ok := unescapeName(e.Name())
		switch {
		case !ok || (!e.IsDir() && e.Type() != fs.FileMode(0)):
			continue
		case e.IsDir():
			children = append(children, child{base + n + "/", e.Name(), true})
		default:
			children = append(children, child{base + n, e.Name(), false})
		}
	}
	slices.SortFunc(children, func(a, b child) int { return cmp.Compare(a.key, b.key) })
	for _, c := range children {
		if l.past(c.key, c.dir) {
			continue
		}
		if c.dir {
			err = l.walk(dir+"/"+c.name, c.key)
		} else {
			err = l.visit(c.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// past reports that neither key nor, for a directory, any key in it belongs
// to the page.
func (l *listing) past(key string, dir bool) bool {
	switch {
	case l.skip != "" && strings.HasPrefix(key, l.skip):
		return true
	case dir && key <= l.after && !strings.HasPrefix(l.after, key):
		return true
	case !dir && l.after != "" && key <= l.after:
		return true
	case strings.HasPrefix(key, l.prefix):
		return false
	}
	return !dir || !strings.HasPrefix(l.prefix, key)
}

// visit adds one key to the page, or ends the walk when the page is full.
func (l *listing) visit(key string) error {
	prefix := l.commonPrefix(key)
	var o object
	if prefix == "" {
		var err error
		if o, err = l.d.stat(l.bucket, key); err != nil {
			if isNoSuchKey(err) {
				return nil // deleted meanwhile
			}
			return err
		}
	}
	if l.max > 0 && len(l.objects)+len(l.prefixes) == l.max {
		l.truncated = true
		return errStop
	}
	if prefix != "" {
		l.prefixes = append(l.prefixes, prefix)
		l.last, l.skip = prefix, prefix
		return nil
	}
	l.objects = append(l.objects, o)
	l.last = key
	return nil
}
