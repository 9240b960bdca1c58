package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

// nodeFrom runs the node's flags through command line, environment and file,
// and returns what they amount to.
func nodeFrom(t *testing.T, args []string, env map[string]string, file string) (*nodeOptions, *sources, error) {
	t.Helper()
	var o nodeOptions
	cmd := &cobra.Command{Use: "node"}
	o.addFlags(cmd.Flags())
	src := newSources(cmd.Flags())
	src.getenv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if file != "" {
		path := filepath.Join(t.TempDir(), "node.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	err := src.fill(cmd)
	return &o, src, err
}

const wholeFile = `
cluster: shop
shard: 3
node-id: n1
etcd:
  - http://10.0.0.1:2379
  - http://10.0.0.2:2379
store: s3://bucket/prefix
store-path-style: true
head-limit: 1GiB
lease-ttl: 3s
log-format: json
`

func TestSourcesPrecedence(t *testing.T) {
	env := map[string]string{
		"REDOUBT_SHARD": "4", "REDOUBT_NODE_ID": "n2", "REDOUBT_HEAD_LIMIT": "512mb",
		"REDOUBT_SEGMENT_AGE": "", // empty: as if it were not set
	}
	o, src, err := nodeFrom(t, []string{"--node-id", "n3", "--databases", "20"}, env, wholeFile)
	if err != nil {
		t.Fatal(err)
	}
	if o.nodeID != "n3" || src.from["node-id"] != fromFlag {
		t.Errorf("a flag goes before a variable: %q from %v", o.nodeID, src.from["node-id"])
	}
	if o.shard != 4 || src.from["shard"] != fromEnv || o.headLimit != 512<<20 {
		t.Errorf("a variable goes before the file: shard %d, head limit %v", o.shard, &o.headLimit)
	}
	if o.conn.cluster != "shop" || src.from["cluster"] != fromFile || o.leaseTTL != 3*time.Second || !o.conn.pathStyle {
		t.Errorf("from the file: %+v", o)
	}
	if got := strings.Join(o.conn.etcd, " "); got != "http://10.0.0.1:2379 http://10.0.0.2:2379" {
		t.Errorf("a list in the file: %q", got)
	}
	if o.segmentAge != 10*time.Second || o.databases != 20 || o.maxClients != 10000 || src.from["maxclients"] != fromDefault {
		t.Errorf("defaults: %+v", o)
	}
}

func TestSourcesEveryFlag(t *testing.T) {
	values := map[string]string{
		"cluster": "c", "etcd": "http://a:1,http://b:2", "etcd-ca": "ca", "etcd-cert": "cert", "etcd-key": "key",
		"store": "s3://b", "store-endpoint": "http://e", "store-path-style": "true", "store-ca": "sca", "region": "r",
		"shard": "7", "node-id": "n", "az": "z", "listen": ":1", "announce": ":2", "segment-size": "2MiB",
		"segment-age": "2s", "head-limit": "3GiB", "lease-ttl": "4s", "requirepass": "p", "aclfile": "f", "acl-pubsub-default": "allchannels", "managed-users": "true", "managed-parameters": "true", "protected-mode": "no", "enable-debug-command": "local",
		"databases": "5", "maxclients": "6", "maxmemory": "8mb", "maxmemory-clients": "7mb", "metrics-listen": ":3", "metrics-token-file": "tf", "metrics-open": "true", "log-level": "info", "log-format": "json",
		"tls-port": "8", "announce-tls": ":9", "tls-cert-file": "tc", "tls-key-file": "tk", "tls-ca-cert-file": "tca",
		"tls-auth-clients": "optional", "tls-protocols": "TLSv1.3", "tls-ciphers": "x",
	}
	env := map[string]string{}
	for _, name := range nodeFlagNames() {
		v, ok := values[name]
		if !ok {
			t.Errorf("the flag --%s is new: add it to this test", name)
		}
		env[envName(name)] = v
	}
	o, src, err := nodeFrom(t, nil, env, "")
	if err != nil {
		t.Fatal(err)
	}
	for name := range values {
		if src.from[name] != fromEnv {
			t.Errorf("--%s was not read from %s", name, envName(name))
		}
	}
	want := nodeOptions{
		conn: connection{
			cluster: "c", etcd: []string{"http://a:1", "http://b:2"}, etcdCA: "ca", etcdCert: "cert", etcdKey: "key",
			store: "s3://b", endpoint: "http://e", pathStyle: true, storeCA: "sca", region: "r",
		},
		shard: 7, nodeID: "n", az: "z", listen: ":1", announce: ":2", segmentSize: 2 << 20, segmentAge: 2 * time.Second,
		headLimit: 3 << 30, leaseTTL: 4 * time.Second, requirePass: "p", aclFile: "f", pubSubDefault: "allchannels", managedUsers: true, managedParameters: true, protectedMode: "no", debugCommand: "local", databases: 5,
		maxClients: 6, maxMemory: "8mb", maxMemoryClients: "7mb", metrics: metricsOptions{listen: ":3", tokenFile: "tf", open: true}, logLevel: "info", logFormat: "json",
		tls: tlsOptions{port: 8, announce: ":9", files: tlsfiles.Server{
			CertFile: "tc", KeyFile: "tk", CACertFile: "tca", AuthClients: "optional", Protocols: "TLSv1.3", Ciphers: "x",
		}},
	}
	if diff := differ(want, *o); diff != "" {
		t.Error(diff)
	}
}

func TestSourcesErrors(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        map[string]string
		want       string // in the message
	}{
		{"unknown key", "cluster: c\nclutter: d\n", nil, `unknown key "clutter"`},
		{"underscore", "node_id: c\n", nil, `did you mean "node-id"`},
		{"bad value in the file", "shard: many\n", nil, "shard"},
		{"bad size in the file", "head-limit: 8 miles\n", nil, "8 miles"},
		{"a map", "cluster:\n  name: c\n", nil, "cluster"},
		{"no value", "cluster:\n", nil, "cluster"},
		{"twice", "cluster: a\ncluster: b\n", nil, "cluster"},
		{"no map", "- cluster\n", nil, "flag: value"},
		{"a config within a config", "config: other.yaml\n", nil, `unknown key "config"`},
		{"bad variable", "", map[string]string{"REDOUBT_LEASE_TTL": "soon"}, "REDOUBT_LEASE_TTL"},
		{"no such file", "", map[string]string{"REDOUBT_CONFIG": "/nowhere/node.yaml"}, "REDOUBT_CONFIG"},
	} {
		_, _, err := nodeFrom(t, nil, c.env, c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != exitUsage {
			t.Errorf("%s: %v (exit code %d), want a usage error with %q", c.name, err, exitCode(err), c.want)
		}
	}
}

func TestNodeChecksFlags(t *testing.T) {
	whole := []string{"node", "--cluster", "c", "--node-id", "n", "--etcd", "http://127.0.0.1:1", "--store", "s3://b", "--region", "r"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"node"}, "--cluster, --etcd, --store, --node-id must be given"},
		{append(whole, "extra"), `takes no arguments, got "extra"`},
		{append(whole, "--etcd", "10.0.0.1:2379"), "is not a URL such as"},
		{append(whole, "--etcd-cert", "c.pem"), "--etcd-cert and --etcd-key go together"},
		{append(whole, "--etcd-ca", "c.pem"), "must begin with https"},
		{append(whole, "--node-id", "a/b"), "node id"},
		{append(whole, "--shard", "-1"), "shard"},
		{append(whole, "--head-limit", "1MiB"), "head limit"},
		{append(whole, "--segment-size", "large"), `"large" is not a size`},
		{append(whole, "--log-level", "loud"), "--log-level must be"},
		{append(whole, "--log-format", "xml"), "--log-format must be"},
		{append(whole, "--listen", "6379"), "host:port"},
		{append(whole, "--store", "bucket"), "s3://bucket/prefix"},
		{append(whole, "--nonsense"), "unknown flag: --nonsense"},
	} {
		_, stderr, code := cli(t, c.args...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d and %q, want %d and %q", c.args, code, stderr, exitUsage, c.want)
		}
	}
}
