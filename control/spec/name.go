package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxName is the length of names, as in MemoryDB.
const maxName = 40

// CheckName judges the name of a cluster, a user, an ACL, a parameter group or a
// snapshot that somebody names.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("must be given")
	case len(name) > maxName:
		return fmt.Errorf("must have at most %d characters, not %d", maxName, len(name))
	case name[0] < 'a' || name[0] > 'z':
		return fmt.Errorf("must begin with a lowercase letter, unlike %q", name)
	case strings.HasSuffix(name, "-") || strings.Contains(name, "--"):
		return fmt.Errorf("must not end with a hyphen or have two in a row, unlike %q", name)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return fmt.Errorf("may have lowercase letters, digits and hyphens only: %q has %q", name, r)
		}
	}
	return nil
}

// automaticPrefix begins the names of snapshots that nobody named. No name that
// CheckName takes has a dot.
const automaticPrefix = "automatic."

// AutomaticSnapshotName names a snapshot that is made by schedule.
func AutomaticSnapshotName(cluster string, at time.Time) string {
	return automaticPrefix + cluster + "-" + at.UTC().Format("2006-01-02-15-04-05")
}

// IsAutomaticSnapshot tells a snapshot that was made by schedule.
func IsAutomaticSnapshot(name string) bool { return strings.HasPrefix(name, automaticPrefix) }

// Bounds of tags and descriptions, as in MemoryDB.
const (
	maxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	maxDescription = 255
)

func checkTags(p *Problems, tags map[string]string) {
	if len(tags) > maxTags {
		p.add("tags", "there may be at most %d, not %d", maxTags, len(tags))
	}
	for _, k := range sortedKeys(tags) {
		path := "tags." + k
		if n := utf8.RuneCountInString(k); n == 0 || n > maxTagKey {
			p.add(path, "the key must have 1 to %d characters, not %d", maxTagKey, n)
		}
		if n := utf8.RuneCountInString(tags[k]); n > maxTagValue {
			p.add(path, "the value may have at most %d characters, not %d", maxTagValue, n)
		}
		checkText(p, path, k+tags[k])
	}
}

func checkDescription(p *Problems, text string) {
	if n := utf8.RuneCountInString(text); n > maxDescription {
		p.add("description", "may have at most %d characters, not %d", maxDescription, n)
	}
	checkText(p, "description", text)
}

// checkText refuses what no person has typed.
func checkText(p *Problems, path, text string) {
	for _, r := range text {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			p.add(path, "must be text without control characters, not %q", text)
			return
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// noNil makes lists and maps that were left out empty ones, so that they are the
// same in JSON however they were given.
func noNil(list *[]string) {
	if *list == nil {
		*list = []string{}
	}
}

func noNilMap(m *map[string]string) {
	if *m == nil {
		*m = map[string]string{}
	}
}

// sortedSet sorts a list whose order means nothing; what is in it twice stays, for
// Validate to refuse.
func sortedSet(list *[]string) {
	noNil(list)
	*list = slices.Clone(*list)
	slices.Sort(*list)
}

// checkUnique reports the elements of a sorted list that are in it twice.
func checkUnique(p *Problems, path string, list []string) {
	for i := 1; i < len(list); i++ {
		if list[i] == list[i-1] {
			p.add(fmt.Sprintf("%s[%d]", path, i), "%q is in the list twice", list[i])
		}
	}
}
