// Package etcdtest gives the tests of a package one real etcd, and each test a part of
// it that is its own.
package etcdtest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

var (
	server *testenv.Etcd
	tests  atomic.Int64
)

// Main runs the tests of a package beside an etcd and returns the exit code. It is for
// TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "etcdtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	p := testenv.NewProgram("etcdtest", dir)
	defer p.Close()
	if err := p.Catch(func() error { server = testenv.StartEtcd(p, 1, testenv.EtcdOptions{}); return nil }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Client is a client to whom etcd is empty and all its own.
func Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return share(t, fmt.Sprintf("/test-%d", tests.Add(1)))
}

// share is a client of the part of etcd below a prefix.
func share(t testing.TB, prefix string) *clientv3.Client {
	cli := server.Client(t)
	cli.KV = namespace.NewKV(cli.KV, prefix)
	cli.Watcher = namespace.NewWatcher(cli.Watcher, prefix)
	cli.Lease = namespace.NewLease(cli.Lease, prefix)
	return cli
}
