package terraform_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	clients []string // URLs
	metrics string   // of the first member
	dirs    []string
	procs   []*testenv.Process
}

const patience = 90 * time.Second

func startMembers(t *testing.T) *members {
	t.Helper()
	m := &members{aws: newFakeAWS(t), tls: filepath.Join(t.TempDir(), "tls"), names: []string{"etcd-0", "etcd-1", "etcd-2"}}
	run(t, m.aws.certificateEnvironment(m.tls, 7, "etcd.test"), machineFiles+"certificate.sh")
	var peers, clients []string
	var peerURLs []string
	for _, name := range m.names {
		peer, client := "https://"+testenv.FreeAddr(t), "https://"+testenv.FreeAddr(t)
		m.clients, peerURLs = append(m.clients, client), append(peerURLs, peer)
		peers, clients = append(peers, name+"="+peer), append(clients, name+"="+client)
		m.dirs = append(m.dirs, t.TempDir())
		m.aws.setParameter(t, name, "new")
	}
	path := "PATH=" + filepath.Dir(testenv.Tool(t, "etcd"))
	script, err := filepath.Abs("aws/modules/etcd/files/etcd-start.sh")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range m.names {
		metrics := "http://" + testenv.FreeAddr(t)
		if i == 0 {
			m.metrics = metrics + "/metrics"
		}
		env := append([]string{
			"MEMBER=" + name, "STATE_PARAMETER=/" + name,
			"MEMBER_PEERS=" + strings.Join(peers, ","), "MEMBER_CLIENTS=" + strings.Join(clients, ","),
			"MEMBER_CLUSTER_TOKEN=test", "MEMBER_QUOTA_BYTES=1073741824",
			"MEMBER_ELECTION_TIMEOUT=1000", "MEMBER_HEARTBEAT=100",
			"MEMBER_LISTEN_PEER_URLS=" + peerURLs[i], "MEMBER_LISTEN_CLIENT_URLS=" + m.clients[i],
			"MEMBER_LISTEN_METRICS_URLS=" + metrics,
			"MEMBER_DATA_DIRECTORY=" + m.data(i), "MEMBER_WAL_DIRECTORY=" + m.wal(i),
			"MEMBER_TLS_DIRECTORY=" + filepath.Join(m.tls, "current"),
		}, m.aws.env...)
		env[len(env)-1] = path + ":" + strings.TrimPrefix(env[len(env)-1], "PATH=")
		m.procs = append(m.procs, testenv.Start(t, testenv.Command{Name: name, Path: "/bin/bash", Args: []string{script}, Env: env}))
	}
	return m
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

// ids waits until there are three members that all have started, as member i sees it.
func (m *members) ids(t *testing.T, i int) map[string]uint64 {
	t.Helper()
	client := m.client(t, i)
	var ids map[string]uint64
	testenv.Eventually(t, patience, "three members", func(ctx context.Context) error {
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
		if len(answer.Members) != 3 || len(ids) != 3 {
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
	env := append([]string{"METRICS_URLS=" + m.metrics, "METRICS_NAMESPACE=Redoubt/test", "STATE_DIRECTORY=" + t.TempDir()}, m.aws.env...)
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
}
