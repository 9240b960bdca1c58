package testenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcdReady bounds the time from a start until every member answers a
// linearizable read. A busy machine needs several elections at most.
const etcdReady = 60 * time.Second

// EtcdOptions changes how StartEtcd runs the members. The zero value is what
// Redoubt recommends for its own log.
type EtcdOptions struct {
	SnapshotCount   int           // raft entries between two snapshots; 0: 1000
	CatchUpEntries  int           // raft entries kept behind a snapshot; 0: 500
	QuotaBytes      int64         // limit of the database file; 0: 2 GiB
	ElectionTimeout time.Duration // 0: 500 ms
	Heartbeat       time.Duration // 0: 50 ms
	Args            []string      // further flags for every member
	// TLS has clients talk to the members over TLS; with Mutual they show a
	// certificate of the same authority.
	TLS    *TLS
	Mutual bool
	// PeerLinks puts a proxy on every connection between two members, see
	// Etcd.PeerLink.
	PeerLinks bool
}

// Etcd is a cluster of real etcd processes.
type Etcd struct {
	t       TB
	members []etcdMember
	peers   *peerNet    // nil without EtcdOptions.PeerLinks
	tls     *tls.Config // nil without EtcdOptions.TLS
}

type etcdMember struct {
	proc *Process
	url  string // client URL
}

// StartEtcd starts a cluster of so many members, each with its data on disk in
// the test's TempDir, and returns when all of them answer.
func StartEtcd(t TB, members int, o EtcdOptions) *Etcd {
	t.Helper()
	e := &Etcd{t: t}
	if o.TLS != nil {
		e.tls = o.TLS.Client()
	}
	for try := 1; ; try++ {
		e.launch(members, o)
		err := e.ready(etcdReady)
		if err == nil {
			return e
		}
		taken := false
		for _, m := range e.members {
			taken = taken || portTaken(m.proc.Log())
			m.proc.Kill()
		}
		if !taken || try == startTries {
			t.Fatalf("start etcd with %d members (try %d): %v", members, try, err)
		}
	}
}

func (e *Etcd) launch(members int, o EtcdOptions) {
	e.t.Helper()
	bin := Tool(e.t, "etcd")
	dir := e.t.TempDir()
	client, listen, peer := make([]string, members), make([]string, members), make([]string, members)
	scheme := "http://"
	if o.TLS != nil {
		scheme = "https://"
	}
	for i := range members {
		client[i], listen[i] = scheme+FreeAddr(e.t), FreeAddr(e.t)
		peer[i] = "http://" + listen[i]
	}
	if o.PeerLinks {
		e.peers = newPeerNet(e.t, listen)
		peer = e.peers.urls()
	}
	var cluster []string
	for i := range members {
		cluster = append(cluster, fmt.Sprintf("m%d=%s", i, peer[i]))
	}
	e.members = e.members[:0]
	for i := range members {
		name := fmt.Sprintf("m%d", i)
		args := append([]string{
			"--name=" + name,
			"--data-dir=" + filepath.Join(dir, name),
			"--listen-client-urls=" + client[i],
			"--advertise-client-urls=" + client[i],
			"--listen-peer-urls=http://" + listen[i],
			"--initial-advertise-peer-urls=" + peer[i],
			"--initial-cluster=" + strings.Join(cluster, ","),
			"--initial-cluster-token=" + filepath.Base(dir),
		}, o.flags()...)
		e.members = append(e.members, etcdMember{
			proc: Start(e.t, Command{Name: "etcd-" + name, Path: bin, Args: args, Env: e.peers.env(i)}),
			url:  client[i],
		})
	}
}

// flags renders the settings that keep etcd's memory and file small and its
// failovers short.
func (o EtcdOptions) flags() []string {
	or := func(v, def int64) string {
		if v == 0 {
			v = def
		}
		return strconv.FormatInt(v, 10)
	}
	args := []string{
		"--snapshot-count=" + or(int64(o.SnapshotCount), 1000),
		"--snapshot-catchup-entries=" + or(int64(o.CatchUpEntries), 500),
		"--max-wals=2",
		"--backend-batch-interval=1s",
		"--backend-batch-limit=100000",
		"--quota-backend-bytes=" + or(o.QuotaBytes, 2<<30),
		"--election-timeout=" + or(o.ElectionTimeout.Milliseconds(), 500),
		"--heartbeat-interval=" + or(o.Heartbeat.Milliseconds(), 50),
	}
	if o.TLS != nil {
		args = append(args, "--cert-file="+o.TLS.CertFile, "--key-file="+o.TLS.KeyFile)
	}
	if o.Mutual {
		args = append(args, "--client-cert-auth", "--trusted-ca-file="+o.TLS.CAFile)
	}
	return append(args, o.Args...)
}

// ready waits until every member answers a linearizable read.
func (e *Etcd) ready(timeout time.Duration) error {
	for i := range e.members {
		if err := e.memberReady(i, timeout); err != nil {
			return err
		}
	}
	return nil
}

func (e *Etcd) memberReady(i int, timeout time.Duration) error {
	m := e.members[i]
	cli, err := e.dial(m.url)
	if err != nil {
		return err
	}
	defer cli.Close()
	return await(timeout, func(ctx context.Context) error {
		if err := m.proc.exited(); err != nil {
			return err
		}
		return pingMember(ctx, cli, i)
	})
}

func pingMember(ctx context.Context, cli *clientv3.Client, i int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := cli.Get(ctx, "ready"); err != nil {
		return fmt.Errorf("member m%d does not answer: %w", i, err)
	}
	return nil
}

// Ping returns nil when member i answers a linearizable read.
func (e *Etcd) Ping(ctx context.Context, i int) error {
	cli, err := e.dial(e.members[i].url)
	if err != nil {
		return err
	}
	defer cli.Close()
	return pingMember(ctx, cli, i)
}

func (e *Etcd) dial(urls ...string) (*clientv3.Client, error) {
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   urls,
		TLS:         e.tls,
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return cli, nil
}

// Endpoints returns the client URLs of all members, running or not, in the
// members' order.
func (e *Etcd) Endpoints() []string {
	urls := make([]string, len(e.members))
	for i, m := range e.members {
		urls[i] = m.url
	}
	return urls
}

// Client returns a client of the given endpoints, of all members when none is
// given; a Proxy's URL may stand for a member's. It is closed with the test.
func (e *Etcd) Client(t TB, endpoints ...string) *clientv3.Client {
	t.Helper()
	if len(endpoints) == 0 {
		endpoints = e.Endpoints()
	}
	cli, err := e.dial(endpoints...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := cli.Close(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("close etcd client: %v", err)
		}
	})
	return cli
}

// Leader returns the index of the member that a majority of the members takes
// for the leader, waiting out an election.
func (e *Etcd) Leader() int {
	e.t.Helper()
	leader := -1
	Eventually(e.t, etcdReady, "etcd has a leader", func(ctx context.Context) error {
		var err error
		leader, err = e.FindLeader(ctx)
		return err
	})
	return leader
}

// FindLeader is Leader by one look: an error when there is none at present.
func (e *Etcd) FindLeader(ctx context.Context) (int, error) {
	votes := make(map[uint64]int)
	index := make(map[uint64]int)
	var last error
	for i, m := range e.members {
		st, err := e.memberStatus(ctx, m.url)
		if err != nil {
			last = fmt.Errorf("member m%d: %w", i, err)
			continue
		}
		index[st.Header.MemberId] = i
		votes[st.Leader]++
	}
	for id, n := range votes {
		if i, ok := index[id]; ok && n > len(e.members)/2 {
			return i, nil
		}
	}
	return -1, fmt.Errorf("no leader with a majority among %d members (%v)", len(e.members), last)
}

// Followers returns the members other than FindLeader's.
func (e *Etcd) Followers(ctx context.Context) ([]int, error) {
	leader, err := e.FindLeader(ctx)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range e.members {
		if i != leader {
			all = append(all, i)
		}
	}
	return all, nil
}

func (e *Etcd) memberStatus(ctx context.Context, url string) (*clientv3.StatusResponse, error) {
	cli, err := e.dial(url)
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return cli.Status(ctx, url)
}

// Renew has clients that are made later use the certificates of now, after the
// authority was replaced.
func (e *Etcd) Renew(files *TLS) { e.tls = files.Client() }

// Process returns member i's process, for its PID, output or processor time.
func (e *Etcd) Process(i int) *Process { return e.members[i].proc }

// Kill sends SIGKILL to member i and returns when it is gone.
func (e *Etcd) Kill(i int) { e.t.Helper(); e.members[i].proc.Kill() }

// Stop makes member i stand still, as a machine that hangs.
func (e *Etcd) Stop(i int) { e.t.Helper(); e.members[i].proc.Stop() }

// Cont lets a stopped member go on.
func (e *Etcd) Cont(i int) { e.t.Helper(); e.members[i].proc.Cont() }

// Restart starts a killed member again on its data. It does not wait until the
// member serves: without a quorum it cannot.
func (e *Etcd) Restart(i int) { e.t.Helper(); e.members[i].proc.Restart() }

// WaitReady returns when member i answers a linearizable read.
func (e *Etcd) WaitReady(i int) {
	e.t.Helper()
	if err := e.memberReady(i, etcdReady); err != nil {
		e.t.Fatalf("%v", err)
	}
}
