package node

import (
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// stats are the counters of INFO. The engine's lock guards what is not atomic.
type stats struct {
	command.Stats
	started        time.Time
	commands       uint64
	entriesApplied uint64
	rates          rates
	errorReplies   uint64
	errors         map[string]uint64 // error replies by their first word
	byCommand      []*commandStats   // by command.Command.Number; nil: never called

	connections         atomic.Uint64
	rejectedConnections atomic.Uint64
	outputLimitCuts     atomic.Uint64 // connections closed by client-output-buffer-limit
	queryLimitCuts      atomic.Uint64 // and by client-query-buffer-limit
	tlsFailures         atomic.Uint64 // handshakes that failed
	netInput            atomic.Uint64
	netOutput           atomic.Uint64
	failovers           atomic.Uint64 // terms that this node has won
}

// reset zeroes what CONFIG RESETSTAT zeroes.
func (s *stats) reset() {
	s.Stats = command.Stats{}
	s.commands, s.errorReplies = 0, 0
	s.rates = rates{}
	s.errors, s.byCommand = nil, nil
	s.connections.Store(0)
	s.rejectedConnections.Store(0)
	s.outputLimitCuts.Store(0)
	s.queryLimitCuts.Store(0)
	s.netInput.Store(0)
	s.netOutput.Store(0)
}

// loadProgress is how far the loading of data at start has come.
type loadProgress struct {
	started     atomic.Int64 // Unix seconds, 0: not loading
	totalBytes  atomic.Int64
	loadedBytes atomic.Int64
	phase       atomic.Pointer[string]
}

// percent of the bytes known so far.
func (p *loadProgress) percent() float64 {
	total := p.totalBytes.Load()
	if total == 0 {
		return 0
	}
	return 100 * float64(p.loadedBytes.Load()) / float64(total)
}

// eta in seconds, at the pace so far.
func (p *loadProgress) eta(now time.Time) int64 {
	loaded, left := p.loadedBytes.Load(), p.totalBytes.Load()-p.loadedBytes.Load()
	if loaded == 0 || left <= 0 {
		return 1
	}
	return (now.Unix()-p.started.Load())*left/loaded + 1
}
