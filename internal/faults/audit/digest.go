package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SameDigest judges the digests, by who gave them, of data that must be the same
// (DESIGN invariant 5). Its error says who holds what.
func SameDigest(digests map[string]string) error {
	holders := map[string][]string{}
	for _, who := range slices.Sorted(maps.Keys(digests)) {
		holders[digests[who]] = append(holders[digests[who]], who)
	}
	if len(holders) <= 1 {
		return nil
	}
	var groups []string
	for _, d := range slices.Sorted(maps.Keys(holders)) {
		groups = append(groups, fmt.Sprintf("%s: %s", strings.Join(holders[d], ", "), d))
	}
	return fmt.Errorf("after the same entries there are %d different states: %s", len(groups), strings.Join(groups, "; "))
}
