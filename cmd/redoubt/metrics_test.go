package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/metricsserver"
)

func TestMetricsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	healthy := func() error { return nil }
	for content, o := range map[string]metricsOptions{
		"":                            {tokenFile: file},
		"short":                       {tokenFile: file},
		"a token that has spaces":     {tokenFile: file},
		"one-token-of-the-test\nmore": {tokenFile: file},
		"one-token-of-the-test":       {tokenFile: file, open: true},
		"a-token-of-another-file":     {tokenFile: file + ".missing"},
	} {
		write(content)
		o.listen = "127.0.0.1:0"
		if m, err := o.start(t.Context(), metricsserver.NewRegistry(), healthy); err == nil || !strings.Contains(err.Error(), "--metrics-") {
			t.Errorf("%q, %+v: %v", content, o, err)
			m.Close()
		}
	}

	if m, err := (&metricsOptions{tokenFile: file}).start(t.Context(), metricsserver.NewRegistry(), healthy); m != nil || err != nil {
		t.Errorf("without --metrics-listen: %v, %v", m, err)
	}
	write("one-token-of-the-test\n")
	m, err := (&metricsOptions{listen: "127.0.0.1:0", tokenFile: file}).start(t.Context(), metricsserver.NewRegistry(), healthy)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for token, want := range map[string]int{"": 401, "one-token-of-the-tests": 401, "one-token-of-the-test": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.Addr()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("token %q: %d, want %d", token, resp.StatusCode, want)
		}
	}
}
