package dev

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

func withControl(t *testing.T, dir string) Config {
	port := testenv.FreePorts(t, 7)
	return Config{Dir: dir, Control: true, Program: "/nowhere", FirstNodePort: port, LastNodePort: port + 6}
}

// The hosts are there when Start returns, one in each zone, and share what there is of
// memory and ports.
func TestControlHosts(t *testing.T) {
	d := start(t, withControl(t, t.TempDir()))
	o, err := fleet.Open(d.etcd.client, fleet.Options{}).Overview(t.Context())
	if err != nil || len(o.Hosts) != len(zones) {
		t.Fatalf("%d hosts, %v", len(o.Hosts), err)
	}
	seen := map[int]string{}
	for id, h := range o.Hosts {
		if id != "laptop-"+h.AZ || !slices.Contains(zones, h.AZ) || h.Address != loopback || h.Memory <= 0 || !slices.Equal(h.Engines, []string{engineVersion}) {
			t.Errorf("%s: %+v", id, h)
		}
		for port := h.FirstPort; port <= h.LastPort; port++ {
			if port < d.cfg.FirstNodePort || port > d.cfg.LastNodePort || seen[port] != "" {
				t.Errorf("port %d of %s, and of %q", port, id, seen[port])
			}
			seen[port] = id
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d of 7 ports are shared out, want 6", len(seen))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(d.Endpoints().API.URL, "https://")); err == nil {
		c.Close()
		t.Error("the API is still served")
	}
}

// The token in the directory stays the same for as long as it is good, and there is
// always one that is.
func TestControlToken(t *testing.T) {
	cfg := withControl(t, t.TempDir())
	var secrets []string
	for _, spoil := range []func(*Dev, string){
		func(*Dev, string) {},
		func(d *Dev, secret string) {
			id, _, _ := strings.Cut(strings.TrimPrefix(secret, "rdt_"), "_")
			if err := token.Open(d.etcd.client).Revoke(t.Context(), id); err != nil {
				t.Error(err)
			}
		},
		func(d *Dev, _ string) { must(t, os.Remove(d.endpoints.API.TokenFile)) },
		func(d *Dev, _ string) {
			weak, err := token.Open(d.etcd.client).Create(t.Context(), "test", wire.NewToken{Role: wire.Read})
			must(t, err)
			must(t, os.WriteFile(d.endpoints.API.TokenFile, []byte(weak.Secret), 0o600))
		},
		func(*Dev, string) {},
	} {
		d := start(t, cfg)
		b, err := os.ReadFile(d.endpoints.API.TokenFile)
		must(t, err)
		secret := strings.TrimSpace(string(b))
		if is, err := token.Open(d.etcd.client).Authenticate(t.Context(), secret); err != nil || is.Role != wire.Admin {
			t.Errorf("%+v, %v", is, err)
		}
		if info, err := os.Stat(d.endpoints.API.TokenFile); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("its file: %v, %v", info, err)
		}
		secrets = append(secrets, secret)
		spoil(d, secret)
		must(t, d.Close())
	}
	if secrets[0] != secrets[1] {
		t.Error("another token, though the one before was good")
	}
	if rest := slices.Compact(slices.Clone(secrets[1:])); len(rest) != len(secrets)-1 {
		t.Error("the same token, though it was no good")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Child processes have the keys of the directory and none of the user's.
func TestChildEnv(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "other")
	t.Setenv("AWS_PROFILE", "other")
	dir := t.TempDir()
	d := &Dev{cfg: Config{Dir: dir}}
	env, err := d.childEnv()
	must(t, err)
	last := map[string]string{}
	for _, kv := range append(os.Environ(), env...) {
		name, value, _ := strings.Cut(kv, "=")
		last[name] = value
	}
	for name, want := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "", "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_CONFIG_FILE": os.DevNull,
	} {
		if last[name] != want {
			t.Errorf("%s=%s, want %q", name, last[name], want)
		}
	}
}

// A port that is taken is named with the flag to change.
func TestControlPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	cfg := withControl(t, t.TempDir())
	cfg.APIPort = l.Addr().(*net.TCPAddr).Port
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), strconv.Itoa(cfg.APIPort)) || !strings.Contains(err.Error(), "--api-port") {
		t.Errorf("%v", err)
	}
}
