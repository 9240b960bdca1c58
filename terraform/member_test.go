package terraform_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// members are etcd members that the machines' own script starts, with certificates
// from the machines' own script.
type members struct {
	aws     *fakeAWS
	tls     string
	names   []string
	peers   []string // URLs
	clients []string
	metrics []string
	dirs    []string
	procs   []*testenv.Process
}

const patience = 90 * time.Second

func startMembers(t *testing.T) *members {
	t.Helper()
	m := &members{aws: newFakeAWS(t), tls: filepath.Join(t.TempDir(), "tls")}
	run(t, m.aws.certificateEnvironment(m.tls, 7, "etcd.test"), machineFiles+"certificate.sh")
	for range 3 {
		m.add(t)
	}
	for i := range m.names {
		m.start(t, i)
	}
	return m
}

// add makes a member known, without starting it.
func (m *members) add(t *testing.T) {
	t.Helper()
	name := fmt.Sprintf("etcd-%d", len(m.names))
	m.names = append(m.names, name)
	m.peers = append(m.peers, "https://"+testenv.FreeAddr(t))
	m.clients = append(m.clients, "https://"+testenv.FreeAddr(t))
	m.metrics = append(m.metrics, "http://"+testenv.FreeAddr(t))
	m.dirs = append(m.dirs, t.TempDir())
	m.aws.setParameter(t, name, "new")
}

func (m *members) start(t *testing.T, i int) {
	t.Helper()
	script, err := filepath.Abs("aws/modules/etcd/files/etcd-start.sh")
	if err != nil {
		t.Fatal(err)
	}
	named := func(urls []string) string {
		var list []string
		for i, url := range urls {
			list = append(list, m.names[i]+"="+url)
		}
		return strings.Join(list, ",")
	}
	env := append(slices.Clone(m.aws.env),
		"PATH="+filepath.Dir(testenv.Tool(t, "etcd"))+":"+m.aws.path,
		"MEMBER="+m.names[i], "STATE_PARAMETER=/"+m.names[i],
		"MEMBER_PEERS="+named(m.peers), "MEMBER_CLIENTS="+named(m.clients),
		"MEMBER_CLUSTER_TOKEN=test", "MEMBER_QUOTA_BYTES=1073741824",
		"MEMBER_ELECTION_TIMEOUT=1000", "MEMBER_HEARTBEAT=100",
		"MEMBER_LISTEN_PEER_URLS="+m.peers[i], "MEMBER_LISTEN_CLIENT_URLS="+m.clients[i], "MEMBER_LISTEN_METRICS_URLS="+m.metrics[i],
		"MEMBER_DATA_DIRECTORY="+m.data(i), "MEMBER_WAL_DIRECTORY="+m.wal(i),
		"MEMBER_TLS_DIRECTORY="+filepath.Join(m.tls, "current"))
	m.procs = append(m.procs, testenv.Start(t, testenv.Command{Name: m.names[i], Path: "/bin/bash", Args: []string{script}, Env: env}))
}

func (m *members) data(i int) string { return filepath.Join(m.dirs[i], "data", "etcd") }
func (m *members) wal(i int) string  { return filepath.Join(m.dirs[i], "wal", "etcd") }

// emptyDisks is what a new instance finds where the old one's disks are gone.
func (m *members) emptyDisks(t *testing.T, i int) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(m.data(i)), os.RemoveAll(m.wal(i))); err != nil {
		t.Fatal(err)
	}
}

func (m *members) client(t *testing.T, i int) *clientv3.Client {
	t.Helper()
	current := filepath.Join(m.tls, "current")
	config, err := transport.TLSInfo{
		CertFile: filepath.Join(current, "cert.pem"), KeyFile: filepath.Join(current, "key.pem"), TrustedCAFile: filepath.Join(current, "ca.pem"),
	}.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, m.clients[i], config)
}

func dial(t *testing.T, url string, config *tls.Config) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, TLS: config, DialTimeout: patience, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// has waits until member i itself has the key, with the value.
func (m *members) has(t *testing.T, i int, key, value string) {
	t.Helper()
	client := m.client(t, i)
	testenv.Eventually(t, patience, m.names[i]+" has "+key, func(ctx context.Context) error {
		answer, err := client.Get(ctx, key, clientv3.WithSerializable())
		if err != nil {
			return err
		}
		if len(answer.Kvs) != 1 || string(answer.Kvs[0].Value) != value {
			return fmt.Errorf("it has %v", answer.Kvs)
		}
		return nil
	})
}

// ids waits until all members are known and have started, as member i sees it.
func (m *members) ids(t *testing.T, i int) map[string]uint64 {
	t.Helper()
	client := m.client(t, i)
	var ids map[string]uint64
	testenv.Eventually(t, patience, "all members", func(ctx context.Context) error {
		answer, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		ids = map[string]uint64{}
		for _, member := range answer.Members {
			if len(member.ClientURLs) > 0 {
				ids[member.Name] = member.ID
			}
		}
		if len(answer.Members) != len(m.names) || len(ids) != len(m.names) {
			return fmt.Errorf("members %v", answer.Members)
		}
		return nil
	})
	return ids
}

func (m *members) put(t *testing.T, i int, key, value string) {
	t.Helper()
	client := m.client(t, i)
	testenv.Eventually(t, patience, "put "+key, func(ctx context.Context) error {
		_, err := client.Put(ctx, key, value)
		return err
	})
}

// TestMemberReplacement goes through the life of the three machines of etcd.
func TestMemberReplacement(t *testing.T) {
	t.Parallel()
	m := startMembers(t)
	founded := m.ids(t, 0)
	m.put(t, 0, "k", "1")
	for _, name := range m.names {
		if state := m.aws.parameter(t, name); state != "bootstrapped" {
			t.Fatalf("%s has started and its state is %q", name, state)
		}
	}

	// What alarms watch has these names in etcd.
	env := append([]string{"METRICS_URLS=" + m.metrics[0] + "/metrics", "METRICS_NAMESPACE=Redoubt/test", "STATE_DIRECTORY=" + t.TempDir()}, m.aws.env...)
	m.aws.published(t, env)
	m.put(t, 0, "k", "1")
	published := m.aws.published(t, env)
	if published["EtcdHasLeader"] != 1 || published["EtcdQuotaUsed"] <= 0 || published["EtcdWALSyncP99"] <= 0 {
		t.Errorf("published of etcd: %v", published)
	}

	// A new instance with the old one's volumes is the same member.
	m.procs[2].Kill()
	m.procs[2].Restart()
	m.has(t, 2, "k", "1")
	if ids := m.ids(t, 0); ids["etcd-2"] != founded["etcd-2"] {
		t.Fatal("a member with its data came back as another")
	}

	// Without them it is another, and gets the data from the others.
	m.procs[1].Kill()
	m.put(t, 0, "k", "2")
	m.emptyDisks(t, 1)
	m.procs[1].Restart()
	m.has(t, 1, "k", "2")
	if ids := m.ids(t, 0); ids["etcd-1"] == founded["etcd-1"] || ids["etcd-0"] != founded["etcd-0"] {
		t.Fatalf("members were %v, are %v", founded, ids)
	}

	// With the log gone, the rest of the data is not enough.
	m.procs[0].Kill()
	if err := os.RemoveAll(m.wal(0)); err != nil {
		t.Fatal(err)
	}
	m.procs[0].Restart()
	m.has(t, 0, "k", "2")
	if ids := m.ids(t, 1); ids["etcd-0"] == founded["etcd-0"] {
		t.Fatal("a member without its log came back as who it was")
	}

	// All are down, and the first to come back has an empty disk: it founds nothing
	// and waits for the others, which know every write.
	for _, proc := range m.procs {
		proc.Kill()
	}
	m.emptyDisks(t, 0)
	before := len(m.procs[0].Log())
	m.procs[0].Restart()
	testenv.Eventually(t, patience, "etcd-0 waits", func(context.Context) error {
		if log := m.procs[0].Log()[before:]; !strings.Contains(log, "the other members do not answer yet") {
			return fmt.Errorf("it says %s", log)
		}
		return nil
	})
	if _, err := os.Stat(m.wal(0)); err == nil {
		t.Fatal("a member that lost its disk began a log by itself")
	}
	m.procs[1].Restart()
	m.procs[2].Restart()
	m.has(t, 0, "k", "2")

	// A machine more joins the cluster that is there.
	m.add(t)
	m.start(t, 3)
	m.has(t, 3, "k", "2")
	if ids := m.ids(t, 1); ids["etcd-3"] == 0 {
		t.Fatalf("members are %v", ids)
	}

	// The old ones need not know of it to come back without their disks.
	m.procs[2].Kill()
	m.emptyDisks(t, 2)
	m.procs[2].Restart()
	m.has(t, 2, "k", "2")
	m.ids(t, 3)
}
