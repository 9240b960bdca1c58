package etcdfence

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// endpointsVar names an etcd to run these tests against instead of one inside
// the test process. Every test uses a cluster name of its own, but compaction
// is etcd's as a whole: do not point it at one that matters.
const endpointsVar = "REDOUBT_TEST_ETCD_ENDPOINTS"

// testEtcd is the etcd all tests of the package share.
var testEtcd struct {
	endpoints []string
	server    *embed.Etcd // nil when it runs elsewhere
}

func TestMain(m *testing.M) {
	code, err := runWithEtcd(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd for tests:", err)
		code = 1
	}
	os.Exit(code)
}

func runWithEtcd(m *testing.M) (code int, err error) {
	if v := os.Getenv(endpointsVar); v != "" {
		testEtcd.endpoints = strings.Split(v, ",")
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "etcdfence")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e, err := startEtcd(dir, true)
	if err != nil {
		return 1, err
	}
	defer e.Close()
	testEtcd.server = e
	testEtcd.endpoints = []string{e.Clients[0].Addr().String()}
	return m.Run(), nil
}

// startEtcd runs a single member in this process. Without fsync it is several
// times faster, and no test here cuts its power.
func startEtcd(dir string, noFsync bool) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	local := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{local}, []url.URL{local}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{local}, []url.URL{local}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 50, 500 // leases of one second
	cfg.UnsafeNoFsync = noFsync
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case <-time.After(30 * time.Second):
		e.Close()
		return nil, errors.New("not ready after 30 s")
	}
}

// dial makes a client over TCP.
func dial(t testing.TB, endpoints ...string) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// newClient is the client most tests use: in process where possible.
func newClient(t testing.TB) *clientv3.Client {
	t.Helper()
	if testEtcd.server == nil {
		return dial(t, testEtcd.endpoints...)
	}
	cli := v3clientOf(testEtcd.server)
	t.Cleanup(func() { cli.Close() })
	return cli
}

// eachClient runs a test with every kind of client there is.
func eachClient(t *testing.T, test func(t *testing.T, cli *clientv3.Client)) {
	t.Run("network", func(t *testing.T) { test(t, dial(t, testEtcd.endpoints...)) })
	if testEtcd.server != nil {
		t.Run("inprocess", func(t *testing.T) { test(t, newClient(t)) })
	}
}

var (
	clusters  atomic.Int64
	notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)
	runID     = time.Now().UnixNano()
)

func clusterName(t testing.TB) string {
	name := notInName.ReplaceAllString(t.Name(), "-")
	return fmt.Sprintf("%.30s-%x-%d", name, runID, clusters.Add(1))
}

// longLease is a TTL that no slow test machine lets run out.
const longLease = time.Minute

// env is one shard under test. Each node of it opens it with a client of its own.
type env struct {
	testing.TB
	cli     *clientv3.Client // without faults
	cluster string
	opts    Options
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvWith(t, newClient(t))
}

func newEnvWith(t testing.TB, cli *clientv3.Client) *env {
	t.Helper()
	return &env{TB: t, cli: cli, cluster: clusterName(t), opts: Options{LeaseTTL: longLease, CompactEvery: time.Hour}}
}

func (e *env) open() *Shard { return e.openWith(e.cli) }

func (e *env) openWith(cli *clientv3.Client) *Shard { return Open(cli, e.cluster, 7, e.opts) }

func (e *env) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	e.Cleanup(cancel)
	return ctx
}

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) isErr(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("got error %v, want %v", err, want)
	}
}

func (e *env) init(first Sealed) *Shard {
	e.Helper()
	s := e.open()
	e.ok(s.Initialize(e.ctx(), first))
	return s
}

// campaign must win. The term is closed with the test.
func (e *env) campaign(s *Shard, node string, applied wal.Position) *Term {
	e.Helper()
	term, err := s.Campaign(e.ctx(), Candidate{NodeID: node, Address: node + ":6379", AZ: "az-" + node}, applied)
	e.ok(err)
	e.Cleanup(func() { term.Close() })
	return term
}

func next(term *Term, payload string) *wal.Entry {
	return term.Tail().Next(wal.KindEffects, term.Epoch(), 1700000000000, []byte(payload))
}

func (e *env) append(term *Term, payloads ...string) wal.Position {
	e.Helper()
	for _, p := range payloads {
		e.ok(term.Append(e.ctx(), next(term, p)))
	}
	return term.Tail()
}

// log is the head as it is in etcd: seq and payload of each entry.
func (e *env) log() []string {
	e.Helper()
	var out []string
	st, err := e.open().State(e.ctx())
	e.ok(err)
	err = e.open().ReadHead(e.ctx(), st.Sealed.Seq+1, st.Tail, func(x *wal.Entry, _ int) error {
		out = append(out, fmt.Sprintf("%d:%s", x.Seq, x.Payload))
		return nil
	})
	e.ok(err)
	return out
}

func (e *env) wantLog(want ...string) {
	e.Helper()
	if got := e.log(); fmt.Sprint(got) != fmt.Sprint(want) {
		e.Fatalf("log is %v, want %v", got, want)
	}
}

// storedBytes counts the head in etcd itself.
func (e *env) storedBytes(s *Shard) int64 {
	e.Helper()
	resp, err := e.cli.Get(e.ctx(), s.k.log, clientv3.WithPrefix())
	e.ok(err)
	var n int64
	for _, kv := range resp.Kvs {
		n += int64(len(kv.Key) + len(kv.Value))
	}
	return n
}

func (e *env) trim(term *Term, pos wal.Position) {
	e.Helper()
	e.ok(term.Trim(e.ctx(), sealedAtPos(pos)))
}

func sealedAtPos(p wal.Position) Sealed {
	return Sealed{Seq: p.Seq, Epoch: p.Epoch, Chain: p.Chain, Segment: fmt.Sprintf("%d.seg", p.Seq), Time: time.Unix(1700000000, 0).UTC()}
}

// lostWithin waits for a term to end.
func lostWithin(t testing.TB, term *Term, d time.Duration) {
	t.Helper()
	select {
	case <-term.Lost():
	case <-time.After(d):
		t.Fatalf("term not lost after %v", d)
	}
}

func v3clientOf(e *embed.Etcd) *clientv3.Client { return v3client.New(e.Server) }
