package hostile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

const (
	// durationVar is how long to attack in all, seedVar from which seed.
	durationVar = "REDOUBT_HOSTILE"
	seedVar     = "REDOUBT_HOSTILE_SEED"

	usualDuration = 12 * time.Second
	password      = "correct horse battery staple"
	goodClients   = 6

	// longestWait bounds every request of a good client. The attackers, the
	// clients and the server share the processors here, hence so much.
	longestWait = 5 * time.Second

	// leaseTTL is long, as the attackers take the processors away from etcd, too;
	// elsewhere they are on other machines.
	leaseTTL = 10 * time.Second

	// clientMemory is the server's maxmemory-clients: far less than what the
	// attackers would make it hold.
	clientMemory = 128 << 20
)

// maxClients is the server's maxclients. The race detector stops a process with
// more than 8128 goroutines.
func maxClients() int {
	if raceEnabled {
		return 2000
	}
	return 10000
}

// memoryBound is the most resident memory that the server may take under attack,
// above what it takes at rest. What it holds at the same time is at most
//
//   - clientMemory, for all that clients send and are sent;
//   - once more for buffers that grow while they are judged: the old one and the
//     new one are there together;
//   - a reply in the making, at most half of clientMemory, which grows by copying,
//     so nine quarters of it;
//   - twice the 64 MiB that may wait to be committed: as a queue, and encoded;
//   - what the attackers store, and the segment made of it.
//
// Go collects garbage when the heap has doubled, which doubles the sum; stacks
// come on top.
func memoryBound() int64 {
	const (
		reply  = clientMemory / 2 * 9 / 4
		queue  = 2 * 64 << 20
		stored = 64 << 20
		stack  = 16 << 10
	)
	bound := 2*int64(2*clientMemory+reply+queue+stored) + int64(maxClients())*stack
	if raceEnabled {
		bound *= 8 // the detector's shadow memory
	}
	return bound
}

// restSlack is how much more the heap may take once the attack is over: what the
// attackers have stored, and what pools keep.
const restSlack = 64 << 20

// TestHostile attacks one node: by every family of attackers alone, and by all
// of them together.
func TestHostile(t *testing.T) {
	total, seed := options(t)
	allowFiles(t, 2*maxClients())
	n := startNode(t)
	t.Logf("seed %d, %v, memory bound %s + base", seed, total, MiB(memoryBound()))
	// One after the other on the same node: behind a failure the rest says nothing.
	ok := t.Run("maxclients", n.testMaxClients)
	for _, f := range Families() {
		ok = ok && t.Run(string(f), func(t *testing.T) { n.attack(t, Of(f), total/12, seed) })
	}
	ok = ok && t.Run("mixed", func(t *testing.T) { n.attack(t, All(), total-total*5/12, seed) })
	_ = ok && t.Run("restart", n.testRestart)
}

func options(t *testing.T) (time.Duration, uint64) {
	t.Helper()
	total, seed := usualDuration, rand.Uint64()
	var err error
	if s := os.Getenv(durationVar); s != "" {
		if total, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s: %v", durationVar, err)
		}
	}
	if s := os.Getenv(seedVar); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVar, err)
		}
	}
	return total, seed
}

// allowFiles makes sure that this process, and the server as its child, may open
// n files.
func allowFiles(t *testing.T, n int) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Cur >= uint64(n) {
		return
	}
	l.Cur, l.Max = uint64(n), max(l.Max, uint64(n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatalf("the test needs %d open files (ulimit -n): %v", n, err)
	}
}

// node is a node on a real etcd and a real S3 server, with good clients that
// stay connected.
type node struct {
	Target
	proc *testenv.Process
	good *Good
	db   *redis.Client
}

func startNode(t *testing.T) *node {
	t.Helper()
	etcd, s3 := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}), testenv.StartVersityGW(t)
	n := &node{Target: Target{Addr: testenv.FreeAddr(t), Password: password}}
	n.proc = testenv.Start(t, testenv.Command{
		Name: "node", Path: testenv.Redoubt(t), Env: s3.Env(), Forbid: testenv.RedoubtForbid,
		Args: []string{
			"node", "--cluster", "hostile", "--node-id", "node-0", "--listen", n.Addr,
			"--etcd", strings.Join(etcd.Endpoints(), ","), "--store", s3.URL("redoubt"),
			"--store-endpoint", s3.Endpoint, "--store-path-style", "--region", s3.Region,
			"--requirepass", password, "--maxclients", strconv.Itoa(maxClients()),
			"--maxmemory-clients", strconv.Itoa(clientMemory), "--enable-debug-command", "local", "--lease-ttl", leaseTTL.String(), "--log-level", "info",
		},
	})
	n.db = redis.NewClient(&redis.Options{
		Addr: n.Addr, Password: password, MaxRetries: -1, PoolSize: 1, DisableIdentity: true,
		ReadTimeout: goodTimeout, WriteTimeout: goodTimeout,
	})
	t.Cleanup(func() { n.db.Close() })
	n.waitPrimary(t)
	var err error
	if n.good, err = NewGood(t.Context(), n.Target, goodClients); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.good.Close() })
	return n
}

func (n *node) waitPrimary(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "the node to serve as primary", func(ctx context.Context) error {
		if !n.proc.Running() {
			return fmt.Errorf("it has ended")
		}
		if err := n.db.Get(ctx, "no-such-key").Err(); !errors.Is(err, redis.Nil) {
			return err
		}
		return nil
	})
}

func (n *node) info(t *testing.T) Info {
	t.Helper()
	info, err := ReadInfo(t.Context(), n.db)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// settle waits until only the good clients are connected and the heap is no
// larger than most, and returns INFO then.
func (n *node) settle(t *testing.T, most int64) Info {
	t.Helper()
	var info Info
	testenv.Eventually(t, time.Minute, "the node to be at rest", func(ctx context.Context) error {
		if err := n.db.Do(ctx, "MEMORY", "PURGE").Err(); err != nil {
			return err
		}
		var err error
		if info, err = ReadInfo(ctx, n.db); err != nil {
			return err
		}
		if got := info.Number("connected_clients"); got != goodClients+1 {
			return fmt.Errorf("%d clients are connected, want %d", got, goodClients+1)
		}
		if got := info.Number("used_memory"); got > most {
			return fmt.Errorf("used_memory is %s, want at most %s", MiB(got), MiB(most))
		}
		return nil
	})
	return info
}

// attack has attackers at the node for d, while the good clients work, and
// judges memory, answers and time.
func (n *node) attack(t *testing.T, attackers []Attacker, d time.Duration, seed uint64) {
	before := n.settle(t, 1<<62)
	base, err := Resident(n.proc.PID())
	if err != nil {
		t.Fatal(err)
	}
	n.good.Latency()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	monitor := Watch(n.proc.PID())
	defer monitor.Stop()
	worked := make(chan struct{})
	go func() { defer close(worked); n.good.Run(ctx) }()
	var tally Tally
	for _, err := range Run(ctx, n.Target, attackers, seed, &tally) {
		t.Error(err)
	}
	<-worked
	n.checkGood(t)
	most, err := monitor.Stop()
	if err != nil {
		t.Fatal(err)
	}
	during := n.info(t)
	after := n.settle(t, before.Number("used_memory")+restSlack)
	debug.FreeOSMemory() // of this process, which runs beside the server

	t.Logf("attackers: %v", &tally)
	t.Logf("memory: resident at rest %s, at most %s of %s; heap %s before, %s after", MiB(base), MiB(most), MiB(base+memoryBound()),
		MiB(before.Number("used_memory")), MiB(after.Number("used_memory")))
	t.Logf("server: %s evicted, %s rejected, %s error replies, %s cut for output, %s for query buffers (since the start)",
		during["evicted_clients"], during["rejected_connections"], during["total_error_replies"],
		during["client_output_buffer_limit_disconnections"], during["client_query_buffer_limit_disconnections"])
	if most > base+memoryBound() {
		t.Errorf("the node took %s, want at most %s", MiB(most), MiB(base+memoryBound()))
	}
	if got, want := after["terms_won"], before["terms_won"]; got != want {
		t.Errorf("terms_won went from %s to %s: the attack cost the node its lease", want, got)
	}
}

// testMaxClients fills the server to maxclients with connections that say
// nothing: one more is told so, and the good clients notice nothing.
func (n *node) testMaxClients(t *testing.T) {
	before := n.settle(t, 1<<62)
	ctx, cancel := context.WithCancel(t.Context())
	worked := make(chan struct{})
	go func() { defer close(worked); n.good.Run(ctx) }()
	defer func() { cancel(); <-worked }()
	h := &Hand{Rand: rand.New(rand.NewPCG(1, 1)), target: n.Target, tally: &Tally{}}
	crowd := h.Gather(ctx, maxClients()-goodClients-1)
	defer crowd.Close()
	testenv.Eventually(t, time.Minute, "the node to be full", func(ctx context.Context) error {
		info, err := ReadInfo(ctx, n.db)
		if err == nil && info.Number("connected_clients") != int64(maxClients()) {
			err = fmt.Errorf("%s clients are connected", info["connected_clients"])
		}
		return err
	})
	for range 100 {
		if err := h.TurnedAway(ctx); err != nil {
			t.Fatal(err)
		}
	}
	most, err := Resident(n.proc.PID())
	if err != nil {
		t.Fatal(err)
	}
	crowd.Close()
	cancel()
	<-worked
	t.Logf("beside %d idle connections: resident %s", len(crowd), MiB(most))
	n.checkGood(t)
	n.settle(t, before.Number("used_memory")+restSlack)
}

// checkGood fails the test unless all that good clients asked since the last
// time was answered, rightly and in time.
func (n *node) checkGood(t *testing.T) {
	t.Helper()
	latency := n.good.Latency()
	t.Logf("good clients: %v", latency)
	if latency.Requests == 0 || latency.Longest > longestWait {
		t.Errorf("good clients: %v; want some, none longer than %v", latency, longestWait)
	}
	for _, err := range n.good.Problems() {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// testRestart checks that what good clients wrote is there after a restart, and
// that all that attackers stored is told by the log as it was in memory.
func (n *node) testRestart(t *testing.T) {
	before, err := n.db.Do(t.Context(), "DEBUG", "DIGEST").Text()
	if err != nil {
		t.Fatal(err)
	}
	n.proc.Kill()
	n.proc.Restart()
	n.waitPrimary(t)
	after, err := n.db.Do(t.Context(), "DEBUG", "DIGEST").Text()
	if err != nil || after != before {
		t.Errorf("after a restart the digest is %s (%v), was %s", after, err, before)
	}
	if err := n.good.Verify(t.Context(), n.db); err != nil {
		t.Error(err)
	}
}
