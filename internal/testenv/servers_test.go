package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func etcdPut(t *testing.T, cli *clientv3.Client, key, value string) {
	t.Helper()
	Eventually(t, 30*time.Second, "etcd takes a put", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := cli.Put(ctx, key, value)
		return err
	})
}

func TestEtcdSurvivesItsLeader(t *testing.T) {
	e := StartEtcd(t, 3, EtcdOptions{})
	cli := e.Client(t)
	etcdPut(t, cli, "k", "before")

	first := e.Leader()
	followers, err := e.Followers(t.Context())
	if err != nil || len(followers) != 2 || slices.Contains(followers, first) {
		t.Errorf("followers %v, %v with m%d as leader", followers, err, first)
	}
	e.Kill(first)
	etcdPut(t, cli, "k", "without the leader")
	second := e.Leader()
	if second == first {
		t.Fatalf("member %d leads after its death", first)
	}
	e.Restart(first)
	e.WaitReady(first)

	e.Stop(second)
	etcdPut(t, cli, "k", "while the next one hangs")
	e.Cont(second)
	e.WaitReady(second)

	for i, url := range e.Endpoints() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		resp, err := e.Client(t, url).Get(ctx, "k")
		cancel()
		if err != nil || len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != "while the next one hangs" {
			t.Errorf("member %d: %v, %v", i, resp, err)
		}
	}
}

func TestEtcdBehindProxy(t *testing.T) {
	e := StartEtcd(t, 1, EtcdOptions{Args: []string{"--log-level=warn"}})
	p := NewProxy(t, strings.TrimPrefix(e.Endpoints()[0], "http://"))
	cli := e.Client(t, "http://"+p.Addr())
	etcdPut(t, cli, "k", "1")

	// The put goes through and its answer is lost.
	p.Blackhole(Down)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	put := make(chan error, 1)
	go func() {
		_, err := cli.Put(ctx, "k", "2")
		put <- err
	}()
	direct := e.Client(t)
	Eventually(t, 20*time.Second, "the put shows", func(ctx context.Context) error {
		resp, err := direct.Get(ctx, "k")
		if err == nil && string(resp.Kvs[0].Value) != "2" {
			err = fmt.Errorf("value %q", resp.Kvs[0].Value)
		}
		return err
	})
	p.Reset()
	if err := <-put; err == nil {
		t.Error("the put succeeded though its answer was lost")
	}
}

func TestEtcdNoSpace(t *testing.T) {
	e := StartEtcd(t, 1, EtcdOptions{})
	cli := e.Client(t)
	etcdPut(t, cli, "k", "before")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.RaiseNoSpace(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := e.Alarms(ctx); err != nil || len(all) != 1 || !strings.HasPrefix(all[0], "NOSPACE of member ") {
		t.Errorf("alarms %q, %v", all, err)
	}
	if _, err := cli.Put(ctx, "k", "refused"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("put while out of space: %v", err)
	}
	if resp, err := cli.Get(ctx, "k"); err != nil || string(resp.Kvs[0].Value) != "before" {
		t.Errorf("read while out of space: %v, %v", resp, err)
	}
	for range 2 { // a second time is harmless
		if err := e.DisarmAlarms(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := e.Alarms(ctx); err != nil || len(all) != 0 {
		t.Errorf("alarms %q, %v after all were disarmed", all, err)
	}
	if _, err := cli.Put(ctx, "k", "after"); err != nil {
		t.Errorf("put with space again: %v", err)
	}
	e.Kill(0)
	if err := e.RaiseNoSpace(ctx); err == nil || !strings.Contains(err.Error(), "raise the NOSPACE alarm: member m0: ") {
		t.Errorf("with nobody there: %v", err)
	}
}

func TestEtcdFlags(t *testing.T) {
	got := EtcdOptions{SnapshotCount: 7, Heartbeat: 20 * time.Millisecond, Args: []string{"--x"}}.flags()
	for _, want := range []string{"--snapshot-count=7", "--heartbeat-interval=20", "--election-timeout=500", "--x"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
}

func TestRedisKeepsItsAOF(t *testing.T) {
	r := StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	cli := Tool(t, "redis-cli")
	run := func(args ...string) string {
		t.Helper()
		_, port, _ := strings.Cut(r.Addr, ":")
		p := Start(t, Command{Name: "redis-cli", Path: cli, Args: append([]string{"-p", port}, args...)})
		if code := p.Wait(20 * time.Second); code != 0 {
			t.Fatalf("redis-cli %q: exit code %d", args, code)
		}
		return strings.TrimSpace(p.Log())
	}
	if got := run("SET", "k", "v"); got != "OK" {
		t.Fatalf("SET: %s", got)
	}
	r.Kill()
	if err := PingRedis(t.Context(), r.Addr); err == nil {
		t.Error("answers PING after Kill")
	}
	r.Restart()
	if got := run("GET", "k"); got != "v" {
		t.Errorf("GET after a restart: %s", got)
	}
	if _, err := os.Stat(r.Dir() + "/appendonlydir"); err != nil {
		t.Errorf("working directory: %v", err)
	}
}
