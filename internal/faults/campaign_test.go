package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/workload"
)

// TestCampaign is one round: every fault once, every workload, every check. Its
// seed is another each time; REDOUBT_FAULTS_SEED repeats one.
func TestCampaign(t *testing.T) {
	c := &config{seed: uint64(time.Now().UnixNano() / 1e6), rounds: 1, laps: 1, scale: 1, think: workload.Think, stdout: t.Output()}
	if s := os.Getenv("REDOUBT_FAULTS_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("REDOUBT_FAULTS_SEED=%q: %v", s, err)
		}
		c.seed = seed
	}
	if err := c.check(nil); err != nil {
		t.Fatal(err)
	}
	if err := c.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
