package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// redisBenchmark runs Debian's redis-benchmark with one of its own tests. It
// exits by itself when the server answers an error.
func redisBenchmark(ctx context.Context, bin string, t test, addr string, l load) (sample, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return sample{}, err
	}
	// It sends whole pipelines. When they come to more than -n it may take the end
	// of the run for "All clients disconnected", with any server.
	requests := (l.requests + l.pipeline - 1) / l.pipeline * l.pipeline
	cmd := exec.CommandContext(ctx, bin, append([]string{"-h", host, "-p", port, "--csv",
		"-n", strconv.Itoa(requests), "-c", strconv.Itoa(l.clients), "-P", strconv.Itoa(l.pipeline),
		"-d", strconv.Itoa(l.size), "-r", strconv.Itoa(l.keys)}, t.args()...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark of %s on %s: %w\n%s%s", t.op, addr, err, out, stderr.String())
	}
	s, err := parseCSV(string(out), t.op)
	if err != nil {
		return sample{}, fmt.Errorf("redis-benchmark of %s on %s: %w", t.op, addr, err)
	}
	s.Requests = requests
	return s, nil
}

var errNoResult = errors.New("no result in its output")

// parseCSV finds a test's line in what redis-benchmark --csv prints: a header
// that names the columns, then a line a test.
func parseCSV(out, test string) (sample, error) {
	r := csv.NewReader(strings.NewReader(out))
	r.FieldsPerRecord = -1
	var columns map[string]int
	for {
		record, err := r.Read()
		if err == io.EOF {
			return sample{}, fmt.Errorf("%w: %q", errNoResult, out)
		}
		if err != nil {
			return sample{}, fmt.Errorf("%w: %w: %q", errNoResult, err, out)
		}
		switch record[0] {
		case "test":
			columns = make(map[string]int, len(record))
			for i, name := range record {
				columns[name] = i
			}
		case test:
			return sampleOf(columns, record)
		}
	}
}

func sampleOf(columns map[string]int, record []string) (sample, error) {
	number := func(name string) (float64, error) {
		i, ok := columns[name]
		if !ok || i >= len(record) {
			return 0, fmt.Errorf("%w: no column %s", errNoResult, name)
		}
		return strconv.ParseFloat(record[i], 64)
	}
	var s sample
	var p50, p99 float64
	for name, to := range map[string]*float64{"rps": &s.Ops, "p50_latency_ms": &p50, "p99_latency_ms": &p99} {
		v, err := number(name)
		if err != nil {
			return sample{}, err
		}
		*to = v
	}
	s.P50, s.P99 = milliseconds(p50), milliseconds(p99)
	return s, nil
}

func milliseconds(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
