package objectserver

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// files is every change this package makes to a file system, so that a test
// can stop the world before any one of them.
type files struct {
	root *os.Root
	// before is called ahead of each change with its name and path; an error
	// keeps it from happening. Nil outside tests.
	before func(op, name string) error
}

func (f *files) gate(op, name string) error {
	if f.before == nil {
		return nil
	}
	return f.before(op, name)
}

func (f *files) create(name string) (*os.File, error) {
	if err := f.gate("create", name); err != nil {
		return nil, err
	}
	return f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (f *files) syncFile(file *os.File, name string) error {
	if err := f.gate("sync", name); err != nil {
		return err
	}
	return file.Sync()
}

func (f *files) setTime(name string, t time.Time) error {
	if err := f.gate("settime", name); err != nil {
		return err
	}
	return f.root.Chtimes(name, t, t)
}

// rename moves a file into place and makes that durable.
func (f *files) rename(from, to string) error {
	if err := f.gate("rename", to); err != nil {
		return err
	}
	if err := f.root.Rename(from, to); err != nil {
		return err
	}
	return f.syncDir(path.Dir(to))
}

func (f *files) remove(name string) error {
	if err := f.gate("remove", name); err != nil {
		return err
	}
	return f.root.Remove(name)
}

func (f *files) removeAll(name string) error {
	if err := f.gate("removeall", name); err != nil {
		return err
	}
	return f.root.RemoveAll(name)
}

func (f *files) syncDir(name string) error {
	if err := f.gate("syncdir", name); err != nil {
		return err
	}
	d, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// mkdirAll makes a directory and its parents, each durable in its own parent.
func (f *files) mkdirAll(name string) error {
	if name == "." {
		return nil
	}
	info, err := f.root.Stat(name)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	if err := f.gate("mkdir", name); err != nil {
		return err
	}
	if err := f.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.syncDir(path.Dir(name))
}

// prune removes empty directories from dir upwards, keeping stop and what is
// above it. Object storage has no directories; this only keeps the tree tidy.
func (f *files) prune(dir, stop string) {
	for dir != stop && dir != "." && f.remove(dir) == nil {
		dir = path.Dir(dir)
	}
}

// removeEmptyTree removes dir if it holds nothing but directories. A crash
// between making an object's directory and the object leaves such trees.
func (f *files) removeEmptyTree(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	entries, err := d.ReadDir(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			return fs.ErrExist
		}
		if err := f.removeEmptyTree(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return f.remove(dir)
}
