package agent

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
)

var testSite = site{
	AZ: "a", Address: "10.0.0.7", Bind: "0.0.0.0", FirstPort: 6379, LastPort: 6380,
	Flags: map[string]any{"etcd": []string{"http://e1:2379", "http://e2:2379"}, "store": "s3://b/p"},
}

func TestConfig(t *testing.T) {
	a := fleet.Assignment{
		Cluster: "shop", Shard: 3, Node: "shop-1", Port: 6380, Memory: 1000,
		Parameters: map[string]string{"maxclients": "7", "requirepass": "a: 'b'\n#"},
	}
	got, err := testSite.config(a, "/d/nodes/shop-1")
	if err != nil {
		t.Fatal(err)
	}
	const want = `announce: 10.0.0.7:6380
az: a
cluster: shop
etcd:
- http://e1:2379
- http://e2:2379
listen: 0.0.0.0:6380
managed-parameters: false
managed-users: false
maxclients: "7"
maxmemory: "700"
metrics-listen: unix:/d/nodes/shop-1/metrics.sock
node-id: shop-1
protected-mode: "no"
requirepass: |-
  a: 'b'
  #
shard: 3
store: s3://b/p
`
	if string(got) != want {
		t.Errorf("config is\n%s\nwant\n%s", got, want)
	}
	a.Managed = true
	a.Parameters = nil
	if got, err := testSite.config(a, ""); err != nil || !strings.Contains(string(got), "managed-users: true\n") {
		t.Errorf("users are not managed: %s, %v", got, err)
	}
	a.TLS = &fleet.TLS{Certificate: "c", Key: "k", MinVersion: "1.3"}
	got, err = testSite.config(a, "/d")
	for _, want := range []string{"listen: 0.0.0.0:0\n", "tls-port: 6380\n", "announce: 10.0.0.7:6380\n", "tls-auth-clients: \"no\"\n",
		"tls-cert-file: /d/tls/cert.pem\n", "tls-key-file: /d/tls/key.pem\n", "tls-protocols: TLSv1.3\n"} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("with TLS %v, no %q in\n%s", err, want, got)
		}
	}
	a.TLS = nil
	a.Parameters = map[string]string{"maxmemory": "5"}
	if got, err := testSite.config(a, ""); err != nil || !strings.Contains(string(got), "maxmemory: \"5\"\n") {
		t.Errorf("a parameter goes before the share: %s, %v", got, err)
	}
	for _, name := range []string{"node-id", "etcd", "store", "config"} {
		a.Parameters = map[string]string{name: "x"}
		if _, err := testSite.config(a, ""); err == nil || !strings.Contains(err.Error(), name+" is no parameter") {
			t.Errorf("parameter %s: %v", name, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	agent := []string{"PATH=/bin", "REDOUBT_LISTEN=0.0.0.0:1", "AWS_SECRET_ACCESS_KEY=s", "GOMEMLIMIT=1GiB"}
	got := site{Env: []string{"AWS_SECRET_ACCESS_KEY=t"}}.environment(agent, fleet.Assignment{Memory: 1000})
	if want := []string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=s", "AWS_SECRET_ACCESS_KEY=t", "GOMEMLIMIT=900"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	want := []string{"devel", "v1.2", "v1.9.0", "v1.10.0-rc1", "v1.10.0-rc2", "v1.10.0", "v1.10.1", "v2"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareVersions)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, a := range want {
		for _, b := range want {
			if compareVersions(a, b) != -compareVersions(b, a) {
				t.Errorf("%s and %s", a, b)
			}
		}
	}
}
