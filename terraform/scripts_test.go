package terraform_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// fakeAWS is a folder that testdata/aws answers from, and the environment that makes
// scripts call it.
type fakeAWS struct {
	dir  string
	path string // search path
	env  []string
}

func newFakeAWS(t *testing.T) *fakeAWS {
	t.Helper()
	dir := t.TempDir()
	bin, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	run(t, nil, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", filepath.Join(dir, "ca.key"), "-subj", "/CN=test", "-days", "2", "-out", filepath.Join(dir, "ca.pem"))
	path := bin + ":" + os.Getenv("PATH")
	return &fakeAWS{dir: dir, path: path, env: []string{"FAKE_AWS=" + dir, "PATH=" + path}}
}

func (f *fakeAWS) setParameter(t *testing.T, name, value string) {
	t.Helper()
	write(t, filepath.Join(f.dir, "parameters", name), value+"\n")
}

func (f *fakeAWS) parameter(t *testing.T, name string) string {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(f.dir, "parameters", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	output, err := try(env, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
	return output
}

func try(env []string, program string, args ...string) (string, error) {
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), env...)
	output, err := command.CombinedOutput()
	return string(output), err
}

const machineFiles = "aws/modules/machine/files/"

func TestFetch(t *testing.T) {
	t.Parallel()
	aws := newFakeAWS(t)
	target := filepath.Join(t.TempDir(), "bin", "program")
	content := "#!/bin/sh\necho it runs\n"
	write(t, filepath.Join(aws.dir, "bucket/program"), content)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))

	output, err := try(aws.env, machineFiles+"fetch.sh", target, "s3://bucket/program", strings.Repeat("0", 64))
	if err == nil || !strings.Contains(output, sum) {
		t.Fatalf("a program with another checksum: %v, %s", err, output)
	}
	if _, err := os.Stat(target); err == nil {
		t.Fatal("a program with another checksum was installed")
	}
	if output, err := try(aws.env, machineFiles+"fetch.sh", target, "http://example.invalid/program", sum); err == nil {
		t.Fatalf("plain HTTP was taken: %s", output)
	}
	run(t, aws.env, machineFiles+"fetch.sh", target, "s3://bucket/program", sum)
	if got := run(t, nil, target); got != "it runs\n" {
		t.Fatalf("the program says %q", got)
	}

	// An archive, of which two programs are taken wherever in it they are.
	packed := t.TempDir()
	for _, name := range []string{"one", "two", "three"} {
		write(t, filepath.Join(packed, "release-1", name), name)
	}
	archive := filepath.Join(aws.dir, "bucket/release.tar.gz")
	run(t, nil, "tar", "-czf", archive, "-C", packed, "release-1")
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	run(t, aws.env, machineFiles+"fetch.sh", target, "s3://bucket/release.tar.gz", fmt.Sprintf("%x", sha256.Sum256(whole)), "one", "two")
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil || len(entries) != 3 {
		t.Fatalf("installed: %v, %v", entries, err)
	}
}

// certificateEnvironment is what the certificate script of a machine reads.
func (f *fakeAWS) certificateEnvironment(tls string, days int, names string) []string {
	return append([]string{
		"CA_ARN=arn:ca", "TEMPLATE_ARN=arn:template", fmt.Sprintf("CERTIFICATE_DAYS=%d", days),
		"CERTIFICATE_NAMES=" + names, "INSTANCE_ID=i-1", "INSTANCE_IP=127.0.0.1", "TLS_DIRECTORY=" + tls,
	}, f.env...)
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	aws := newFakeAWS(t)
	tls := filepath.Join(t.TempDir(), "tls")
	current := filepath.Join(tls, "current")
	script := machineFiles + "certificate.sh"
	read := func(name string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(current, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}

	env := aws.certificateEnvironment(tls, 7, "etcd-0.shop.internal control.shop.internal")
	run(t, env, script)
	first := read("cert.pem")
	run(t, nil, "openssl", "verify", "-CAfile", filepath.Join(current, "ca.pem"), filepath.Join(current, "cert.pem"))
	names := run(t, nil, "openssl", "x509", "-in", filepath.Join(current, "cert.pem"), "-noout", "-ext", "subjectAltName")
	for _, name := range []string{"DNS:etcd-0.shop.internal", "DNS:control.shop.internal", "IP Address:127.0.0.1"} {
		if !strings.Contains(names, name) {
			t.Errorf("the certificate lacks %s: %s", name, names)
		}
	}
	if info, err := os.Stat(filepath.Join(current, "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}

	run(t, env, script)
	if read("cert.pem") != first {
		t.Error("a fresh certificate was replaced")
	}
	// With 30 days asked for, one of 7 is past its half.
	run(t, aws.certificateEnvironment(tls, 30, "etcd-0.shop.internal"), script)
	if read("cert.pem") == first {
		t.Error("an old certificate was kept")
	}
	entries, err := os.ReadDir(tls)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}

	// From parameters: what an operator wrote, and never half of it.
	aws.setParameter(t, "ca", read("ca.pem"))
	aws.setParameter(t, "cert", first)
	aws.setParameter(t, "key", read("key.pem"))
	parameters := append([]string{"CERTIFICATE_DAYS=7", "CA_PARAMETER=/ca", "CERTIFICATE_PARAMETER=/cert", "KEY_PARAMETER=/key", "TLS_DIRECTORY=" + tls}, aws.env...)
	if output, err := try(parameters, script); err == nil || !strings.Contains(output, "does not belong to the key") {
		t.Errorf("a certificate with another key: %v, %s", err, output)
	}
	aws.setParameter(t, "cert", read("cert.pem"))
	run(t, parameters, script)
}

// published runs the script for metrics and returns what it puts, by name and dimension.
func (f *fakeAWS) published(t *testing.T, env []string) map[string]float64 {
	t.Helper()
	file := filepath.Join(f.dir, "metrics.json")
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	run(t, env, machineFiles+"metrics.sh")
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	var data []struct {
		MetricName, Unit string
		Value            float64
		Dimensions       []struct{ Name, Value string }
	}
	if err := json.Unmarshal(content, &data); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	values := map[string]float64{}
	for _, d := range data {
		name := d.MetricName
		for _, dimension := range d.Dimensions {
			name += " " + dimension.Name + "=" + dimension.Value
		}
		values[name] = d.Value
	}
	return values
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	aws := newFakeAWS(t)
	state := t.TempDir()
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body.Load()) }))
	defer server.Close()
	env := append([]string{"METRICS_URLS=" + server.URL, "METRICS_NAMESPACE=Redoubt/test", "STATE_DIRECTORY=" + state}, aws.env...)

	publish := func() map[string]float64 {
		t.Helper()
		return aws.published(t, env)
	}
	expect := func(what string, got, want map[string]float64) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: published %v, want %v", what, got, want)
		}
	}
	syncs := func(fast, slow int) string {
		return fmt.Sprintf(`# HELP etcd_disk_wal_fsync_duration_seconds x
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} %d
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.016"} %d
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} %d
etcd_disk_wal_fsync_duration_seconds_count %d
etcd_server_has_leader 1
etcd_mvcc_db_total_size_in_bytes 2.5e+08
etcd_server_quota_backend_bytes 1e+09
`, fast, fast+slow, fast+slow, fast+slow)
	}

	body.Store(syncs(100000, 0))
	expect("the first reading", publish(), map[string]float64{"EtcdHasLeader": 1, "EtcdQuotaUsed": 25})
	// 5 of the 105 since then were slow: the many before do not hide them.
	body.Store(syncs(100100, 5))
	expect("slow syncs", publish(), map[string]float64{"EtcdHasLeader": 1, "EtcdQuotaUsed": 25, "EtcdWALSyncP99": 16})
	body.Store(syncs(100200, 5))
	expect("fast syncs", publish(), map[string]float64{"EtcdHasLeader": 1, "EtcdQuotaUsed": 25, "EtcdWALSyncP99": 1})
	body.Store(syncs(10, 0))
	expect("a member that started again", publish(), map[string]float64{"EtcdHasLeader": 1, "EtcdQuotaUsed": 25})

	body.Store(`redoubt_role{cluster="shop",node="n1"} 1
redoubt_role{cluster="carts",node="n2"} 0
redoubt_head_bytes{cluster="shop",node="n1"} 1000
redoubt_head_limit_bytes{cluster="shop",node="n1"} 4000
redoubt_head_bytes{cluster="carts",node="n2"} 3000
redoubt_head_limit_bytes{cluster="carts",node="n2"} 4000
`)
	got := publish()
	for name, want := range map[string]float64{"Primaries Cluster=shop": 1, "HeadFill Cluster=shop": 25, "HeadFill Cluster=carts": 75} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v, of %v", name, got[name], want, got)
		}
	}
	if value, ok := got["Primaries Cluster=carts"]; ok {
		t.Errorf("a replica counts as %v primaries", value)
	}
	body.Store(`redoubt_control_cluster_status{cluster="carts",status="modifying"} 1
redoubt_control_cluster_status{cluster="shop",status="available"} 1
redoubt_control_queue_depth 0
`)
	got = publish()
	for name, want := range map[string]float64{"ClusterAvailable Cluster=shop": 1, "ClusterAvailable Cluster=carts": 0} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v, of %v", name, value, ok, want, got)
		}
	}
	server.Close()
	expect("nobody answers", publish(), nil)
}

// TestLogrotate: real logrotate, over a log that its writer has open for appending.
func TestLogrotate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	content, err := os.ReadFile(machineFiles + "logrotate.conf")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "logrotate.conf")
	write(t, config, strings.ReplaceAll(string(content), "/var/log/redoubt/", logs+"/"))
	rotate := func() {
		t.Helper()
		run(t, []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin"}, "env", "logrotate", "--state", filepath.Join(dir, "state"), config)
	}
	rotate() // no log yet
	path := filepath.Join(logs, "agent.log")
	write(t, path, "the first line\n")
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	rotate()
	const limit = 64 << 20
	for range 6 { // sparse: nothing is written but the end
		if err := log.Truncate(limit); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(log, "the last line")
		rotate()
		fmt.Fprintln(log, "what comes after")
		if now, err := os.ReadFile(path); err != nil || string(now) != "what comes after\n" {
			t.Fatalf("after it was rotated the log holds %d bytes: %v", len(now), err)
		}
	}
	entries, err := os.ReadDir(logs)
	if err != nil || len(entries) != 5 {
		t.Errorf("kept: %v, %v; want the log and four older ones", entries, err)
	}
	older, err := os.Stat(path + ".1")
	if err != nil || older.Size() != limit+int64(len("the last line\n")) {
		t.Errorf("the newest of the older ones: %v, %v", older, err)
	}
}

func TestNodeMetricsURLs(t *testing.T) {
	t.Parallel()
	var nodes atomic.Value // of string
	nodes.Store("[]")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/nodes" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, nodes.Load())
	}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	script := "aws/modules/hosts/files/node-metrics-urls.sh"
	env := []string{"AGENT_METRICS_LISTEN=0.0.0.0:" + port}
	if output := run(t, env, script); output != "" {
		t.Errorf("a host without nodes: %s", output)
	}
	// As the agent answers; see TestNodeMetrics of control/agent.
	nodes.Store(`[{"targets":["h:1"],"labels":{"__metrics_path__":"/nodes/n1/metrics","host":"h","instance":"n1"}},` +
		`{"targets":["h:1"],"labels":{"__metrics_path__":"/nodes/n2/metrics","host":"h","instance":"n2"}}]`)
	agent := "http://127.0.0.1:" + port
	if output, want := run(t, env, script), agent+"/nodes/n1/metrics\n"+agent+"/nodes/n2/metrics\n"; output != want {
		t.Errorf("got %s, want %s", output, want)
	}
	server.Close()
	if output := run(t, env, script); output != "" {
		t.Errorf("an agent that does not answer: %s", output)
	}
}
