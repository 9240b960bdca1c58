package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubtdb/redoubt/node/acl"
)

// readFile reads the users of the ACL file.
func (u *users) readFile() (map[string]*acl.User, error) {
	b, err := os.ReadFile(u.file)
	if err != nil {
		var why *os.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, fmt.Errorf("Error loading ACLs, opening file '%s': %w", u.file, err)
	}
	return u.grammar.ParseFile(u.file, string(b))
}

// load makes the users of the ACL file those of a node that begins.
func (u *users) load() error {
	all, err := u.readFile()
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	for _, user := range all {
		u.put(user)
	}
	return nil
}

// save makes the ACL file what the users are now: wholly or not at all, and on disk when
// it returns.
func (u *users) save() (err error) {
	var b strings.Builder
	for _, name := range u.names() {
		fmt.Fprintf(&b, "user %s %s\n", name, u.get(name).Describe())
	}
	dir := filepath.Dir(u.file)
	f, err := os.CreateTemp(dir, filepath.Base(u.file)+".tmp-") // readable by its owner only
	if err != nil {
		return fmt.Errorf("save users: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("save users: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
		}
	}()
	if _, err = f.WriteString(b.String()); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), u.file); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("save users: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("save users: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("save users: %w", err)
	}
	return nil
}
