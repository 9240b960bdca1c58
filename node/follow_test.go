package node

import (
	"testing"
	"time"
)

func TestMayCampaign(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name          string
		caughtUp, led bool
		standBack     time.Time
		want          bool
	}{
		{"nobody leads", true, false, time.Time{}, true},
		{"behind", false, false, time.Time{}, false},
		{"somebody leads", true, true, time.Time{}, false},
		{"has just handed over", true, false, now.Add(time.Second), false},
		{"has handed over and nobody came", true, false, now, true},
	} {
		if got := mayCampaign(c.caughtUp, c.led, now, c.standBack); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
