package main

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/snapshot"
)

const (
	// progressAfter is for how long work is not worth talking about.
	progressAfter = 300 * time.Millisecond
	progressEvery = 200 * time.Millisecond
)

// progress is one line on a terminal that says how far long work has come. On
// anything else it says nothing. It owns one goroutine; done ends it.
type progress struct {
	w    io.Writer
	stop chan struct{}
	over chan struct{}

	mu   sync.Mutex
	text string
}

func newProgress(w io.Writer, text string) *progress {
	p := &progress{w: w, text: text, stop: make(chan struct{}), over: make(chan struct{})}
	if !isTerminal(w) {
		close(p.over)
		return p
	}
	go p.draw()
	return p
}

// set says what is being done now.
func (p *progress) set(format string, args ...any) {
	p.mu.Lock()
	p.text = fmt.Sprintf(format, args...)
	p.mu.Unlock()
}

// done wipes the line. It must be called once.
func (p *progress) done() {
	close(p.stop)
	<-p.over
}

func (p *progress) draw() {
	defer close(p.over)
	const wipe = "\r\x1b[K"
	wait := time.NewTimer(progressAfter)
	defer wait.Stop()
	drawn := false
	for {
		select {
		case <-wait.C:
		case <-p.stop:
			if drawn {
				fmt.Fprint(p.w, wipe)
			}
			return
		}
		p.mu.Lock()
		text := p.text
		p.mu.Unlock()
		fmt.Fprint(p.w, wipe+text)
		drawn = true
		wait.Reset(progressEvery)
	}
}

// phaseText says what a snapshot's phase does.
var phaseText = map[snapshot.Phase]string{
	snapshot.PhaseBase:     "loading the snapshot to begin with",
	snapshot.PhaseImport:   "reading an RDB file",
	snapshot.PhaseReplay:   "applying the log",
	snapshot.PhaseWrite:    "writing the file",
	snapshot.PhaseCheck:    "checking the file",
	snapshot.PhaseUpload:   "uploading",
	snapshot.PhaseReadBack: "reading back what was uploaded",
	snapshot.PhaseDelete:   "deleting",
}

// snapshot shows the progress of work on snapshots.
func (p *progress) snapshot(at snapshot.Progress) {
	text := fmt.Sprintf("shard %d: %s", at.Shard, cmp.Or(phaseText[at.Phase], string(at.Phase)))
	switch {
	case at.TotalEntries > 0:
		text += fmt.Sprintf(", entry %d of %d", at.Entries, at.TotalEntries)
	case at.TotalBytes > 0:
		text += fmt.Sprintf(", %s of %s", humanSize(at.Bytes), humanSize(at.TotalBytes))
	case at.Bytes > 0:
		text += ", " + humanSize(at.Bytes)
	}
	p.set("%s", text)
}
