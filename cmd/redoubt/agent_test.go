package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/control/agent"
)

// agentFrom reads a command line of the agent's.
func agentFrom(t *testing.T, args ...string) (agent.Config, error) {
	t.Helper()
	var o agentOptions
	cmd := &cobra.Command{Use: "agent"}
	o.addFlags(cmd.Flags())
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return o.config(cmd)
}

var agentArgs = []string{"--etcd", "https://e1:2379,https://e2:2379", "--store", "s3://b/p", "--host-id", "h1", "--az", "a",
	"--address", "10.0.0.7", "--memory", "16GiB", "--dir", "/d"}

func TestAgentFlags(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(node, []byte("lease-ttl: 3s\nstore: s3://elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := agentFrom(t, append(agentArgs, "--ports", "7000-7010", "--etcd-ca", "ca.pem", "--region", "r", "--store-path-style", "--node-config", node)...)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"etcd": []string{"https://e1:2379", "https://e2:2379"}, "etcd-ca": filepath.Join(wd, "ca.pem"),
		"store": "s3://b/p", "store-path-style": true, "region": "r", "lease-ttl": "3s", "log-level": "info", "log-format": "text",
	}
	if !reflect.DeepEqual(cfg.NodeFlags, want) {
		t.Errorf("flags of nodes %v, want %v", cfg.NodeFlags, want)
	}
	for name := range want {
		if !slices.Contains(nodeFlagNames(), name) {
			t.Errorf("nodes have no flag %s", name)
		}
	}
	if cfg.FirstPort != 7000 || cfg.LastPort != 7010 || cfg.Memory != 16<<30 || cfg.Engines.Own == "" {
		t.Errorf("%+v", cfg)
	}
}

func TestAgentFlagErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--ports 7000-6000", "is not a range of ports"},
		{"--ports 0-1", "is not a range of ports"},
		{"--ports x", "is not a range of ports"},
		{"--address example.org", `--address: "example.org" is not an IP address`},
		{"--bind x", `--bind: "x" is not an IP address`},
		{"--host-id a/b", "--host-id: "},
		{"--etcd 10.0.0.1:2379", "is not a URL"},
		{"--node-config /no/such/file", "--node-config: "},
		{"--az= --memory 0", "--az, --memory must be given"},
	} {
		_, err := agentFrom(t, append(agentArgs, strings.Fields(c.args)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != exitUsage {
			t.Errorf("%s: %v (exit code %d), want %s", c.args, err, exitCode(err), c.want)
		}
	}
}
