package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// Names of the servers in the report.
const (
	redisPlain  = "redis"
	redisAlways = "redis, appendfsync always"
	redisWait   = "redis, 2 replicas, WAIT 2"
	redoubtOne  = "redoubt, 1 etcd member"
	redoubtTri  = "redoubt, 3 etcd members"
)

// server is one of those compared.
type server struct {
	name    string
	addr    string             // answers clients
	front   *testenv.Process   // the process at addr
	rest    []*testenv.Process // others that serve it
	metrics string             // where a Redoubt node's metrics are, "" for redis-server
	wait    int                // replicas that its writes wait for, by WAIT
}

// cpu returns the processor time used so far by the front process and by all.
func (s *server) cpu() (front, all time.Duration, err error) {
	front, err = s.front.CPU()
	if err != nil {
		return 0, 0, err
	}
	all = front
	for _, p := range s.rest {
		v, err := p.CPU()
		if err != nil {
			return 0, 0, err
		}
		all += v
	}
	return front, all, nil
}

// ready bounds the time until a server takes a write.
const ready = 60 * time.Second

// durable makes redis-server sync each write to disk before its answer. The
// rewrite of a grown log is off: it would fall into some rounds and not others.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"}

func startRedisPlain(tb testenv.TB) *server {
	r := testenv.StartRedis(tb)
	return &server{name: redisPlain, addr: r.Addr, front: r.Process()}
}

func startRedisAlways(tb testenv.TB) *server {
	r := testenv.StartRedis(tb, durable...)
	return &server{name: redisAlways, addr: r.Addr, front: r.Process()}
}

// startRedisWait starts what promises with redis-server what Redoubt promises
// with three etcd members: each write is on three disks before its answer.
func startRedisWait(tb testenv.TB) *server {
	const replicas = 2
	primary := testenv.StartRedis(tb, append([]string{"--repl-diskless-sync-delay", "0"}, durable...)...)
	host, port, _ := strings.Cut(primary.Addr, ":")
	s := &server{name: redisWait, addr: primary.Addr, front: primary.Process(), wait: replicas}
	for range replicas {
		r := testenv.StartRedis(tb, append([]string{"--replicaof", host + " " + port}, durable...)...)
		s.rest = append(s.rest, r.Process())
	}
	testenv.Eventually(tb, ready, "both replicas acknowledge", func(ctx context.Context) error {
		if err := probeWrite(ctx, s.addr); err != nil {
			return err
		}
		n, err := do(ctx, s.addr, "WAIT", strconv.Itoa(replicas), "1000")
		if err == nil && n.n < replicas {
			err = fmt.Errorf("WAIT reached %d", n.n)
		}
		return err
	})
	return s
}

func startRedoubtDev(tb testenv.TB, bin string) *server {
	port, s3, metrics := testenv.FreePort(tb), testenv.FreePort(tb), testenv.FreePort(tb)
	p := testenv.Start(tb, testenv.Command{
		Name: "redoubt-dev", Path: bin, Forbid: testenv.RedoubtForbid,
		Args: []string{
			"dev", "--dir", tb.TempDir(), "--bind", "127.0.0.1", "--replicas", "0",
			"--port", strconv.Itoa(port), "--s3-port", strconv.Itoa(s3), "--api-port", "0", "--metrics-port", strconv.Itoa(metrics),
		},
	})
	s := &server{name: redoubtOne, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), front: p}
	waitWritable(tb, s)
	return s
}

// startRedoubtNode starts one node on an etcd cluster and an S3 server. The S3
// server's work is not counted: in production it is somebody else's machine.
func startRedoubtNode(tb testenv.TB, bin string, etcd *testenv.Etcd, more ...string) *server {
	store := testenv.StartVersityGW(tb)
	addr, metrics := testenv.FreeAddr(tb), testenv.FreeAddr(tb)
	p := testenv.Start(tb, testenv.Command{
		Name: "redoubt-node", Path: bin, Forbid: testenv.RedoubtForbid,
		Env: store.Env(),
		Args: append([]string{
			"node", "--cluster", "bench", "--shard", "0", "--node-id", "bench-0", "--az", "az-a",
			"--etcd", strings.Join(etcd.Endpoints(), ","),
			"--store", store.URL("bench"), "--store-endpoint", store.Endpoint, "--store-path-style",
			"--region", store.Region, "--listen", addr, "--announce", addr, "--metrics-listen", metrics,
		}, more...),
	})
	s := &server{name: redoubtTri, addr: addr, front: p, metrics: "http://" + metrics + "/metrics"}
	for i := range etcd.Endpoints() {
		s.rest = append(s.rest, etcd.Process(i))
	}
	waitWritable(tb, s)
	return s
}

func waitWritable(tb testenv.TB, s *server) {
	testenv.Eventually(tb, ready, s.name+" takes a write", func(ctx context.Context) error {
		if !s.front.Running() {
			tb.Fatalf("%s ended:\n%s", s.name, s.front.Log())
		}
		return probeWrite(ctx, s.addr)
	})
}

func probeWrite(ctx context.Context, addr string) error {
	a, err := do(ctx, addr, "SET", "ready", "1")
	if err == nil && a.kind != '+' {
		err = fmt.Errorf("SET: %s", a.text)
	}
	return err
}

// do sends one command on a connection of its own.
func do(ctx context.Context, addr, name string, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return answer{}, err
	}
	list := make([][]byte, len(args))
	for i, arg := range args {
		list[i] = []byte(arg)
	}
	if _, err := conn.Write(appendCommand(nil, name, list...)); err != nil {
		return answer{}, err
	}
	return readAnswer(bufio.NewReader(conn))
}
