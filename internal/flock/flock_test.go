package flock_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/redoubtdb/redoubt/internal/flock"
)

// A child that has inherited the file keeps the lock, until it ends.
func TestChildKeepsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := flock.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "1000")
	child.ExtraFiles = []*os.File{lock}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrHeld) {
		t.Errorf("while the child runs: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the child was not killed")
	}
	lock, err = flock.Try(path)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := flock.Try(filepath.Join(path, "x")); err == nil || errors.Is(err, flock.ErrHeld) {
		t.Errorf("in no directory: %v", err)
	}
}
