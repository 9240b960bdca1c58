package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// Passwords and engines of a life.
const (
	writerPassword = "of the writer alone"
	firstPassword  = "of the application"
	otherPassword  = "of the application, later"
	oldEngine      = "v1.10.0"
	newEngine      = "v1.11.0"
	// soon is how long nodes have for what they take from etcd, which is a second on a
	// machine that is not busy.
	soon = 5 * time.Second
)

// lifeSpec is what testdata/life.tf asks for.
type lifeSpec struct {
	Cluster         string   `json:"cluster"`
	Snapshot        string   `json:"snapshot,omitempty"`
	Replicas        int      `json:"replicas"`
	Engine          string   `json:"engine"`
	Memory          int      `json:"memory"` // MiB
	Databases       string   `json:"databases"`
	Timeout         string   `json:"timeout"`
	Access          string   `json:"access"`
	PasswordVersion int      `json:"password_version"`
	Users           []string `json:"users"`
}

// life is a cluster that Terraform makes and changes while writers write.
type life struct {
	t     *testing.T
	hosts *hosts
	tf    *terraform
	// elected does the work, and standby serves Terraform.
	elected, standby *controlPlane
	want             lifeSpec
	roots            *x509.CertPool

	mu    sync.Mutex
	addrs []string // of the nodes, as they were known last

	writers *writers
}

const (
	// lifeLease is the usual one.
	lifeLease = 2 * time.Second
	// hostGrace is how soon the nodes of a host that is gone are replaced.
	hostGrace = "5s"
)

func startLife(t *testing.T) *life {
	t.Helper()
	engines := t.TempDir()
	for _, v := range []string{oldEngine, newEngine} {
		testenv.RedoubtOfVersion(t, engines, v)
	}
	h := startHosts(t, 3, map[string]string{"lease-ttl": lifeLease.String()}, "--engines", engines)
	config, err := os.ReadFile(filepath.Join("testdata", "life.tf"))
	must(t, err)
	l := &life{t: t, hosts: h, want: lifeSpec{
		Cluster: "main", Replicas: 1, Engine: oldEngine, Memory: 256, Databases: "16", Timeout: "300",
		Access: "on ~app:* +@all -@dangerous", PasswordVersion: 1, Users: []string{"writer", "app"},
	}}
	l.elected = h.control("control-0", "--host-grace", hostGrace)
	l.awaitElected(l.elected)
	l.standby = h.control("control-1", "--host-grace", hostGrace)
	l.tf = startTerraform(h, l.standby, string(config), "TF_VAR_writer_password="+writerPassword)
	l.password(firstPassword)
	return l
}

// password is what the application's will be.
func (l *life) password(p string) { l.tf.env = append(l.tf.env, "TF_VAR_app_password="+p) }

// ask writes down what is wanted now.
func (l *life) ask(change func(*lifeSpec)) {
	l.t.Helper()
	change(&l.want)
	b, err := json.Marshal(map[string]any{"life": l.want})
	must(l.t, err)
	must(l.t, os.WriteFile(filepath.Join(l.tf.dir, "terraform.tfvars.json"), b, 0o600))
}

// apply makes it so; then nothing is left to do.
func (l *life) apply(change func(*lifeSpec)) {
	l.t.Helper()
	l.ask(change)
	start := time.Now()
	l.tf.run([]int{0}, "apply", "-auto-approve", "-no-color")
	l.t.Logf("applied within %v: %+v", time.Since(start).Round(100*time.Millisecond), l.want)
	l.settled()
}

func (l *life) settled() {
	l.t.Helper()
	l.tf.empty()
	if got := l.status().Shards; len(got) != 1 || len(got[0].Nodes) != l.want.Replicas+1 {
		l.t.Fatalf("with %d replicas: %+v", l.want.Replicas, got)
	}
}

func (l *life) status() spec.ClusterStatus {
	l.t.Helper()
	return clusterStatus(l.t, l.tf.api, l.want.Cluster)
}

func nodesOf(s spec.ClusterStatus) (all []spec.NodeStatus) {
	for _, sh := range s.Shards {
		all = append(all, sh.Nodes...)
	}
	return all
}

func addrOf(e spec.Endpoint) string { return net.JoinHostPort(e.Address, strconv.Itoa(e.Port)) }

// endpoints are where writers find the nodes of the first cluster.
func (l *life) endpoints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var s spec.ClusterStatus
	if r, err := l.tf.api.Clusters.Get(ctx, "main"); err == nil && json.Unmarshal(r.Status, &s) == nil && len(nodesOf(s)) > 0 {
		l.addrs = nil
		for _, n := range nodesOf(s) {
			l.addrs = append(l.addrs, addrOf(n.Endpoint))
		}
	}
	return l.addrs
}

func (l *life) dialAs(addr, user, password string) *redis.Client {
	o := dialOptions(addr)
	o.Username, o.Password, o.TLSConfig = user, password, &tls.Config{RootCAs: l.roots}
	return redis.NewClient(o)
}

func (l *life) dial(addr string) *redis.Client { return l.dialAs(addr, "writer", writerPassword) }

// authority takes over by whom the cluster's nodes are certified.
func (l *life) authority() {
	l.t.Helper()
	ca := l.tf.output("ca")
	l.roots = x509.NewCertPool()
	if !l.roots.AppendCertsFromPEM([]byte(ca)) || ca != l.status().CACertificate || ca != l.tf.output("ca_of_data") {
		l.t.Fatalf("ca_certificate %q, of the data source %q", ca, l.tf.output("ca_of_data"))
	}
}

// everywhere waits until each node is so, as somebody sees it.
func (l *life) everywhere(what, user, password string, is func(ctx context.Context, db *redis.Client) error) {
	l.t.Helper()
	l.everywhereWithin(soon, what, user, password, is)
}

func (l *life) everywhereWithin(d time.Duration, what, user, password string, is func(ctx context.Context, db *redis.Client) error) {
	l.t.Helper()
	for _, n := range nodesOf(l.status()) {
		testenv.Eventually(l.t, d, what+" on "+n.Name, func(ctx context.Context) error {
			db := l.dialAs(addrOf(n.Endpoint), user, password)
			defer db.Close()
			return is(ctx, db)
		})
	}
}

// verify looks at the primary for all that was acknowledged.
func (l *life) verify(ws *writers) {
	l.t.Helper()
	var db *redis.Client
	testenv.Eventually(l.t, time.Minute, "a primary that serves", func(ctx context.Context) error {
		if db != nil {
			db.Close()
		}
		db = l.dial(addrOf(l.status().ClusterEndpoint))
		return db.Set(ctx, "probe", 1, 0).Err()
	})
	defer db.Close()
	ws.verify(db)
}

// A cluster's life by Terraform, under load, from its creation to another cluster that
// is made of its final snapshot: nothing that was acknowledged is lost.
func TestTerraformLifeOfACluster(t *testing.T) {
	l := startLife(t)
	l.apply(func(*lifeSpec) {})
	l.authority()
	ws := startWritersBy(t, 2, l.endpoints, l.dial)
	l.writers = ws
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"the number of replicas", l.scales},
		{"an interrupted apply", l.isInterrupted},
		{"a parameter", l.changesAParameter},
		{"users and the ACL", l.changesUsers},
		{"memory and databases", l.restarts},
		{"an engine", l.upgrades},
		{"a host to be emptied", l.leavesAHost},
		{"the loss of a host", l.losesAHost},
	} {
		ws.waitAcks(50)
		start := time.Now()
		step.do()
		ws.waitAcks(50)
		l.verify(ws)
		t.Logf("%s: %v, %d acknowledged", step.name, time.Since(start).Round(time.Second), ws.acked.Load())
		if t.Failed() {
			return
		}
	}
	l.tf.run([]int{0}, "destroy", "-auto-approve", "-no-color")
	ws.end()
	l.apply(func(s *lifeSpec) { s.Cluster, s.Snapshot, s.Replicas = "second", "main-final", 0 })
	l.authority()
	l.verify(ws)
	t.Logf("%d acknowledged", ws.acked.Load())
	l.tf.run([]int{0}, "destroy", "-auto-approve", "-no-color")
}

// isInterrupted: an apply that adds a replica is interrupted while that is being done,
// and the next one finishes it.
func (l *life) isInterrupted() {
	t := l.t
	l.ask(func(s *lifeSpec) { s.Replicas = 1 })
	apply := l.beginsToApply()
	if code := apply.Interrupt(time.Minute); code != 1 {
		t.Fatalf("an apply that was interrupted: exit code %d\n%s", code, apply.Log())
	}
	l.apply(func(*lifeSpec) {})
}

// beginsToApply returns when what is wanted is being carried out.
func (l *life) beginsToApply() *testenv.Process {
	l.t.Helper()
	before := l.newest()
	apply := l.tf.start("apply", "-auto-approve", "-no-color")
	testenv.Eventually(l.t, time.Minute, "the change to be carried out", func(context.Context) error {
		if now := l.newest(); now.ID == before.ID || now.State == wire.Pending {
			return fmt.Errorf("the newest operation is %+v", now)
		}
		return nil
	})
	return apply
}

// newest is the newest operation of the first cluster.
func (l *life) newest() wire.Operation {
	l.t.Helper()
	all, err := l.tf.api.Operations(l.t.Context(), "clusters/main", 1)
	must(l.t, err)
	if len(all) != 1 {
		l.t.Fatal("an available cluster has no operation")
	}
	return all[0]
}

func (l *life) changesAParameter() {
	isTimeout := func(ctx context.Context, db *redis.Client) error {
		got, err := db.ConfigGet(ctx, "timeout").Result()
		if err == nil && got["timeout"] != l.want.Timeout {
			err = fmt.Errorf("timeout is %s", got["timeout"])
		}
		return err
	}
	l.everywhere("the timeout from before", "writer", writerPassword, isTimeout)
	l.apply(func(s *lifeSpec) { s.Timeout = "301" })
	l.everywhere("the new timeout", "writer", writerPassword, isTimeout)
}

func (l *life) changesUsers() {
	gets := func(ctx context.Context, db *redis.Client) error {
		err := db.Exists(ctx, "other:1").Err()
		if err != nil && strings.HasPrefix(err.Error(), "READONLY") {
			return nil // a replica, which says so to who may
		}
		return err
	}
	fails := func(code string, do func(context.Context, *redis.Client) error) func(context.Context, *redis.Client) error {
		return func(ctx context.Context, db *redis.Client) error {
			if err := do(ctx, db); err == nil || !strings.HasPrefix(err.Error(), code) {
				return fmt.Errorf("want %s, got %w", code, errors.Join(err, errors.New("nothing else")))
			}
			return nil
		}
	}
	l.everywhere("another's key refused", "app", firstPassword, fails("NOPERM", gets))
	l.apply(func(s *lifeSpec) { s.Access = "on ~app:* ~other:* +@all -@dangerous" })
	l.everywhere("another's key", "app", firstPassword, gets)

	l.password(otherPassword)
	l.apply(func(s *lifeSpec) { s.PasswordVersion++ })
	l.everywhere("the new password", "app", otherPassword, gets)
	l.everywhere("the old password refused", "app", firstPassword, fails("WRONGPASS", gets))

	l.apply(func(s *lifeSpec) { s.Users = []string{"writer"} })
	l.everywhere("a user who is not in the ACL refused", "app", otherPassword, fails("WRONGPASS", gets))
	l.apply(func(s *lifeSpec) { s.Users = []string{"writer", "app"} })
	l.everywhere("a user who is in the ACL again", "app", otherPassword, gets)
}

// losesAHost: the primary's host dies with all that runs on it. The node is replaced in
// the zone that is left, and nobody has to apply anything.
func (l *life) losesAHost() {
	t := l.t
	before := l.status()
	primary := primaryOf(t, before)
	lost := l.hosts.list[slices.IndexFunc(l.hosts.list, func(a *hostProc) bool { return a.id == primary.Host })]
	lost.proc.Kill()
	folders, err := filepath.Glob(filepath.Join(lost.dir, "nodes", "*"))
	must(t, err)
	for _, f := range folders {
		if pid := pidOf(f); pid > 0 && held(f) {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	start := time.Now()
	l.writers.waitAcks(20) // a few were under way
	t.Logf("with the primary's host gone and a lease of %v, writers went on after %v", lifeLease, time.Since(start).Round(10*time.Millisecond))
	testenv.Eventually(t, 2*time.Minute, "the node to be replaced", func(context.Context) error { return l.isAway(lost.id) })
	t.Logf("the node of the lost host was replaced within %v", time.Since(start).Round(100*time.Millisecond))
	l.settled()
}

// primaryOf fails the test when the zones of the nodes are not two.
func primaryOf(t *testing.T, s spec.ClusterStatus) (primary spec.NodeStatus) {
	t.Helper()
	zones := map[string]bool{}
	for _, n := range nodesOf(s) {
		zones[n.AvailabilityZone] = true
		if n.Endpoint == s.ClusterEndpoint {
			primary = n
		}
	}
	if primary.Name == "" || len(zones) != 2 {
		t.Fatalf("nodes: %+v", s)
	}
	return primary
}

// isAway returns nil when the first cluster is well, in two zones and not on that host.
func (l *life) isAway(host string) error {
	s, zones := l.status(), map[string]bool{}
	for _, n := range nodesOf(s) {
		if n.Host == host || n.Role != "primary" && n.Role != "replica" {
			return fmt.Errorf("node %+v", n)
		}
		zones[n.AvailabilityZone] = true
	}
	if s.Status != spec.Available || len(zones) != 2 {
		return fmt.Errorf("status %s, zones %v", s.Status, zones)
	}
	return nil
}
