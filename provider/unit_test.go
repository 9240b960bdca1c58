package provider

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"pgregory.net/rapid"

	"github.com/redoubtdb/redoubt/control/spec"
)

func TestMerge(t *testing.T) {
	tags := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	cluster := func(replicas int, description string, zones []string, tags map[string]string) spec.Cluster {
		c := spec.NewCluster("main")
		c.NumReplicasPerShard, c.Description, c.AvailabilityZones, c.Tags, c.NodeMemory = replicas, description, zones, tags, 1<<30
		return c
	}
	base := cluster(1, "x", []string{"a", "b"}, tags("k", "v"))
	for _, k := range []struct {
		name               string
		mine, theirs, want spec.Cluster
		clashes            []string
	}{
		{"nothing", base, base, base, nil},
		{"mine", cluster(2, "x", []string{"b", "c"}, tags("n", "v")), base, cluster(2, "x", []string{"b", "c"}, tags("n", "v")), nil},
		{"theirs stays", base, cluster(2, "y", []string{"z"}, tags("o", "w")), cluster(2, "y", []string{"z"}, tags("o", "w")), nil},
		{"both, other fields", cluster(2, "x", []string{"a", "b"}, tags("k", "v")), cluster(1, "y", []string{"a", "b"}, tags("k", "v")),
			cluster(2, "y", []string{"a", "b"}, tags("k", "v")), nil},
		{"both, other elements", cluster(1, "x", []string{"b", "c"}, tags("k", "v", "n", "1")), cluster(1, "x", []string{"a", "b", "d"}, tags("k", "v", "o", "2")),
			cluster(1, "x", []string{"b", "d", "c"}, tags("k", "v", "n", "1", "o", "2")), nil},
		{"both, the same", cluster(2, "x", nil, tags()), cluster(2, "x", []string{}, tags()), cluster(2, "x", []string{}, tags()), nil},
		{"clash", cluster(2, "x", []string{"a", "b"}, tags("k", "1")), cluster(3, "x", []string{"a", "b"}, tags("k", "2")),
			cluster(3, "x", []string{"a", "b"}, tags("k", "2")), []string{"num_replicas_per_shard", "tags.k"}},
	} {
		got, clashes, err := merge(base, k.mine, k.theirs)
		if err != nil || !reflect.DeepEqual(clashes, k.clashes) {
			t.Errorf("%s: clashes %q, want %q, %v", k.name, clashes, k.clashes, err)
		}
		if !asked(k.want, got) {
			t.Errorf("%s: %+v, want %+v", k.name, got, k.want)
		}
	}
}

// Without others' changes, a merge is what was asked for; without own ones, theirs.
func TestMergeOfOneSide(t *testing.T) {
	group := rapid.Custom(func(t *rapid.T) spec.ParameterGroup {
		text := rapid.StringMatching(`[a-c]{0,2}`)
		return spec.ParameterGroup{
			Name: "g", Description: text.Draw(t, "description"),
			Parameters: rapid.MapOf(text, text).Draw(t, "parameters"), Tags: rapid.MapOf(text, text).Draw(t, "tags"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := group.Draw(t, "a"), group.Draw(t, "b")
		for _, k := range []struct{ base, mine, theirs spec.ParameterGroup }{{a, b, a}, {a, a, b}, {a, b, b}} {
			got, clashes, err := merge(k.base, k.mine, k.theirs)
			if err != nil || len(clashes) > 0 || !asked(b, got) {
				t.Fatalf("merge(%+v, %+v, %+v) = %+v, %q, %v", k.base, k.mine, k.theirs, got, clashes, err)
			}
		}
	})
}

func TestAttributes(t *testing.T) {
	a := attributes{
		renamed: map[string]path.Path{"authentication": path.Root("authentication_mode").AtListIndex(0).AtName("type"), "parameters": path.Root("parameter")},
		sets:    map[string][]string{"user_names": {"ada", "bob"}},
		maps:    map[string]bool{"tags": true},
	}
	for problem, want := range map[string]string{
		"node_memory": "node_memory", "user_names[1]": `user_names[Value("bob")]`, "user_names[7]": "user_names", "user_names": "user_names",
		"snapshot_uris[2]": "snapshot_uris[2]", "tags.a.b": `tags["a.b"]`, "parameters.timeout": "parameter",
		"authentication": "authentication_mode[0].type", "odd[x]": "odd", "": "",
	} {
		if got := a.at(problem).String(); got != want {
			t.Errorf("%q is at %s, want %s", problem, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	read := func(name string) ([]byte, error) {
		if name == "ca.pem" {
			return []byte("PEM"), nil
		}
		return nil, errors.New("no such file")
	}
	none := func(string) string { return "" }
	vars := func(name string) string {
		return map[string]string{envEndpoint: "https://10.0.0.1:8443", envToken: "rdt_env", envCAFile: "ca.pem"}[name]
	}
	for _, k := range []struct {
		name   string
		in     settings
		getenv func(string) string
		wrong  string // attributes
		url    string
		token  string
		ca     string
	}{
		{"nothing", settings{}, none, "endpoint token", "", "", ""},
		{"no token", settings{endpoint: "https://h"}, none, "token", "", "", ""},
		{"variables", settings{}, vars, "", "https://10.0.0.1:8443", "rdt_env", "PEM"},
		{"block before variables", settings{endpoint: "https://h", token: "rdt_block", ca: "own"}, vars, "", "https://h", "rdt_block", "own"},
		{"two CAs", settings{ca: "own", caFile: "ca.pem"}, vars, "ca_file", "", "", ""},
		{"no such file", settings{caFile: "nowhere"}, vars, "ca_file", "", "", ""},
		{"insecure elsewhere", settings{insecure: true}, vars, "insecure", "", "", ""},
		{"insecure by name", settings{endpoint: "https://localhost.example.com", token: "t", insecure: true}, none, "insecure", "", "", ""},
		{"insecure here", settings{endpoint: "https://127.0.0.1:1", token: "t", insecure: true}, none, "", "https://127.0.0.1:1", "t", ""},
		{"insecure here, by name", settings{endpoint: "https://localhost:1", token: "t", insecure: true}, none, "", "https://localhost:1", "t", ""},
		{"insecure here, IPv6", settings{endpoint: "https://[::1]:1", token: "t", insecure: true}, none, "", "https://[::1]:1", "t", ""},
	} {
		k.in.fill(k.getenv)
		c, problems := k.in.config(read)
		var wrong []string
		for _, p := range problems {
			wrong = append(wrong, p.Path)
		}
		if got := strings.Join(wrong, " "); got != k.wrong {
			t.Errorf("%s: wrong is %q, want %q", k.name, got, k.wrong)
		} else if k.wrong == "" && (c.URL != k.url || string(c.Token) != k.token || string(c.CA) != k.ca || (c.Transport != nil) != k.in.insecure) {
			t.Errorf("%s: %s %s %s", k.name, c.URL, string(c.Token), c.CA)
		}
	}
}

func TestNames(t *testing.T) {
	at := time.Date(2026, 11, 28, 7, 0, 5, 123456789, time.UTC)
	a, b := generateName("shop-", at), generateName("shop-", at)
	if a == b || !strings.HasPrefix(a, "shop-202611280700051234") || spec.CheckName(a) != nil {
		t.Errorf("generated: %s, %s", a, b)
	}
	if p := prefixOf(a); p.ValueString() != "shop-" {
		t.Errorf("the prefix of %s is %s", a, p)
	}
	for _, given := range []string{"shop", "shop-1", "a20261128"} {
		if p := prefixOf(given); !p.IsNull() {
			t.Errorf("the prefix of %s is %s", given, p)
		}
	}
	long := strings.Repeat("x", 14)
	if err := spec.CheckName(generateName(long, at)); err != nil {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	size := func(s string) sizeValue { return sizeValue{types.StringValue(s)} }
	if !size("2GiB").sameAs(size("2048mb")) || size("2GiB").sameAs(size("2g")) || size("2GiB").sameAs(size("much")) {
		t.Error("amounts are compared by how they are written")
	}
}
