package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
)

// TestNodeMetrics: a node is asked at the socket in its folder; one that has ended, or
// has no socket, has no metrics; names that are none lead nowhere.
func TestNodeMetrics(t *testing.T) {
	dir, err := os.MkdirTemp("", "m") // a short path: see maxSocket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, node := range []string{"shop-1", "shop-2"} {
		if err := os.MkdirAll(filepath.Join(dir, node), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "of_the_node"}, func() float64 { return 7 }))
	served, err := metricsserver.Start(t.Context(), metricsserver.Config{
		Addr: metricsserver.UnixPrefix + folder(filepath.Join(dir, "shop-1")).metrics(), Metrics: registry, Healthy: func() error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()

	a := &Agent{cfg: Config{HostID: "h1"}, nodes: dir}
	mux := http.NewServeMux()
	for _, r := range a.Routes() {
		mux.Handle(r.Pattern, r.Handler)
	}
	srv := httptest.NewServer(mux)
	defer srv.Close()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	want := `[{"targets":["` + strings.TrimPrefix(srv.URL, "http://") + `"],"labels":{"__metrics_path__":"/nodes/shop-1/metrics","host":"h1","instance":"shop-1"}}]` + "\n"
	if code, body := get("/nodes"); code != http.StatusOK || body != want {
		t.Errorf("/nodes: %d %s, want %s", code, body, want)
	}
	if code, body := get("/nodes/shop-1/metrics"); code != http.StatusOK || !strings.Contains(body, "of_the_node 7") {
		t.Errorf("metrics: %d %s", code, body)
	}
	if code, body := get("/nodes/shop-1/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	for _, path := range []string{"/nodes/shop-2/metrics", "/nodes/other/metrics", "/nodes/a%2fb/metrics", "/nodes/%2e%2e/metrics"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	// One that was killed leaves its socket.
	left := folder(filepath.Join(dir, "shop-2")).metrics()
	if err := os.Rename(folder(filepath.Join(dir, "shop-1")).metrics(), left); err != nil {
		t.Fatal(err)
	}
	if err := served.Close(); err != nil {
		t.Fatal(err)
	}
	if code, body := get("/nodes/shop-2/metrics"); code != http.StatusBadGateway || !strings.Contains(body, "does not answer") {
		t.Errorf("of a node that has ended: %d %q", code, body)
	}
	again, err := metricsserver.Start(t.Context(), metricsserver.Config{Addr: metricsserver.UnixPrefix + left, Metrics: registry, Healthy: func() error { return nil }})
	if err != nil {
		t.Fatalf("where a socket was left: %v", err)
	}
	defer again.Close()
	if info, err := os.Stat(left); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	if code, _ := get("/nodes/shop-2/metrics"); code != http.StatusOK {
		t.Errorf("of the node that was started again: %d", code)
	}
}

// TestMetricsNeedAShortPath: a path that the system would refuse is not asked for.
func TestMetricsNeedAShortPath(t *testing.T) {
	for dir, want := range map[string]bool{"/d": true, "/" + strings.Repeat("d", maxSocket-len("/d/metrics.sock")+1): true, "/" + strings.Repeat("d", maxSocket): false} {
		if _, has := testSite.own(fleet.Assignment{Cluster: "shop", Node: "shop-1", Port: 6380}, dir)["metrics-listen"]; has != want {
			t.Errorf("%d bytes: %v, want %v", len(dir), has, want)
		}
	}
	elsewhere := site{Flags: map[string]any{"metrics-listen": "127.0.0.1:0"}}
	if own := elsewhere.own(fleet.Assignment{}, "/d"); own["metrics-listen"] != nil {
		t.Errorf("what all nodes are started with is overridden by %v", own["metrics-listen"])
	}
}
