package node

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestRate(t *testing.T) {
	var r rate
	total := uint64(0)
	for range len(r.samples) / 2 {
		total += 50
		r.add(total, time.Second/2)
	}
	if got := r.perSecond(); got != 50 {
		t.Errorf("100 a second in half of all samples: %v", got)
	}
	for range len(r.samples) {
		total += 50
		r.add(total, time.Second/2)
	}
	if got := r.perSecond(); got != 100 {
		t.Errorf("100 a second in all samples: %v", got)
	}
	for range len(r.samples) {
		r.add(0, time.Second/2) // set back
		r.add(7, 0)
	}
	if got := r.perSecond(); got != 0 {
		t.Errorf("a counter that was set back: %v", got)
	}
}

// A node tells its rates without being asked again and again.
func TestRatesInInfo(t *testing.T) {
	n := startNode(t, nil)
	c := commandtest.Dial(t, n.Addr())
	testenv.Eventually(t, 10*time.Second, "INFO tells of rates", func(context.Context) error {
		for range 100 {
			c.Do("PING")
		}
		info := string(c.Do("INFO", "stats"))
		if strings.Contains(info, "instantaneous_ops_per_sec:0\r\n") || strings.Contains(info, "instantaneous_input_kbps:0.00\r\n") ||
			strings.Contains(info, "instantaneous_output_kbps:0.00\r\n") {
			return errors.New(info)
		}
		return nil
	})
}
