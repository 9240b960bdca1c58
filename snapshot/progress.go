package snapshot

import (
	"sync"
	"time"
)

// Phase is what long work is at.
type Phase string

// The phases, in the order in which Create goes through them.
const (
	PhaseBase     Phase = "base"      // loading the snapshot to begin with
	PhaseImport   Phase = "import"    // reading an RDB file, in its place
	PhaseReplay   Phase = "replay"    // applying the log
	PhaseWrite    Phase = "write"     // writing the file
	PhaseCheck    Phase = "check"     // loading the file back and comparing
	PhaseUpload   Phase = "upload"    // storing it
	PhaseReadBack Phase = "read-back" // reading what was stored
	PhaseDelete   Phase = "delete"    // clean-up
)

// Progress is how far long work has come. Counts are those of the phase; a total
// of 0 is not known.
type Progress struct {
	Phase        Phase
	Shard        int
	Bytes        int64
	TotalBytes   int64
	Entries      uint64
	TotalEntries uint64
}

// progressEvery is how often progress is reported within a phase.
const progressEvery = 100 * time.Millisecond

// meter counts work and reports it now and then. Its methods may be called from
// several goroutines; reports come one at a time. The nil meter does nothing.
type meter struct {
	mu     sync.Mutex
	report func(Progress)
	at     Progress
	last   time.Time
}

func newMeter(report func(Progress)) *meter {
	if report == nil {
		return nil
	}
	return &meter{report: report}
}

// phase begins a phase; reports it and the end of the one before.
func (m *meter) phase(p Progress) {
	m.change(true, func(at *Progress) {
		if at.Phase != "" {
			m.report(*at)
		}
		*at = p
	})
}

func (m *meter) bytes(n int64) { m.change(false, func(at *Progress) { at.Bytes += n }) }

func (m *meter) entry() { m.change(false, func(at *Progress) { at.Entries++ }) }

// end reports the last phase once more.
func (m *meter) end() { m.change(true, func(*Progress) {}) }

func (m *meter) change(now bool, fn func(*Progress)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fn(&m.at)
	if now || time.Since(m.last) >= progressEvery {
		m.last = time.Now()
		m.report(m.at)
	}
}
