package node

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/internal/arena"
	"github.com/redoubtdb/redoubt/wal"
)

const namespace = "redoubt"

// metrics are the node's Prometheus metrics. It observes appends and requests to
// etcd; what can be read at any time is read when it is scraped.
type metrics struct {
	commitLatency prometheus.Histogram
	groupUnits    prometheus.Histogram
	groupBytes    prometheus.Histogram
	etcdRequests  *prometheus.HistogramVec
	etcdErrors    *prometheus.CounterVec
	headEntries   prometheus.Gauge

	// stored is the size of the last append as it is in the head. Appends are
	// one at a time, and each is observed before its commit is told of.
	stored atomic.Int64
}

func newMetrics(n *Node, r prometheus.Registerer) *metrics {
	r = prometheus.WrapRegistererWith(prometheus.Labels{"cluster": n.cfg.Cluster, "node": n.cfg.NodeID}, r)
	const ns = namespace
	latency := prometheus.ExponentialBuckets(100e-6, 2, 16) // 0.1 ms to 3.3 s
	m := &metrics{
		commitLatency: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Name: "commit_latency_seconds", Help: "Time from an append's request to the quorum's answer.", Buckets: latency}),
		groupUnits:    prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Name: "commit_group_units", Help: "Commands and transactions committed by one append.", Buckets: prometheus.ExponentialBuckets(1, 2, 13)}),
		groupBytes:    prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Name: "commit_group_bytes", Help: "Payload bytes committed by one append, uncompressed.", Buckets: prometheus.ExponentialBuckets(64, 4, 10)}),
		etcdRequests:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: ns, Name: "etcd_request_seconds", Help: "Time of a request to etcd.", Buckets: latency}, []string{"op"}),
		etcdErrors:    prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Name: "etcd_errors_total", Help: "Requests to etcd that failed; they are repeated."}, []string{"op"}),
		headEntries:   prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "head_entries", Help: "Entries of the log that are in etcd, as this primary counts them."}),
	}
	r.MustRegister(m.commitLatency, m.groupUnits, m.groupBytes, m.etcdRequests, m.etcdErrors, m.headEntries)
	gauge := func(name, help string, read func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: ns, Name: name, Help: help}, read))
	}
	gauge("head_bytes", "Bytes of the log head in etcd; 0 on a replica.", func() float64 { return n.readTenure(func(p *tenure) float64 { return float64(p.term.HeadBytes()) }) })
	gauge("head_limit_bytes", "Bytes that the log head may have.", func() float64 { return float64(n.cfg.HeadLimit) })
	gauge("lease_left_seconds", "Time until the primary's lease ends locally; 0 on a replica.", func() float64 { return n.readTenure(func(p *tenure) float64 { return p.term.LeaseLeft().Seconds() }) })
	gauge("append_queue_bytes", "Payload bytes executed and not committed.", func() float64 {
		return n.readTenure(func(p *tenure) float64 { return float64(p.appender.QueuedBytes()) })
	})
	gauge("seal_lag_entries", "Committed entries that are in no segment.", func() float64 {
		return n.readTenure(func(p *tenure) float64 { return float64(p.appender.Committed() - p.sealedSeq()) })
	})
	gauge("role", "1 on the primary, 0 on a replica, -1 while loading.", func() float64 {
		switch n.Role() {
		case RolePrimary:
			return 1
		case RoleReplica:
			return 0
		}
		return -1
	})
	gauge("applied_seq", "Last committed entry of the log that the data holds.", func() float64 { return float64(n.describe().Applied) })
	gauge("replication_lag_entries", "Entries that a replica has heard of and not applied.", func() float64 { entries, _ := n.readLag(); return float64(entries) })
	gauge("replication_lag_seconds", "How long ago the newest entry that a replica applied was written, while there are newer ones.", func() float64 { _, ms := n.readLag(); return float64(ms) / 1000 })
	gauge("snapshot_age_seconds", "Age of the newest snapshot; -1 when there is none.", func() float64 {
		if at := n.snapshotTime.Load(); at != nil {
			return time.Since(*at).Seconds()
		}
		return -1
	})
	gauge("arena_mapped_bytes", "Memory for short strings, outside of Go's heap.", func() float64 { return float64(arena.Mapped()) })
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: ns, Name: "tls_handshake_failures_total", Help: "Clients that could not be served over TLS."},
		func() float64 { return float64(n.engine.stats.tlsFailures.Load()) }))
	if n.cfg.TLS.Listen != "" {
		gauge("tls_certificate_not_after_seconds", "When the certificate shown to clients expires, in Unix time.", func() float64 { return float64(n.settings.tlsFiles.NotAfter().Unix()) })
	}
	gauge("connected_clients", "Connections of clients.", func() float64 { return float64(n.server.clients()) })
	return m
}

// readTenure reads a number of the present tenure; 0 on a replica.
func (n *Node) readTenure(read func(*tenure) float64) float64 {
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	if n.engine.primary == nil {
		return 0
	}
	return read(n.engine.primary)
}

func (n *Node) readLag() (uint64, int64) {
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	return n.lag()
}

func (m *metrics) appended(s wal.AppendStats) {
	m.commitLatency.Observe(s.Latency.Seconds())
	m.groupUnits.Observe(float64(s.Units))
	m.groupBytes.Observe(float64(s.Bytes))
}

// Append observes what etcdfence stored; latency is measured around it already.
func (m *metrics) Append(_ time.Duration, storedBytes int, err error) {
	if err == nil {
		m.stored.Store(int64(storedBytes))
	}
}

// Request observes a request to etcd.
func (m *metrics) Request(op string, d time.Duration, err error) {
	m.etcdRequests.WithLabelValues(op).Observe(d.Seconds())
	if err != nil {
		m.etcdErrors.WithLabelValues(op).Inc()
	}
}

// Head observes the log head.
func (m *metrics) Head(entries int, _ int64) { m.headEntries.Set(float64(entries)) }
