package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// logs is how much of a node's log is kept.
type logs struct {
	size int64 // bytes of one file
	keep int   // files beside the newest
}

const (
	exitLines = 20   // of a log that are told with an exit
	lineBytes = 500  // of each
	tailBytes = 8192 // that are looked at for them
)

// rotate moves the content of a log that has grown too large to path.1, that of
// path.1 to path.2, and so on. The process goes on writing into the same file, which
// it has opened for appending: what it writes between the end of the copy and the
// truncation, some microseconds, is lost.
func (l logs) rotate(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < l.size {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	numbered := func(i int) string { return path + "." + strconv.Itoa(i) }
	for i := l.keep - 1; i >= 1; i-- {
		if err := os.Rename(numbered(i), numbered(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if l.keep > 0 {
		if err := copyFile(path, numbered(1)); err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	return nil
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, src)
	return err
}

// tail is the last lines of a log from offset on, as they are told with an exit.
func tail(path string, offset int64) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	if offset > info.Size() {
		offset = 0 // it was rotated since
	}
	from := max(offset, info.Size()-tailBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(b), "\uFFFD"), "\n"), "\n")
	if from > offset && len(lines) > 1 {
		lines = lines[1:] // began within a line
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	lines = lines[max(0, len(lines)-exitLines):]
	for i, line := range lines {
		if len(line) > lineBytes {
			lines[i] = strings.ToValidUTF8(line[:lineBytes], "") + "..."
		}
	}
	return lines
}
