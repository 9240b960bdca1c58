package testenv

import (
	"os"
	"strconv"
)

// roundsVar is set by `make soak`.
const roundsVar = "REDOUBT_TEST_ROUNDS"

// Rounds returns how often a test repeats what it proves by repetition: usual,
// or what `make soak N=` asks for.
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
