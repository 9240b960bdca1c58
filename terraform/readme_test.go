package terraform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var declared = regexp.MustCompile(`(?m)^(variable|output) "(\w+)" \{`)

// TestReadmes: each module and example has a page that lists what goes in and out.
func TestReadmes(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "versions.tf" {
			return err
		}
		folder := filepath.Dir(path)
		page, err := os.ReadFile(filepath.Join(folder, "README.md"))
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			return nil
		}
		rest := section(string(page))
		for _, file := range []string{"variables.tf", "outputs.tf"} {
			text, err := os.ReadFile(filepath.Join(folder, file))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				return err
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				row := "\n| `" + m[2] + "` |"
				if !strings.Contains(rest, row) {
					t.Errorf("%s/README.md does not list %s %s", folder, m[1], m[2])
				}
				rest = strings.Replace(rest, row, "\n| |", 1)
			}
		}
		if stale := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindStringSubmatch(rest); stale != nil {
			t.Errorf("%s/README.md lists %s, which is not there", folder, stale[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// section is the part of a page with the tables of what goes in and out.
func section(page string) string {
	_, tables, _ := strings.Cut(page, "\n## Inputs\n")
	return tables
}
