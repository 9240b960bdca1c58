package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// folder is a node's folder; see the package comment.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }
func (f folder) lock() string            { return f.path("lock") }
func (f folder) launch() string          { return f.path("launch.json") }
func (f folder) pid() string             { return f.path("pid") }
func (f folder) config() string          { return f.path("node.yaml") }
func (f folder) log() string             { return f.path("log") }
func (f folder) metrics() string         { return f.path("metrics.sock") }

// maxSocket is how long the path of a socket may be where it may be least. A node whose
// path is longer has no metrics.
const maxSocket = 103

// stoppingFile is there when the process was asked to end, and says when.
const stoppingFile = "stopping"

// launchFile is what a process was started with.
type launchFile struct {
	Assignment fleet.Assignment `json:"assignment"`
	Starts     int              `json:"starts"`
	LogOffset  int64            `json:"log_offset"` // where its part of the log begins
}

// pidFile is which process it became.
type pidFile struct {
	PID   int       `json:"pid"`
	Birth birth     `json:"birth"`
	Began time.Time `json:"began"`
}

// birth tells a process from all others that have had or will have its pid: when it
// began, in the kernel's count, and which run of the kernel that was. Zero where the
// system does not tell.
type birth struct {
	Ticks uint64 `json:"ticks,omitempty"`
	Boot  string `json:"boot,omitempty"`
}

// write replaces a file as a whole, readable by nobody else.
func (f folder) write(name, content string) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(content)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

func (f folder) writeJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.write(name, string(b))
}

// readJSON leaves v as it is when there is no such file.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
