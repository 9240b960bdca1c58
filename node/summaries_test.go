package node

import (
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
)

// TestSummaries: COMMAND DOCS has something to say of every command, and no summary is
// of one that is not there.
func TestSummaries(t *testing.T) {
	left := map[string]bool{}
	for name := range summaries {
		left[name] = true
	}
	var check func([]*command.Command)
	check = func(rows []*command.Command) {
		for _, row := range rows {
			if row.Summary == "" {
				t.Errorf("%s has no summary", row.FullName())
			}
			delete(left, row.FullName())
			check(row.Sub)
		}
	}
	check(Table().All())
	for name := range left {
		t.Errorf("there is no %s", name)
	}
}
