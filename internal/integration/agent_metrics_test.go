package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestAgentServesMetricsOfNodes: nodes under an agent are scraped at the agent, which
// lists them as Prometheus's HTTP service discovery reads it.
func TestAgentServesMetricsOfNodes(t *testing.T) {
	addr := testenv.FreeAddr(t)
	h := startHosts(t, 1, nil, "--metrics-listen", addr)
	h.assignAll()
	node := h.list[0].node()

	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + addr + path)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(b)
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
	for _, none := range []string{"/nodes/nobody/metrics", "/nodes/%2e%2e/metrics", "/nodes/" + node + "/log"} {
		if code, _ := get(none); code != http.StatusNotFound {
			t.Errorf("%s: %d", none, code)
		}
	}
}
