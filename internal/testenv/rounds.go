package testenv

import (
	"os"
	"strconv"
)

// roundsVar is set by `make soak` and `make compat`, seedVar by whoever repeats what
// a test has found.
const (
	roundsVar = "REDOUBT_TEST_ROUNDS"
	seedVar   = "REDOUBT_TEST_SEED"
)

// Rounds returns how often a test repeats what it proves by repetition: usual,
// or what `make soak N=` or `make compat N=` asks for.
func Rounds(t TB, usual int) int {
	t.Helper()
	s := os.Getenv(roundsVar)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number of rounds", roundsVar, s)
	}
	return n
}

// Seed returns the seed that a test of generated input begins with: usual, or
// what the environment asks for.
func Seed(t TB, usual uint64) uint64 {
	t.Helper()
	s := os.Getenv(seedVar)
	if s == "" {
		return usual
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		t.Fatalf("%s=%q: want a seed", seedVar, s)
	}
	return n
}
