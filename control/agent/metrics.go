package agent

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// metrics are what an agent exports.
type metrics struct {
	states *prometheus.GaugeVec
	steps  *prometheus.CounterVec
	exits  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, healthy func() error) *metrics {
	m := &metrics{
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "redoubt_agent_nodes", Help: "Nodes of this host, by state.",
		}, []string{"state"}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redoubt_agent_steps_total", Help: "What was done about nodes: start, terminate, kill, settle (end the lease of one that has ended), remove.",
		}, []string{"step"}),
		exits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redoubt_agent_exits_total", Help: "Ends of nodes' processes, by exit code or signal.",
		}, []string{"reason"}),
	}
	registered := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "redoubt_agent_registered", Help: "1 while the host is registered in etcd and knows its assignments.",
	}, func() float64 {
		if healthy() != nil {
			return 0
		}
		return 1
	})
	r.MustRegister(m.states, m.steps, m.exits, registered)
	return m
}

func (m *metrics) step(v verb) { m.steps.WithLabelValues(string(v)).Inc() }

func (m *metrics) exit(e fleet.Exit) {
	reason := e.Signal
	switch {
	case reason == "" && e.Code < 0:
		reason = "unknown"
	case reason == "":
		reason = strconv.Itoa(e.Code)
	}
	m.exits.WithLabelValues(reason).Inc()
}

func (m *metrics) nodes(all []fleet.Status) {
	count := map[fleet.State]int{fleet.Starting: 0, fleet.Running: 0, fleet.BackingOff: 0, fleet.Stopped: 0, fleet.Failed: 0}
	for _, s := range all {
		count[s.State]++
	}
	for state, n := range count {
		m.states.WithLabelValues(string(state)).Set(float64(n))
	}
}
