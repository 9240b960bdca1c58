package node

import (
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// turns is the engine's lock as connections take it. A mutex that many want
// serves them in the order in which they came, and somebody who asks for little
// would wait for one turn of each of those who ask for a lot. Those therefore
// stand in a line of their own, and only the first of them stands in the common
// one: whoever is not among them waits for at most one of their turns.
type turns struct {
	mu   *sync.Mutex
	long sync.Mutex
}

// take waits for the caller's turn; the engine's lock is held then.
func (t *turns) take(long bool) {
	if long {
		t.long.Lock()
	}
	t.mu.Lock()
}

// end ends a turn that was taken with the same argument.
func (t *turns) end(long bool) {
	t.mu.Unlock()
	if long {
		t.long.Unlock()
	}
}

// How long turns are told from short ones.
const (
	// longTurn is the average of a connection's turns from which the next one is
	// taken for a long one: tens of short commands.
	longTurn = 200 * time.Microsecond
	// turnMemory is over about how many turns the average is taken. A turn counts
	// as maxHold at most: one in which the process was not given a processor
	// makes no connection one that asks for a lot.
	turnMemory = 8
	// fewBytes is how many bytes of arguments a short turn of a new connection
	// has.
	fewBytes = 16 << 10
)

// turnLength is what is known of the length of one connection's turns.
type turnLength struct {
	average time.Duration
	turns   int // up to turnMemory
}

// note adds a turn.
func (l *turnLength) note(turn time.Duration) {
	l.average += (min(turn, maxHold) - l.average) / turnMemory
	l.turns = min(l.turns+1, turnMemory)
}

// long reports whether the next turn is expected to be long: by those before,
// or for a new connection by what it asks for; fast is asked only then.
func (l *turnLength) long(fast func() bool) bool {
	return l.average > longTurn || l.turns < turnMemory && !fast()
}

// fast reports whether all commands of the chunk are fast for each of their
// arguments, and few and short.
func (ch *chunk) fast(t *command.Table) bool {
	size := 0
	for _, a := range ch.args {
		size += len(a)
	}
	if len(ch.args) > fewArgs || size > fewBytes {
		return false
	}
	start := 0
	for _, end := range ch.ends {
		cmd, _ := t.Lookup(ch.args[start:end])
		if cmd == nil || cmd.Flags&command.Fast == 0 {
			return false
		}
		start = end
	}
	return true
}
