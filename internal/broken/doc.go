// Package broken holds the switches of deliberately broken variants of Redoubt:
// for each invariant of docs/ARCHITECTURE.md at least one way to leave out the
// guard that keeps it. They prove that the fault campaign (internal/faults) can
// fail. A check that never fails says nothing; one that finds out every variant
// says that it would have found a bug of that kind.
//
// A guard asks Is. In a normal build the answer is a constant, the compiler
// removes what hangs on it, and the binary holds neither a switch nor a variant's
// name: nothing that an environment variable or an attacker could flip. With the
// build tag broken,
//
//	go build -tags broken -o redoubt-broken ./cmd/redoubt
//	REDOUBT_BROKEN=early-reply ./redoubt-broken node ...
//
// the process breaks that one promise from its start to its end, and says so
// first. One variant at a time, or what a check found could not be told apart.
package broken
