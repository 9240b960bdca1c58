package spec

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func goodCluster() Cluster {
	c := NewCluster("main")
	c.NodeMemory, c.ACLName = 1<<30, OpenAccess
	c.Default()
	return c
}

func goodUser() User {
	u := User{Name: "alice", AccessString: "on ~* +@all", PasswordHashes: []string{strings.Repeat("ab", 32)}}
	u.Default()
	return u
}

// paths are those that problems name, in order.
func paths(p Problems) string {
	var all []string
	for _, one := range p {
		if one.Message == "" || strings.HasSuffix(one.Message, ".") {
			return "bad message of " + one.Path
		}
		all = append(all, one.Path)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestClusterValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Cluster)
		want   string // paths
		says   string
	}{
		{"defaults", func(*Cluster) {}, "", ""},
		{"no name", func(c *Cluster) { c.Name = "" }, "name", "must be given"},
		{"shards", func(c *Cluster) { c.NumShards = 2 }, "num_shards", "cluster mode does not exist yet"},
		{"negative shards", func(c *Cluster) { c.NumShards = -1 }, "num_shards", "must be 1"},
		{"cluster mode", func(c *Cluster) { c.ClusterMode = "enabled" }, "cluster_mode", "cluster mode does not exist yet"},
		{"replicas", func(c *Cluster) { c.NumReplicasPerShard = 6 }, "num_replicas_per_shard", "between 0 and 5"},
		{"most replicas", func(c *Cluster) { c.NumReplicasPerShard = 5 }, "", ""},
		{"no replicas", func(c *Cluster) { c.NumReplicasPerShard = 0 }, "", ""},
		{"negative replicas", func(c *Cluster) { c.NumReplicasPerShard = -1 }, "num_replicas_per_shard", ""},
		{"no memory", func(c *Cluster) { c.NodeMemory = 0 }, "node_memory", "must be given"},
		{"little memory", func(c *Cluster) { c.NodeMemory = 64<<20 - 1 }, "node_memory", "64MiB"},
		{"low port", func(c *Cluster) { c.Port = 80 }, "port", "1024"},
		{"port", func(c *Cluster) { c.Port = 6379 }, "", ""},
		{"no ACL", func(c *Cluster) { c.ACLName = "" }, "acl_name", `"open-access"`},
		{"engine", func(c *Cluster) { c.EngineVersion = "1.2" }, "engine_version", "1.4.0"},
		{"engine of Go", func(c *Cluster) { c.EngineVersion = "v0.0.0-20261128061221-eacf46c0a1b2+dirty" }, "", ""},
		{"engine built from source", func(c *Cluster) { c.EngineVersion = "devel-eacf46c0a1b2" }, "", ""},
		{"retention", func(c *Cluster) { c.SnapshotRetentionLimit = 36 }, "snapshot_retention_limit", "35"},
		{"windows", func(c *Cluster) { c.MaintenanceWindow, c.SnapshotWindow = "soon", "05:00" }, "maintenance_window snapshot_window", ""},
		{"short windows", func(c *Cluster) { c.MaintenanceWindow, c.SnapshotWindow = "sun:23:00-sun:23:59", "05:00-05:59" }, "maintenance_window snapshot_window", "60 minutes"},
		{"windows overlap", func(c *Cluster) { c.MaintenanceWindow, c.SnapshotWindow = "sun:23:00-mon:01:30", "01:00-02:00" }, "snapshot_window", "overlap"},
		{"windows touch", func(c *Cluster) { c.MaintenanceWindow, c.SnapshotWindow = "sun:23:00-mon:01:30", "01:30-02:30" }, "", ""},
		{"both sources", func(c *Cluster) { c.SnapshotName, c.SnapshotURIs = "a", []string{"s3://b/c.rdb"} }, "snapshot_uris", "not with both"},
		{"from an automatic snapshot", func(c *Cluster) { c.SnapshotName = "automatic.main-2026-11-28-05-00-00" }, "", ""},
		{"bad URIs", func(c *Cluster) { c.SnapshotURIs = []string{"s3://b/c.rdb", "http://b/c.rdb", "s3://b/c"} }, "snapshot_uris[1] snapshot_uris[2]", "s3://"},
		{"zones", func(c *Cluster) { c.AvailabilityZones = []string{"a", "a", "b c"} }, "availability_zones[1] availability_zones[2]", ""},
		{"tags", func(c *Cluster) { c.Tags = map[string]string{"": "x", "y": strings.Repeat("z", 257)} }, "tags. tags.y", ""},
		{"description", func(c *Cluster) { c.Description = "a\x00b" }, "description", "control characters"},
	} {
		cl := goodCluster()
		c.change(&cl)
		got := cl.Validate()
		if paths(got) != c.want || !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s: %v\nwant problems of %q that say %q", c.name, got, c.want, c.says)
		}
	}
}

func TestClusterChange(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Cluster)
		want   string
	}{
		{"nothing", func(*Cluster) {}, ""},
		{"in place", func(c *Cluster) {
			c.Description, c.NumReplicasPerShard, c.NodeMemory, c.ACLName, c.ParameterGroupName = "x", 2, 2<<30, "app", "mine"
			c.SnapshotRetentionLimit, c.SnapshotWindow, c.MaintenanceWindow = 3, "07:00-08:00", "mon:01:00-mon:02:00"
			c.AvailabilityZones, c.Tags, c.EngineVersion = []string{"a"}, map[string]string{"a": "b"}, "1.10.0"
		}, ""},
		{"all that replaces", func(c *Cluster) {
			c.Name, c.NumShards, c.ClusterMode, c.Port, c.TLSEnabled = "x", 2, "enabled", 7000, false
			c.SnapshotName, c.SnapshotURIs = "y", []string{"z"}
		}, "cluster_mode name num_shards port snapshot_name snapshot_uris tls_enabled"},
		{"older engine, see CheckEngineFloor", func(c *Cluster) { c.EngineVersion = "1.8.9" }, ""},
		{"no engine", func(c *Cluster) { c.EngineVersion = "" }, "engine_version"},
	} {
		was := goodCluster()
		was.EngineVersion = "1.9.0"
		is := was
		c.change(&is)
		if got := was.CheckChange(&is); paths(got) != c.want {
			t.Errorf("%s: %v, want problems of %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct{ floor, next, want string }{
		{"", "1.8.9", ""}, {"1.9.0", "1.9.0", ""}, {"1.9.0", "1.10.0", ""}, {"1.9.0", "1.8.9", "engine_version"},
		{"1.9.0", "devel", "engine_version"}, {"devel", "1.8.9", ""}, {"", "devel", ""},
	} {
		if got := CheckEngineFloor(c.floor, c.next); paths(got) != c.want {
			t.Errorf("from %s to %s: %v, want problems of %q", c.floor, c.next, got, c.want)
		}
	}
	all := slices.Sorted(slices.Values(Replaces))
	if strings.Join(all, " ") != "cluster_mode name num_shards port snapshot_name snapshot_uris tls_enabled" {
		t.Errorf("Replaces are %q", all)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "main": true, "a-1": true, strings.Repeat("a", 40): true,
		"": false, "1a": false, "-a": false, "a-": false, "a--b": false, "A": false, "a_b": false, "a.b": false, "ä": false, "a/b": false,
		strings.Repeat("a", 41): false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	auto := AutomaticSnapshotName(strings.Repeat("a", 40), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if CheckSnapshotName(auto) != nil || CheckName(auto) == nil || !IsAutomaticSnapshot(auto) {
		t.Errorf("%q is not what only an automatic snapshot is called", auto)
	}
	for _, bad := range []string{"automatic.", "automatic.main", "automatic.-2026-01-02-03-04-05", "automatic./x-2026-01-02-03-04-05", "x.y"} {
		if CheckSnapshotName(bad) == nil {
			t.Errorf("%q passes as the name of a snapshot", bad)
		}
	}
}

func TestAccessString(t *testing.T) {
	for text, says := range map[string]string{
		"on ~* +@all":                       "",
		"on ~app:* &news:* +@read -keys":    "",
		"ON %R~a %W~b %RW~c %wr~d +GET":     "",
		"off":                               "",
		"on +config|get -@dangerous":        "",
		"on (~a +get) (+@write ~b &c)":      "",
		"on ( ~a +get )":                    "",
		"on allkeys allcommands":            "",
		"":                                  "must be given",
		"on >secret":                        "passwords",
		"on nopass":                         "passwords",
		"on #" + strings.Repeat("a", 64):    "passwords",
		"on (>secret)":                      "passwords",
		"reset on":                          "reset",
		"on +@raed":                         "category",
		"on (~a":                            "does not end",
		"on (~a (+get))":                    "inside of another",
		"on (on ~a)":                        "in a selector",
		"on ++get":                          "not a command",
		"on get":                            "not an ACL rule",
		"on %X~a":                           "not an ACL rule",
		"on ~" + strings.Repeat("a", 16384): "at most",
	} {
		err := CheckAccessString(text)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v, want %q", text, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is repeated: %v", text, err)
		}
	}
}

func TestUserValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*User)
		want   string
	}{
		{"good", func(*User) {}, ""},
		{"no password", func(u *User) { u.PasswordHashes = nil }, "passwords"},
		{"none needed", func(u *User) { u.PasswordHashes, u.Authentication = nil, NoPassword }, ""},
		{"none needed and given", func(u *User) { u.Authentication = NoPassword }, "passwords"},
		{"three", func(u *User) {
			u.PasswordHashes = []string{strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)}
		}, "passwords"},
		{"same", func(u *User) { u.PasswordHashes = append(u.PasswordHashes, u.PasswordHashes[0]) }, "passwords[1]"},
		{"no hash", func(u *User) { u.PasswordHashes = []string{"secret"} }, "password_hashes[0]"},
		{"other ways", func(u *User) { u.Authentication = "iam" }, "authentication"},
	} {
		u := goodUser()
		c.change(&u)
		if got := u.Validate(); paths(got) != c.want || strings.Contains(got.Error(), "secret") {
			t.Errorf("%s: %v, want problems of %q", c.name, got, c.want)
		}
	}
	for password, good := range map[string]bool{
		strings.Repeat("p", 15): false, strings.Repeat("p", 16): true, strings.Repeat("p", 128): true, strings.Repeat("p", 129): false,
		strings.Repeat("p", 16) + "\n": false, "with spaces and ü": true,
	} {
		err := CheckPassword(password)
		if (err == nil) != good || err != nil && strings.Contains(err.Error(), "ppp") {
			t.Errorf("CheckPassword(%q) = %v", password, err)
		}
	}
}

func TestGroupsAndSnapshots(t *testing.T) {
	acl := ACL{Name: "app", UserNames: []string{"bob", "Eve", "bob"}}
	acl.Default()
	if got := paths(acl.Validate()); got != "user_names[0] user_names[2]" {
		t.Errorf("ACL: %s", got)
	}
	g := ParameterGroup{Name: "mine", Parameters: map[string]string{"timeout": "x", "maxmemory": "1gb", "TIMEOUT": "1", "nothing": "1", "maxclients": "5"}}
	g.Default()
	if got := paths(g.Validate()); got != "parameters.TIMEOUT parameters.maxmemory parameters.nothing parameters.timeout" {
		t.Errorf("parameter group: %s", got)
	}
	if got := paths(g.CheckChange(&ParameterGroup{Name: "other", Family: "x"})); got != "family name" {
		t.Errorf("change of a parameter group: %s", got)
	}
	s := Snapshot{Name: "automatic.x", ClusterName: ""}
	s.Default()
	if got := paths(s.Validate()); got != "cluster_name name" {
		t.Errorf("snapshot: %s", got)
	}
}

// Whatever a cluster is called, its windows are valid and apart.
func TestDefaultWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := goodCluster()
		c.Name = rapid.StringMatching(`[a-z][a-z0-9]{0,30}`).Draw(t, "name")
		c.SnapshotWindow, c.MaintenanceWindow = "", ""
		if rapid.Bool().Draw(t, "given") {
			c.MaintenanceWindow = rapid.SampledFrom([]string{"sun:23:00-mon:05:30", "sat:20:00-sun:06:00", "wed:00:00-wed:23:00"}).Draw(t, "window")
		}
		c.Default()
		if got := c.Validate(); len(got) > 0 {
			t.Fatalf("%s has the windows %s and %s: %v", c.Name, c.MaintenanceWindow, c.SnapshotWindow, got)
		}
		again := c
		again.Default()
		if again.SnapshotWindow != c.SnapshotWindow || again.MaintenanceWindow != c.MaintenanceWindow {
			t.Fatal("the defaults change when they are filled in again")
		}
	})
}

// Overlaps agrees with going through the week minute by minute.
func TestWindowsOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quarter := func(name string, n int) time.Duration {
			return time.Duration(rapid.IntRange(0, n).Draw(t, name)) * 15 * time.Minute
		}
		w := WeeklyWindow{Start: quarter("start", 7*96-1), Length: minWindow + quarter("length", 92)}
		d := DailyWindow{Start: quarter("daily start", 95), Length: minWindow + quarter("daily length", 90)}
		sunday := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
		var both bool
		for at := time.Duration(0); at < week; at += 15 * time.Minute {
			both = both || w.Contains(sunday.Add(at)) && d.Contains(sunday.Add(at))
		}
		if got := w.Overlaps(d); got != both {
			t.Fatalf("%+v and %+v: Overlaps says %v", w, d, got)
		}
	})
}

func TestEngines(t *testing.T) {
	inOrder := []string{"devel-eacf46c0a1b2", "v0.0.0-20261128061221-eacf46c0a1b2", "0.9.0", "v1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"}
	for i, a := range inOrder {
		if err := CheckEngineVersion(a); err != nil {
			t.Errorf("%q: %v", a, err)
		}
		for j, b := range inOrder {
			if got, want := CompareEngines(a, b) < 0, i < j; got != want {
				t.Errorf("%s is older than %s: %v", a, b, got)
			}
		}
	}
	if got := NewestEngine(inOrder); got != "1.10.0" {
		t.Errorf("the newest is %s", got)
	}
	for _, bad := range []string{"", "1", "1.2", "v1", "latest", "1.2.3.4", "devel-x", "unknown"} {
		if CheckEngineVersion(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// A window that is given is kept clear by the default of the other, whatever the name.
func TestDefaultWindowsKeepClear(t *testing.T) {
	for i := range 500 {
		for _, given := range []Cluster{{SnapshotWindow: "22:00-23:30"}, {SnapshotWindow: "00:00-06:00"}, {MaintenanceWindow: "sun:22:00-mon:02:00"}, {}} {
			c := given
			c.Name = fmt.Sprint("c", i)
			c.Default()
			d, err1 := ParseDailyWindow(c.SnapshotWindow)
			w, err2 := ParseWeeklyWindow(c.MaintenanceWindow)
			if err1 != nil || err2 != nil || w.Overlaps(d) {
				t.Fatalf("%s: %q and %q: %v, %v", c.Name, c.SnapshotWindow, c.MaintenanceWindow, err1, err2)
			}
		}
	}
}
