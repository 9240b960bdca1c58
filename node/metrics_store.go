package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/s3segments"
)

// storeMetrics are the Prometheus metrics of a process's object store.
type storeMetrics struct {
	requests    *prometheus.HistogramVec
	errors      *prometheus.CounterVec
	sealSeconds prometheus.Histogram
	sealedBytes prometheus.Counter
}

// NewStoreMetrics registers the metrics of an object store; its result goes into
// s3segments.Config.
func NewStoreMetrics(r prometheus.Registerer) s3segments.Observer {
	buckets := prometheus.ExponentialBuckets(1e-3, 2, 16) // 1 ms to 33 s
	m := &storeMetrics{
		requests:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "s3_request_seconds", Help: "Time of one attempt at a request to object storage.", Buckets: buckets}, []string{"op"}),
		errors:      prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "s3_errors_total", Help: "Attempts at requests to object storage that failed."}, []string{"op"}),
		sealSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "seal_seconds", Help: "Time from building a segment to the head being trimmed.", Buckets: buckets}),
		sealedBytes: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "sealed_bytes_total", Help: "Bytes of segments uploaded."}),
	}
	r.MustRegister(m.requests, m.errors, m.sealSeconds, m.sealedBytes)
	return m
}

// Request observes one attempt.
func (m *storeMetrics) Request(op string, d time.Duration, err error) {
	m.requests.WithLabelValues(op).Observe(d.Seconds())
	if err != nil {
		m.errors.WithLabelValues(op).Inc()
	}
}

// Sealed observes a segment.
func (m *storeMetrics) Sealed(_ uint64, bytes int64, d time.Duration) {
	m.sealSeconds.Observe(d.Seconds())
	m.sealedBytes.Add(float64(bytes))
}
