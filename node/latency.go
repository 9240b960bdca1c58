package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
)

// latencyKept is how many samples of an event are kept.
const latencyKept = 160

// latencyMonitor keeps when what took how long, for events that took at least
// threshold. The engine's lock guards it.
type latencyMonitor struct {
	threshold int64 // milliseconds, 0: nothing is kept
	events    map[string]*latencyEvent
}

type latencyEvent struct {
	samples []latencySample // the newest last, at most one a second
	max     int64           // milliseconds, since LATENCY RESET
}

type latencySample struct{ at, ms int64 } // Unix seconds, milliseconds

// add keeps an event that began at a time in Unix milliseconds. It counts for the
// second in which it ended.
func (m *latencyMonitor) add(event string, began int64, took time.Duration) {
	ms := took.Milliseconds()
	if m.threshold == 0 || ms < m.threshold {
		return
	}
	if m.events == nil {
		m.events = map[string]*latencyEvent{}
	}
	e := m.events[event]
	if e == nil {
		e = &latencyEvent{}
		m.events[event] = e
	}
	e.max = max(e.max, ms)
	at := (began + ms) / 1000
	if n := len(e.samples); n > 0 && e.samples[n-1].at == at {
		e.samples[n-1].ms = max(e.samples[n-1].ms, ms)
		return
	}
	e.samples = append(e.samples, latencySample{at, ms})
	if len(e.samples) > latencyKept {
		e.samples = slices.Delete(e.samples, 0, 1)
	}
}

func (m *latencyMonitor) names() []string { return slices.Sorted(maps.Keys(m.events)) }

// reset forgets the events, all when none is named, and returns how many.
func (m *latencyMonitor) reset(names ...string) int {
	if len(names) == 0 {
		names = m.names()
	}
	n := 0
	for _, name := range names {
		if m.events[name] != nil {
			delete(m.events, name)
			n++
		}
	}
	return n
}

// report is LATENCY DOCTOR's text.
func (m *latencyMonitor) report() string {
	switch {
	case m.threshold == 0:
		return `Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.`
	case len(m.events) == 0:
		return fmt.Sprintf("Nothing took %d ms or more since the last LATENCY RESET.", m.threshold)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "What took %d ms or more since the last LATENCY RESET:\n", m.threshold)
	for _, name := range m.names() {
		e, sum := m.events[name], int64(0)
		for _, s := range e.samples {
			sum += s.ms
		}
		n := int64(len(e.samples))
		fmt.Fprintf(&b, "%s: in %d different seconds, %d ms on average, %d ms at most\n", name, n, sum/n, e.max)
	}
	return b.String()
}

func latencyRows() []*command.Command {
	row := func(name, since string, arity int, h func(*command.Ctx), tips ...string) *command.Command {
		if tips == nil {
			tips = []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}
		}
		return &command.Command{Name: name, Since: since, Arity: arity, Flags: adminAny, Handler: h, Tips: tips}
	}
	return []*command.Command{{
		Name: "latency", Group: "server", Since: "2.8.13", Arity: -2,
		Sub: []*command.Command{
			row("doctor", "2.8.13", 2, func(x *command.Ctx) { x.Out.Verbatim("txt", monitor(x).report()) }),
			row("graph", "2.8.13", 3, latencyGraph),
			row("histogram", "7.0.0", -2, latencyHistogram),
			row("history", "2.8.13", 3, latencyHistory),
			row("latest", "2.8.13", 2, latencyLatest),
			row("reset", "2.8.13", -2, latencyReset, "request_policy:all_nodes", "response_policy:all_succeeded"),
			{Name: "help", Since: "2.8.13", Arity: 2, Flags: command.Loading | command.Stale,
				Handler: func(x *command.Ctx) { x.Help(latencyHelp...) }},
		},
	}}
}

var latencyHelp = []string{
	"DOCTOR",
	"    Return a human readable latency analysis report.",
	"GRAPH <event>",
	"    Return an ASCII latency graph for the <event> class.",
	"HISTORY <event>",
	"    Return time-latency samples for the <event> class.",
	"LATEST",
	"    Return the latest latency samples for all events.",
	"RESET [<event> ...]",
	"    Reset latency data of one or more <event> classes.",
	"    (default: reset all data for all event classes)",
	"HISTOGRAM [COMMAND ...]",
	"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
	"    If no commands are specified then all histograms are replied.",
}

func monitor(x *command.Ctx) *latencyMonitor { return &client(x).srv.engine.latency }

func latencyHistory(x *command.Ctx) {
	var samples []latencySample
	if e := monitor(x).events[string(x.Args[2])]; e != nil {
		samples = e.samples
	}
	x.Out.Array(len(samples))
	for _, s := range samples {
		x.Out.Array(2)
		x.Out.Int(s.at)
		x.Out.Int(s.ms)
	}
}

func latencyLatest(x *command.Ctx) {
	m := monitor(x)
	x.Out.Array(len(m.events))
	for _, name := range m.names() {
		e := m.events[name]
		last := e.samples[len(e.samples)-1]
		x.Out.Array(4)
		x.Out.BulkString(name)
		x.Out.Int(last.at)
		x.Out.Int(last.ms)
		x.Out.Int(e.max)
	}
}

func latencyReset(x *command.Ctx) {
	var names []string
	for _, a := range x.Args[2:] {
		names = append(names, string(a))
	}
	x.Out.Int(int64(monitor(x).reset(names...)))
}

// latencyHistogram answers the commands named, a container standing for its
// subcommands, or all that were called.
func latencyHistogram(x *command.Ctx) {
	e := client(x).srv.engine
	type row struct {
		name string
		*commandStats
	}
	var rows []row
	take := func(cmd *command.Command, s *commandStats) {
		if s != nil && s.latency != nil {
			rows = append(rows, row{cmd.FullName(), s})
		}
	}
	if len(x.Args) == 2 {
		e.stats.called(e.table, take)
	}
	for _, a := range x.Args[2:] {
		cmd := e.table.Find(a)
		if cmd == nil {
			continue
		}
		for _, one := range append([]*command.Command{cmd}, cmd.Sub...) {
			take(one, e.stats.known(one))
		}
	}
	x.Out.Map(len(rows))
	for _, r := range rows {
		x.Out.BulkString(r.name)
		x.Out.Map(2)
		x.Out.BulkString("calls")
		x.Out.Int(int64(r.latency.n))
		x.Out.BulkString("histogram_usec")
		var steps []int64
		r.latency.cumulative(func(limit time.Duration, n uint64) { steps = append(steps, limit.Microseconds(), int64(n)) })
		x.Out.Map(len(steps) / 2)
		for _, n := range steps {
			x.Out.Int(n)
		}
	}
}
