package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := logs{size: 10, keep: 2}
	must(t, l.rotate(path)) // there is none
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	read := func(suffix string) string {
		b, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(b)
	}
	for i := range 4 {
		_, err := fmt.Fprintf(f, "line %d\n", i)
		must(t, err)
		must(t, l.rotate(path)) // too small
		_, err = fmt.Fprintf(f, "more %d\n", i)
		must(t, err)
		must(t, l.rotate(path))
	}
	_, err = fmt.Fprint(f, "new\n") // to where the file begins now
	must(t, err)
	if got := []string{read(""), read(".1"), read(".2"), read(".3")}; !slices.Equal(got, []string{"new\n", "line 3\nmore 3\n", "line 2\nmore 2\n", ""}) {
		t.Errorf("%q", got)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, "line %d\n", i)
	}
	for name, c := range map[string]struct {
		content string
		offset  int64
		want    []string
	}{
		"nothing":                {"", 0, nil},
		"nothing of its own":     {"other\n", 6, nil},
		"a few":                  {"other\na\nb", 6, []string{"a", "b"}},
		"rotated since":          {"a\n", 100, []string{"a"}},
		"no text":                {"\xff\n", 0, []string{"\uFFFD"}},
		"a long line":            {strings.Repeat("x", 600), 0, []string{strings.Repeat("x", 500) + "..."}},
		"more than is looked at": {strings.Repeat("y", 9000) + "\nz\n", 0, []string{"z"}},
	} {
		must(t, os.WriteFile(path, []byte(c.content), 0o600))
		if got := tail(path, c.offset); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	must(t, os.WriteFile(path, []byte(many.String()), 0o600))
	if got := tail(path, 0); len(got) != exitLines || got[exitLines-1] != "line 1999" {
		t.Errorf("of many: %q", got)
	}
	if got := tail(path+"x", 0); got != nil {
		t.Errorf("of none: %q", got)
	}
}
