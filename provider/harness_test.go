package provider

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

var (
	etcd    *testenv.Etcd
	scratch string // a directory for all tests
	tests   atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests beside one etcd.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "provider")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	scratch = dir
	defer os.RemoveAll(dir)
	p := testenv.NewProgram("provider", dir)
	defer p.Close()
	if err := p.Catch(func() error { etcd = testenv.StartEtcd(p, 1, testenv.EtcdOptions{}); return nil }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// control is a control plane: the real API over a real etcd, and a stand-in for what
// reconciles.
type control struct {
	*standIn
	url, ca, caFile string
	token           string
	tokens          *token.Store
	store           *store.Store
	client          *client.Client
	log             *log
}

// startControl starts one whose etcd is empty and its own, and has Terraform's tests
// find it by variables.
func startControl(t *testing.T) *control {
	t.Helper()
	cli := etcd.Client(t)
	prefix := fmt.Sprintf("/test-%d", tests.Add(1))
	cli.KV, cli.Watcher, cli.Lease = namespace.NewKV(cli.KV, prefix), namespace.NewWatcher(cli.Watcher, prefix), namespace.NewLease(cli.Lease, prefix)
	s, err := store.Open(t.Context(), cli, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tokens := token.Open(cli)
	made, err := tokens.Create(t.Context(), "the test", wire.NewToken{Role: wire.Operate})
	if err != nil {
		t.Fatal(err)
	}
	c := &control{store: s, tokens: tokens, token: string(made.Secret), log: &log{}}
	srv := httptest.NewTLSServer(api.New(api.Config{
		Etcd: cli, Store: s, Tokens: tokens, Hosts: hosts{},
		Logger: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	c.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	c.client, err = client.New(client.Config{URL: c.url, Token: wire.Secret(c.token), CA: []byte(c.ca)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	c.standIn = reconcile(t, s, elect(t, cli))
	c.caFile = t.TempDir() + "/ca.pem"
	if err := os.WriteFile(c.caFile, []byte(c.ca), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envEndpoint, c.url)
	t.Setenv(envToken, c.token)
	t.Setenv(envCAFile, c.caFile)
	return c
}

func elect(t *testing.T, cli *clientv3.Client) store.Fence {
	t.Helper()
	r, err := cli.Put(t.Context(), "leader", "")
	if err != nil {
		t.Fatal(err)
	}
	return store.Fence{Key: "leader", CreateRevision: r.Header.Revision}
}

type hosts struct{}

func (hosts) Hosts(context.Context) ([]fleet.Host, error) {
	return []fleet.Host{{ID: "h1", AZ: "a", Engines: []string{"1.0.0", "1.2.0", "1.3.0"}}, {ID: "h2", AZ: "b", Engines: []string{"1.0.0", "1.2.0"}}}, nil
}
func (hosts) Drain(context.Context, string, bool) error { return nil }

// log keeps what was logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// steps runs Terraform through a sequence of configurations, and looks after each
// whether the next plan is empty.
func steps(t *testing.T, all ...resource.TestStep) {
	t.Helper()
	t.Setenv("TF_ACC_TERRAFORM_PATH", terraformPath(t))
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"redoubt": providerserver.NewProtocol6WithError(New("test")()),
		},
		Steps: all,
	})
}

// terraformPath is where the real terraform is.
func terraformPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatal("terraform is missing: install Terraform 1.11 or later, https://developer.hashicorp.com/terraform/install, and put it on the PATH")
	}
	return path
}
