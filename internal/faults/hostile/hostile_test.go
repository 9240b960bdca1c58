package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// seedVar fixes the seed.
const seedVar = "REDOUBT_HOSTILE_SEED"

// TestHostile is a short campaign; `make hostile` is a long one.
func TestHostile(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv(seedVar); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVar, err)
		}
	}
	runCampaign(t.Context(), t, 15*time.Second, seed)
}

// Attackers together spend no more than their budget.
func TestBudget(t *testing.T) {
	var b budget
	now := time.Unix(1000, 0)
	if wait := b.charge(now, spendBurst); wait != 0 {
		t.Errorf("after a rest, %d bytes had to wait for %v", spendBurst, wait)
	}
	for range 10 {
		b.charge(now, spendRate/10)
	}
	if wait := b.charge(now, 0); wait.Round(time.Millisecond) != time.Second {
		t.Errorf("a second's worth of bytes is paid for after %v", wait)
	}
	if wait := b.charge(now.Add(time.Hour), spendBurst+spendRate); wait.Round(time.Millisecond) != time.Second {
		t.Errorf("an hour's rest is worth more than a burst: %v", wait)
	}
}

func TestClientsFor(t *testing.T) {
	for files, want := range map[uint64]int{
		100:     0,
		1024:    512,
		1536:    1024,
		1 << 30: mostClients(),
	} {
		got, err := clientsFor(files)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%d files: %d clients (%v), want %d", files, got, err, want)
		}
	}
}

func TestErrorReplies(t *testing.T) {
	for _, tc := range []struct {
		last byte
		b    string
		want int64
	}{
		{'\n', "-ERR a\r\n+OK\r\n-ERR b\r\n", 2},
		{'x', "-ERR a\r\n", 0},
		{'\n', "$3\r\na-b\r\n", 0},
		{'\r', "\n-ERR a\r\n", 1},
	} {
		if got := errorReplies(tc.last, []byte(tc.b)); got != tc.want {
			t.Errorf("behind %q, %q has %d errors, want %d", tc.last, tc.b, got, tc.want)
		}
	}
}
