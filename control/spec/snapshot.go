package spec

import (
	"regexp"
	"strings"
)

// Default puts in order what a person may leave out.
func (s *Snapshot) Default() { noNilMap(&s.Tags) }

// Validate reports all that is wrong with a snapshot that somebody asks for.
func (s *Snapshot) Validate() Problems {
	var p Problems
	p.check("name", CheckName(s.Name))
	p.check("cluster_name", CheckName(s.ClusterName))
	checkTags(&p, s.Tags)
	return p
}

// CheckChange reports what cannot be changed: all but the tags.
func (s *Snapshot) CheckChange(next *Snapshot) Problems {
	var p Problems
	if s.Name != next.Name {
		p.add("name", "cannot be changed")
	}
	if s.ClusterName != next.ClusterName {
		p.add("cluster_name", "cannot be changed: a snapshot is of one cluster")
	}
	return p
}

var automaticRest = regexp.MustCompile(`^([a-z0-9-]+)-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d$`)

// CheckSnapshotName is CheckName for a snapshot that exists, which may also be one
// that was made by schedule.
func CheckSnapshotName(name string) error {
	if rest, ok := strings.CutPrefix(name, automaticPrefix); ok {
		if m := automaticRest.FindStringSubmatch(rest); m != nil {
			return CheckName(m[1])
		}
	}
	return CheckName(name)
}
