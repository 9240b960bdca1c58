package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Baseline is what the real server does with each file, kept between runs.
type Baseline struct {
	Version string // of the Debian package
	Files   map[string]*FileRun
}

func (c *config) baselinePath() string { return filepath.Join(c.dir, "baseline.json") }

// loadBaseline reads what earlier runs have measured; nothing when that was
// another version.
func loadBaseline(name, version string) (*Baseline, error) {
	fresh := &Baseline{Version: version, Files: map[string]*FileRun{}}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	var b Baseline
	if err := json.Unmarshal(text, &b); err != nil || b.Version != version || b.Files == nil {
		return fresh, nil // of another version, or of another version of this program
	}
	return &b, nil
}

func (b *Baseline) save(name string) error {
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// missing are the files not measured yet.
func (b *Baseline) missing(files []string) []string {
	var list []string
	for _, f := range files {
		if b.Files[f] == nil {
			list = append(list, f)
		}
	}
	return list
}
