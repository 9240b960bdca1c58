package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// controlPlane is a `redoubt control`, as a process of its own.
type controlPlane struct {
	id, url, ca string // ca: the file of its certificate
	proc        *testenv.Process
}

// control starts a control plane beside hosts; when it returns, its certificate is there.
func (h *hosts) control(id string, args ...string) *controlPlane {
	h.t.Helper()
	dir, addr := h.t.TempDir(), testenv.FreeAddr(h.t)
	p := &controlPlane{id: id, url: "https://" + addr, ca: filepath.Join(dir, "api-cert.pem")}
	p.proc = h.start(id, append([]string{"control", "--id", id, "--etcd", strings.Join(h.etcd.Endpoints(), ","), "--store", h.s3.URL("redoubt"),
		"--store-endpoint", h.s3.Endpoint, "--store-path-style", "--region", h.s3.Region,
		"--listen", addr, "--dir", dir, "--temp-dir", h.t.TempDir(), "--leader-ttl", "2s"}, args...))
	testenv.Eventually(h.t, time.Minute, "the certificate of "+id, func(context.Context) error {
		_, err := os.Stat(p.ca)
		return err
	})
	return p
}

// client is one with a new token.
func (h *hosts) client(p *controlPlane, role wire.Role) (*client.Client, wire.Secret) {
	h.t.Helper()
	made, err := token.Open(h.etcd.Client(h.t)).Create(h.t.Context(), "the test", wire.NewToken{Role: role})
	must(h.t, err)
	ca, err := os.ReadFile(p.ca)
	must(h.t, err)
	c, err := client.New(client.Config{URL: p.url, Token: made.Secret, CA: ca})
	must(h.t, err)
	h.t.Cleanup(c.Close)
	testenv.Eventually(h.t, time.Minute, "the control plane to serve", func(ctx context.Context) error {
		_, err := c.OwnToken(ctx)
		return err
	})
	return c, made.Secret
}

// startControl starts a control plane beside hosts, and returns a client of it.
func (h *hosts) startControl() *client.Client {
	h.t.Helper()
	c, _ := h.client(h.control("control"), wire.Admin)
	return c
}

// await waits for a change, and says what happened when it fails.
func await(t *testing.T, c *client.Client, operation string, err error) {
	t.Helper()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := c.Wait(ctx, operation, func(o wire.Operation) { t.Logf("%s of %s: %s, %+v", o.Kind, o.Resource, o.State, o.Progress) }); err != nil {
		events, _ := c.Events(t.Context(), "", 60)
		var b bytes.Buffer
		for _, e := range events {
			fmt.Fprintf(&b, "%s %s %s: %s\n", e.Time.Format(time.TimeOnly), e.Resource, e.Reason, e.Message)
		}
		t.Fatalf("%v\n%s", err, b.String())
	}
}

func clusterStatus(t *testing.T, c *client.Client, name string) (s spec.ClusterStatus) {
	t.Helper()
	r, err := c.Clusters.Get(t.Context(), name)
	must(t, err)
	must(t, json.Unmarshal(r.Status, &s))
	return s
}

// A cluster is made, used, scaled, handed over and deleted through the API, and nothing
// that was acknowledged is lost on the way into its final snapshot and a new cluster.
func TestControlPlaneRunsClusters(t *testing.T) {
	h := startHosts(t, 3, nil)
	c := h.startControl()
	ctx := t.Context()
	want := spec.NewCluster("main")
	want.NodeMemory, want.ACLName, want.TLSEnabled = 256<<20, spec.OpenAccess, false
	made, err := c.Clusters.Create(ctx, want)
	must(t, err)
	await(t, c, made.Operation, nil)
	write(t, c, "main", "1")
	next := made.Spec
	for _, replicas := range []int{2, 0, 1} {
		next.NumReplicasPerShard = replicas
		now, err := c.Clusters.Get(ctx, "main")
		must(t, err)
		changed, err := c.Clusters.Update(ctx, "main", now.Version, next)
		must(t, err)
		await(t, c, changed.Operation, nil)
		if got := clusterStatus(t, c, "main"); len(got.Shards) != 1 || len(got.Shards[0].Nodes) != replicas+1 {
			t.Fatalf("with %d replicas: %+v", replicas, got)
		}
		write(t, c, "main", strconv.Itoa(10+replicas))
	}
	op, err := c.Clusters.Failover(ctx, "main", wire.Failover{})
	must(t, err)
	await(t, c, op.ID, nil)
	write(t, c, "main", "20")
	gone, err := c.Clusters.DeleteWith(ctx, "main", wire.DeleteCluster{FinalSnapshotName: "last"})
	must(t, err)
	await(t, c, gone.Operation, nil)
	var missing *client.NotFoundError
	if _, err := c.Clusters.Get(ctx, "main"); !errors.As(err, &missing) {
		t.Errorf("after the deletion: %v", err)
	}
	again := want
	again.Name, again.SnapshotName = "second", "last"
	made, err = c.Clusters.Create(ctx, again)
	must(t, err)
	await(t, c, made.Operation, nil)
	rdb := connectTo(t, c, "second")
	for _, key := range []string{"1", "12", "10", "11", "20"} {
		if got, err := rdb.Get(ctx, key).Result(); err != nil || got != "v" {
			t.Errorf("key %s in the cluster made from the final snapshot: %q, %v", key, got, err)
		}
	}
	gone, err = c.Clusters.Delete(ctx, "second")
	must(t, err)
	await(t, c, gone.Operation, nil)
}

// connectTo is a client of a cluster's endpoint.
func connectTo(t *testing.T, c *client.Client, name string) *redis.Client {
	t.Helper()
	e := clusterStatus(t, c, name).ClusterEndpoint
	rdb := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(e.Address, strconv.Itoa(e.Port)), MaxRetries: -1})
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

// write writes a key at the cluster's endpoint, which may just be moving.
func write(t *testing.T, c *client.Client, name, key string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "a write to be acknowledged", func(ctx context.Context) error {
		rdb := connectTo(t, c, name)
		return rdb.Set(ctx, key, "v", 0).Err()
	})
}

// A cluster with TLS gets certificates of an authority of its own.
func TestControlPlaneRunsClustersWithTLS(t *testing.T) {
	h := startHosts(t, 2, nil)
	c := h.startControl()
	ctx := t.Context()
	want := spec.NewCluster("main")
	want.NodeMemory, want.ACLName = 256<<20, spec.OpenAccess
	made, err := c.Clusters.Create(ctx, want)
	must(t, err)
	await(t, c, made.Operation, nil)
	st := clusterStatus(t, c, "main")
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(st.CACertificate)) {
		t.Fatalf("no CA in %+v", st)
	}
	e := st.ClusterEndpoint
	rdb := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(e.Address, strconv.Itoa(e.Port)), TLSConfig: &tls.Config{RootCAs: roots}})
	defer rdb.Close()
	must(t, rdb.Set(ctx, "key", "v", 0).Err())
}
