package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/wal"
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

func TestAfterCampaign(t *testing.T) {
	timeout := errors.New("etcd did not answer")
	for _, c := range []struct {
		err, want error
		again     bool
	}{
		{etcdfence.ErrLeaderExists, nil, false},
		{etcdfence.ErrNotCaughtUp, nil, false},
		{etcdfence.ErrDiverged, errReload, false},
		{wal.ErrEpoch, wal.ErrEpoch, false},
		{wal.ErrNewerFormat, wal.ErrNewerFormat, false},
		{timeout, timeout, true},
	} {
		again, err := afterCampaign(fmt.Errorf("campaign: %w", c.err))
		if again != c.again || !errors.Is(err, c.want) {
			t.Errorf("%v: again %v, error %v", c.err, again, err)
		}
	}
}
