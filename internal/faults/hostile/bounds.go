package main

import (
	"fmt"
	"math"
	"syscall"
	"time"
)

// mostClients is the node's maxclients where the limit on open files allows it.
// The race detector stops a process with more than 8128 goroutines.
func mostClients() int {
	if raceEnabled {
		return 2000
	}
	return 10000
}

// otherFiles is how many files are kept for what is no connection of an attacker:
// the node keeps 128 for itself.
const otherFiles = 512

// clientsFor is the node's maxclients when a process may open so many files.
func clientsFor(files uint64) (int, error) {
	if files < 2*otherFiles {
		return 0, fmt.Errorf("no more than %d open files are allowed (ulimit -n), %d are needed at least", files, 2*otherFiles)
	}
	return int(min(uint64(mostClients()), min(files, math.MaxInt32)-otherFiles)), nil
}

// openFiles is how many files this process, and the node as its child, may open.
func openFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit on open files: %w", err)
	}
	// Go has raised the soft limit to the hard one, and so will the node.
	return l.Cur, nil
}

const (
	// clientMemory is the node's maxmemory-clients: far less than what the
	// attackers would make it hold.
	clientMemory = 128 << 20

	// restSlack is how much more the heap may take once an attack is over: what
	// the attackers have stored, and what pools keep.
	restSlack = 64 << 20

	// mostWork is the most processor time that the node may use between a good
	// client's request and its answer. It says how many turns others have before
	// a good client has its own; unlike the time on the clock it does not grow when
	// others have the processors.
	mostWork = 10 * time.Second

	// promptly is how long the median answer may take when the attack is over.
	promptly = time.Second
)

// memoryBound is the most resident memory that the node may take under attack,
// above what it takes at rest. What it holds at the same time is at most
//
//   - clientMemory, for all that clients send and are sent;
//   - once more for buffers that grow while they are judged: the old one and the
//     new one are there together;
//   - a reply in the making, at most half of clientMemory, which grows by copying,
//     so nine quarters of it;
//   - twice the 64 MiB that may wait to be committed: as a queue, and encoded;
//   - what the attackers store, and the segment made of it.
//
// Go collects garbage when the heap has doubled, which doubles the sum; short strings
// that are stored are outside of the heap, where free places beside them take no more
// than that. Stacks come on top.
func memoryBound(clients int) int64 {
	const (
		reply  = clientMemory / 2 * 9 / 4
		queue  = 2 * 64 << 20
		stored = 64 << 20
		stack  = 16 << 10
	)
	bound := 2*int64(2*clientMemory+reply+queue+stored) + int64(clients)*stack
	if raceEnabled {
		bound *= 8 // the detector's shadow memory
	}
	return bound
}
