package dev

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func (c *Config) control(api, first, last int) {
	c.Control, c.APIPort, c.FirstNodePort, c.LastNodePort = true, api, first, last
}

func TestConfigCheck(t *testing.T) {
	good := func() Config { return Config{Dir: "d", Port: 6379, Replicas: 2, S3Port: 9000} }
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // in the message; "" for a good one
	}{
		{"good", func(*Config) {}, ""},
		{"all ports free", func(c *Config) { c.Port, c.S3Port, c.Metrics = 0, 0, true }, ""},
		{"metrics port without metrics", func(c *Config) { c.MetricsPort = 6379 }, ""},
		{"no directory", func(c *Config) { c.Dir = "" }, "--dir"},
		{"negative replicas", func(c *Config) { c.Replicas = -1 }, "--replicas"},
		{"many replicas", func(c *Config) { c.Replicas = 6 }, "--replicas"},
		{"bind to a name", func(c *Config) { c.Bind = "localhost" }, "--bind"},
		{"port too high", func(c *Config) { c.Port = 65536 }, "--port must be"},
		{"s3 port negative", func(c *Config) { c.S3Port = -1 }, "--s3-port must be"},
		{"replica beyond the ports", func(c *Config) { c.Port = 65534 }, "port 65536"},
		{"s3 on a replica's port", func(c *Config) { c.S3Port = 6381 }, "port 6381 is wanted for replica 2"},
		{"TLS beside", func(c *Config) { c.TLS, c.TLSPort = true, 7379 }, ""},
		{"TLS on a replica's port", func(c *Config) { c.TLS, c.TLSPort = true, 6380 }, "port 6380 is wanted for replica 1"},
		{"TLS beyond the ports", func(c *Config) { c.TLS, c.TLSPort = true, 65535 }, "port 65536"},
		{"no TLS on a replica's port", func(c *Config) { c.TLSPort = 6380 }, ""},
		{"a control plane", func(c *Config) { c.control(8443, 6500, 6559) }, ""},
		{"a control plane on any port", func(c *Config) { c.control(0, 6500, 6502) }, ""},
		{"API port too high", func(c *Config) { c.control(65536, 6500, 6559) }, "--api-port must be"},
		{"API on the s3 port", func(c *Config) { c.control(9000, 6500, 6559) }, "port 9000 is wanted for --s3-port and for --api-port"},
		{"too few node ports", func(c *Config) { c.control(8443, 6500, 6501) }, "--node-ports must be a range of 3 ports or more, not 6500-6501"},
		{"no node ports", func(c *Config) { c.Control = true }, "--node-ports"},
		{"node ports too high", func(c *Config) { c.control(8443, 65530, 65536) }, "--node-ports"},
		{"a replica on a node port", func(c *Config) { c.control(8443, 6381, 6390) }, "port 6381 is wanted for replica 2"},
		{"no control plane on the s3 port", func(c *Config) { c.APIPort = 9000 }, ""},
		{"metrics on the s3 port", func(c *Config) { c.Metrics, c.MetricsPort = true, 9000 }, "port 9000 is wanted for --s3-port and for --metrics-port"},
	} {
		cfg := good()
		c.change(&cfg)
		err := cfg.check()
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReachable(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1:1", "10.1.2.3:1": "10.1.2.3:1", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", "nonsense": "nonsense",
	} {
		if got := reachable(in); got != want {
			t.Errorf("reachable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	if held, _, err := holder(dir); held || err != nil {
		t.Fatalf("nobody has been there: %v, %v", held, err)
	}
	f, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if held, pid, err := holder(dir); !held || pid != os.Getpid() || err != nil {
		t.Fatalf("held by this process: %v, %d, %v", held, pid, err)
	}
	_, err = lock(dir)
	var who *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &who) || who.PID != os.Getpid() || who.Dir != dir {
		t.Fatalf("the second one: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if held, _, err := holder(dir); held || err != nil {
		t.Fatalf("let go: %v, %v", held, err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// Whoever only looks must not keep a dev from starting.
func TestLockWhileSomebodyLooks(t *testing.T) {
	dir := t.TempDir()
	f, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_, _, _ = holder(dir)
			}
		}
	}()
	for range 100 {
		f, err := lock(dir)
		if err != nil {
			t.Errorf("taken for held: %v", err)
			break
		}
		f.Close()
	}
	close(stop)
	<-done
}

func TestEndpoints(t *testing.T) {
	dir := t.TempDir()
	want := Endpoints{
		PID: os.Getpid(), Started: time.Now().UTC().Truncate(0), Version: "v1", Cluster: Cluster, Etcd: []string{"http://127.0.0.1:1"},
		S3:    S3{Endpoint: "http://127.0.0.1:2", Bucket: "b", Region: "r", AccessKey: "a", SecretKey: "s"},
		Nodes: []Node{{ID: "dev-1", Address: "127.0.0.1:3"}},
	}
	read := func(want string) {
		t.Helper()
		if _, err := ReadEndpoints(dir); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	read("there is no")
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	read("is gone") // written by a process that does not hold the lock
	f, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := ReadEndpoints(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, %v; want %+v", got, err, want)
	}
	info, err := os.Stat(filepath.Join(dir, endpointsName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others can read the secret", info.Mode(), err)
	}
	other := want
	other.PID++
	if err := other.write(dir); err != nil {
		t.Fatal(err)
	}
	read("is gone") // left behind by another dev than the one that is starting
	if err := errors.Join(removeEndpoints(dir), removeEndpoints(dir)); err != nil {
		t.Error(err)
	}
	read("still starting, or stopping")
	if left, err := filepath.Glob(filepath.Join(dir, ".redoubt.json-*")); len(left) > 0 || err != nil {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	access, secret, err := credentials(dir)
	if err != nil || access != accessKey || len(secret) < 20 {
		t.Fatalf("%q, %q, %v", access, secret, err)
	}
	access2, secret2, err := credentials(dir)
	if err != nil || access2 != access || secret2 != secret {
		t.Errorf("the second time: %q, %q, %v", access2, secret2, err)
	}
	path := filepath.Join(dir, credentialsName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others can read the secret", info.Mode(), err)
	}
	own := "# mine\n[other]\naws_access_key_id = x\n[ default ]\naws_secret_access_key=a=b\n aws_access_key_id =  me \n"
	if access, secret := parseCredentials([]byte(own)); access != "me" || secret != "a=b" {
		t.Errorf("written by hand: %q, %q", access, secret)
	}
	if err := os.WriteFile(path, []byte("[default]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := credentials(dir); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a file without keys: %v", err)
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte("[default]\naws_access_key_id = a\naws_secret_access_key = s\n"))
	f.Add([]byte("[default"))
	f.Fuzz(func(t *testing.T, b []byte) {
		access, secret := parseCredentials(b)
		if access == "" || secret == "" {
			return
		}
		if a, s := parseCredentials(formatCredentials(access, secret)); a != access || s != secret {
			t.Errorf("%q and %q are read back as %q and %q", access, secret, a, s)
		}
	})
}
