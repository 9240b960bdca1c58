package agent

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubtdb/redoubt/internal/flock"
)

// ErrDirInUse: another agent runs on the directory.
var ErrDirInUse = errors.New("agent: directory is in use by another agent")

// takeDir takes a directory for this agent, and returns the name that it was given
// once.
func takeDir(dir string) (lock *os.File, instance string, err error) {
	if err := os.MkdirAll(filepath.Join(dir, "nodes"), 0o700); err != nil {
		return nil, "", fmt.Errorf("agent: %w", err)
	}
	lock, err = flock.Try(filepath.Join(dir, "LOCK"))
	if errors.Is(err, flock.ErrHeld) {
		return nil, "", fmt.Errorf("%w: %s", ErrDirInUse, dir)
	}
	if err != nil {
		return nil, "", fmt.Errorf("agent: %w", err)
	}
	instance, err = instanceOf(dir)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("agent: name of the directory: %w", err), lock.Close())
	}
	return lock, instance, nil
}

func instanceOf(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "instance"))
	if err == nil {
		if s := strings.TrimSpace(string(b)); s != "" {
			return s, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var random [8]byte
	rand.Read(random[:])
	name := hex.EncodeToString(random[:])
	return name, folder(dir).write("instance", name+"\n")
}
