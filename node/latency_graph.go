package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// The drawing of LATENCY GRAPH is Redis's: columns of at most 4 rows with 3 steps
// each, as many as fit a line, and below each column its age, from top to bottom.
const (
	graphColumns = 80
	graphRows    = 4
	graphTops    = "_o#" // how the topmost row of a column is filled
)

func latencyGraph(x *command.Ctx) {
	name := string(x.Args[2])
	e := monitor(x).events[name]
	if e == nil {
		x.Out.Error("ERR No samples available for event '" + name + "'")
		return
	}
	x.Out.Verbatim("txt", e.graph(name, time.Now().Unix()))
}

// graph draws the samples, the oldest first.
func (e *latencyEvent) graph(name string, now int64) string {
	low, high := e.samples[0].ms, e.samples[0].ms
	for _, s := range e.samples {
		low, high = min(low, s.ms), max(high, s.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", name, high, low, e.max)
	b.WriteString(strings.Repeat("-", graphColumns) + "\n")
	for from := 0; from < len(e.samples); from += graphColumns {
		if from > 0 {
			b.WriteByte('\n')
		}
		drawSamples(&b, e.samples[from:min(from+graphColumns, len(e.samples))], low, high, now)
	}
	return b.String()
}

// drawSamples draws one line of columns.
func drawSamples(b *strings.Builder, samples []latencySample, low, high, now int64) {
	const steps = graphRows * len(graphTops)
	scale := max(1, high-low)
	line := make([]byte, len(samples))
	draw := func(at func(latencySample) byte) {
		for i, s := range samples {
			line[i] = at(s)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	for row := range graphRows {
		below := (graphRows - 1 - row) * len(graphTops)
		draw(func(s latencySample) byte {
			step := int(min((s.ms-low)*int64(steps)/scale, int64(steps)-1)) - below
			switch {
			case step < 0:
				return ' '
			case step >= len(graphTops):
				return '|'
			}
			return graphTops[step]
		})
	}
	draw(func(latencySample) byte { return ' ' })
	longest := 0
	for _, s := range samples {
		longest = max(longest, len(age(now-s.at)))
	}
	for row := range longest {
		draw(func(s latencySample) byte {
			if label := age(now - s.at); row < len(label) {
				return label[row]
			}
			return ' '
		})
	}
}

// age is a number of seconds in the largest unit that it has one of.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 24*3600:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/(24*3600))
}
