package reconcile

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a driver. They are served for as long as it runs: a control plane that is
// not the elected one any more says nothing of clusters, and may be elected again.
type metrics struct {
	registry prometheus.Registerer // nil: none
	all      []prometheus.Collector

	passes   *prometheus.HistogramVec // by result
	actions  *prometheus.CounterVec   // by reason and result
	clusters *prometheus.GaugeVec     // by status
	jobs     *prometheus.CounterVec   // by kind and result
}

func newMetrics(r prometheus.Registerer, q *queue) *metrics {
	m := &metrics{
		registry: r,
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "redoubt_control_reconcile_seconds", Help: "Time to look at one resource, decide and act.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"result"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redoubt_control_actions_total", Help: "Actions that were taken.",
		}, []string{"reason", "result"}),
		clusters: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "redoubt_control_cluster_status", Help: "1 for the status that a cluster has.",
		}, []string{"cluster", "status"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "redoubt_control_jobs_total", Help: "Long work that has ended.",
		}, []string{"kind", "result"}),
	}
	m.all = []prometheus.Collector{m.passes, m.actions, m.clusters, m.jobs, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "redoubt_control_queue_depth", Help: "Resources that wait for a worker.",
	}, func() float64 { return float64(q.depth()) })}
	return m
}

func (m *metrics) begin() {
	if m.registry != nil {
		m.registry.MustRegister(m.all...)
	}
}

func (m *metrics) end() {
	for _, c := range m.all {
		if m.registry != nil {
			m.registry.Unregister(c)
		}
	}
}

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

func (m *metrics) pass(began time.Time, now time.Time, err error) {
	m.passes.WithLabelValues(result(err)).Observe(now.Sub(began).Seconds())
}

func (m *metrics) action(a Action, err error) {
	m.actions.WithLabelValues(a.reason(), result(err)).Inc()
}

func (m *metrics) status(cluster, status string) {
	m.clusters.DeletePartialMatch(prometheus.Labels{"cluster": cluster})
	if status != "" {
		m.clusters.WithLabelValues(cluster, status).Set(1)
	}
}
