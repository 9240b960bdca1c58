package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestAgentServesMetricsOfNodes: nodes under an agent are scraped at the agent, which
// lists them as Prometheus's HTTP service discovery reads it, with a token as Prometheus
// shows it. Health takes none.
func TestAgentServesMetricsOfNodes(t *testing.T) {
	addr := testenv.FreeAddr(t)
	const token = "a-token-for-this-test"
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	h := startHosts(t, 1, nil, "--metrics-listen", addr, "--metrics-token-file", file)
	h.assignAll()
	node := h.list[0].node()

	ask := func(path, authorization string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
		must(t, err)
		r.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(b)
	}
	get := func(path string) (int, string) {
		t.Helper()
		return ask(path, "Bearer "+token)
	}
	_, body := get("/nodes")
	var found []struct {
		Targets []string
		Labels  map[string]string
	}
	must(t, json.Unmarshal([]byte(body), &found))
	if len(found) != 1 || len(found[0].Targets) != 1 || found[0].Targets[0] != addr || found[0].Labels["instance"] != node || found[0].Labels["host"] != h.list[0].id {
		t.Fatalf("/nodes: %s", body)
	}
	path := found[0].Labels["__metrics_path__"]
	if code, body := get(path); code != http.StatusOK || !strings.Contains(body, `redoubt_`) || !strings.Contains(body, `node="`+node+`"`) {
		t.Errorf("%s: %d\n%.1000s", path, code, body)
	}
	if code, body := get("/nodes/" + node + "/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	if code, body := get("/metrics"); code != http.StatusOK || !strings.Contains(body, `redoubt_agent_nodes{state="running"} 1`) {
		t.Errorf("/metrics: %d\n%.1000s", code, body)
	}
	for path, want := range map[string]int{"/nodes": 401, path: 401, "/metrics": 401, "/healthz": 200, "/nodes/" + node + "/healthz": 200} {
		if code, body := ask(path, ""); code != want {
			t.Errorf("%s without a token: %d %.200s, want %d", path, code, body, want)
		}
	}
	for _, none := range []string{"/nodes/nobody/metrics", "/nodes/%2e%2e/metrics", "/nodes/" + node + "/log"} {
		if code, _ := get(none); code != http.StatusNotFound {
			t.Errorf("%s: %d", none, code)
		}
	}
}
