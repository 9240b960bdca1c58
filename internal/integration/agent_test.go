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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/flock"
	"github.com/redoubtdb/redoubt/internal/pki"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// hosts are agents on real etcd members and a real S3 server, as processes of their
// own, each of another zone and address.
type hosts struct {
	t     *testing.T
	etcd  *testenv.Etcd
	s3    *testenv.S3
	fleet *fleet.Fleet
	shard *etcdfence.Shard
	port  int // the first of each host's
	list  []*hostProc
}

// hostProc is one agent.
type hostProc struct {
	id, dir, address string
	args             []string
	proc             *testenv.Process
}

const (
	portsOfHost = 4
	// longTTL is the lease of nodes where nothing but the agent may end it in time.
	longTTL = "20s"
	// What an agent says when it has taken over a node, and when it is known.
	takenOver  = "a node goes on that an earlier agent has started"
	registered = "host is registered"
)

// startHosts starts n agents. nodeConfig is what their nodes get beside.
func startHosts(t *testing.T, n int, nodeConfig map[string]string, args ...string) *hosts {
	t.Helper()
	h := &hosts{t: t, etcd: testenv.StartEtcd(t, 3, testenv.EtcdOptions{}), s3: testenv.StartVersityGW(t), port: testenv.FreePorts(t, portsOfHost)}
	cli := h.etcd.Client(t)
	h.fleet = fleet.Open(cli, fleet.Options{})
	h.shard = etcdfence.Open(cli, clusterName, 0, etcdfence.Options{})
	config, err := json.Marshal(nodeConfig)
	must(t, err)
	path := filepath.Join(t.TempDir(), "nodes.yaml")
	must(t, os.WriteFile(path, config, 0o600))
	for i := range n {
		a := &hostProc{id: fmt.Sprintf("host-%c", 'a'+i), dir: filepath.Join(t.TempDir(), "agent"), address: fmt.Sprintf("127.0.0.%d", 11+i)}
		a.args = append([]string{"agent", "--etcd", strings.Join(h.etcd.Endpoints(), ","), "--store", h.s3.URL("redoubt"),
			"--store-endpoint", h.s3.Endpoint, "--store-path-style", "--region", h.s3.Region,
			"--host-id", a.id, "--az", string(rune('a' + i)), "--address", a.address, "--memory", "2GiB",
			"--ports", fmt.Sprintf("%d-%d", h.port, h.port+portsOfHost-1), "--dir", a.dir, "--node-config", path,
			"--nofile", "4096", "--grace", "20s", "--log-level", "info"}, args...)
		h.list = append(h.list, a)
		t.Cleanup(func() { h.endNodes(a) }) // after the agent's end
		a.proc = h.start(a.id, a.args)
	}
	for _, a := range h.list {
		h.awaitHost(a.id)
	}
	return h
}

func (h *hosts) start(name string, args []string) *testenv.Process {
	return testenv.Start(h.t, testenv.Command{Name: name, Path: testenv.Redoubt(h.t), Args: args, Env: h.s3.Env(), Forbid: testenv.RedoubtForbid})
}

// endNodes kills what an agent has left running, and looks through what it wrote.
func (h *hosts) endNodes(a *hostProc) {
	folders, err := filepath.Glob(filepath.Join(a.dir, "nodes", "*"))
	must(h.t, err)
	for _, folder := range folders {
		if pid := pidOf(folder); pid > 0 && held(folder) {
			must(h.t, syscall.Kill(pid, syscall.SIGKILL))
		}
		testenv.Eventually(h.t, 20*time.Second, folder+" to be let go of", func(context.Context) error {
			if held(folder) {
				return errors.New("its lock is held")
			}
			return nil
		})
		log, err := os.ReadFile(filepath.Join(folder, "log"))
		for _, bad := range testenv.RedoubtForbid {
			if err == nil && bytes.Contains(log, []byte(bad)) {
				h.t.Errorf("%q in the log of %s", bad, folder)
			}
		}
		if h.t.Failed() {
			h.t.Logf("log of %s:\n%s", folder, log[max(0, len(log)-4000):])
		}
	}
}

// held tells whether a process of the node in a folder runs.
func held(folder string) bool {
	lock, err := flock.Try(filepath.Join(folder, "lock"))
	if err == nil {
		lock.Close()
	}
	return errors.Is(err, flock.ErrHeld)
}

func pidOf(folder string) int {
	var p struct{ PID int }
	if b, err := os.ReadFile(filepath.Join(folder, "pid")); err != nil || json.Unmarshal(b, &p) != nil {
		return 0
	}
	return p.PID
}

func (h *hosts) awaitHost(id string) {
	h.t.Helper()
	testenv.Eventually(h.t, time.Minute, id+" to be registered", func(ctx context.Context) error {
		all, err := h.fleet.Overview(ctx)
		if _, ok := all.Hosts[id]; err == nil && !ok {
			err = fmt.Errorf("hosts %v", all.Hosts)
		}
		return err
	})
}

// nodeOf is the name of the node that a host gets.
func (a *hostProc) node() string { return "node-" + a.id[len(a.id)-1:] }

func (a *hostProc) folder() string { return filepath.Join(a.dir, "nodes", a.node()) }

func (h *hosts) addr(a *hostProc) string { return fmt.Sprintf("%s:%d", a.address, h.port) }

func (h *hosts) addrs() (all []string) {
	for _, a := range h.list {
		all = append(all, h.addr(a))
	}
	return all
}

// assignment is the usual one.
func (h *hosts) assignment(a *hostProc, generation int64) fleet.Assignment {
	all, err := h.fleet.Overview(h.t.Context())
	must(h.t, err)
	engines := all.Hosts[a.id].Engines
	return fleet.Assignment{
		Cluster: clusterName, Node: a.node(), Goal: fleet.Run, Generation: generation, Port: h.port,
		Engine: engines[len(engines)-1], Memory: 512 << 20, Parameters: map[string]string{"enable-debug-command": "local"},
	}
}

func (h *hosts) assign(a *hostProc, generation int64, change func(*fleet.Assignment)) {
	h.t.Helper()
	want := h.assignment(a, generation)
	if change != nil {
		change(&want)
	}
	must(h.t, h.fleet.Apply(h.t.Context(), nil, fleet.Change{Host: a.id, Node: a.node(), Assign: &want}))
}

// await waits for a status of a host's node.
func (h *hosts) await(a *hostProc, what string, ok func(fleet.Status) bool) fleet.Status {
	h.t.Helper()
	var s fleet.Status
	testenv.Eventually(h.t, time.Minute, a.node()+" to be "+what, func(ctx context.Context) error {
		all, err := h.fleet.Overview(ctx)
		if s = all.Statuses[a.id][a.node()]; err == nil && !ok(s) {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	return s
}

func (h *hosts) awaitRunning(a *hostProc, generation int64) fleet.Status {
	h.t.Helper()
	return h.await(a, fmt.Sprintf("running, generation %d", generation), func(s fleet.Status) bool {
		return s.State == fleet.Running && s.Generation == generation
	})
}

// assignAll makes each host run a node of the shard.
func (h *hosts) assignAll() {
	h.t.Helper()
	for _, a := range h.list {
		h.assign(a, 1, nil)
	}
	for _, a := range h.list {
		h.awaitRunning(a, 1)
	}
	h.primary("")
}

// primary waits until a node other than the one named leads.
func (h *hosts) primary(not string) *hostProc {
	h.t.Helper()
	var primary *hostProc
	testenv.Eventually(h.t, 40*time.Second, "a primary other than "+not, func(ctx context.Context) error {
		st, err := h.shard.State(ctx)
		if err != nil {
			return err
		}
		if st.Leader == nil || st.Leader.NodeID == not {
			return fmt.Errorf("leader: %+v", st.Leader)
		}
		for _, a := range h.list {
			if a.node() == st.Leader.NodeID {
				primary = a
				return nil
			}
		}
		return fmt.Errorf("unknown leader %s", st.Leader.NodeID)
	})
	return primary
}

// verify checks what the writers were promised.
func (h *hosts) verify(ws *writers) {
	h.t.Helper()
	db := dial(h.addr(h.primary("")))
	defer db.Close()
	testenv.Eventually(h.t, 20*time.Second, "the primary to serve", func(ctx context.Context) error { return db.Set(ctx, "probe", 1, 0).Err() })
	ws.verify(db)
}

// TestAgentFailover: the primary's process is killed, over and over. Its agent sees
// that and ends its lease, which would last for 20 s; then it starts the node again.
func TestAgentFailover(t *testing.T) {
	h := startHosts(t, 3, map[string]string{"lease-ttl": longTTL})
	h.assignAll()
	ws := startWriters(t, 2, h.addrs)
	var outages []time.Duration
	for round := range testenv.Rounds(t, 3) {
		ws.waitAcks(100)
		old := h.primary("")
		before := h.awaitRunning(old, 1)
		start := time.Now()
		must(t, syscall.Kill(before.PID, syscall.SIGKILL))
		now := h.outage(old)
		outages = append(outages, time.Since(start))
		if now == old {
			t.Fatalf("round %d: %s leads again", round, old.node())
		}
		again := h.await(old, "running again", func(s fleet.Status) bool { return s.State == fleet.Running && s.PID != before.PID })
		if again.LastExit == nil || again.LastExit.Signal != "SIGKILL" || again.LastExit.Code != -1 || again.Restarts != before.Restarts+1 {
			t.Errorf("round %d: status after the kill: %+v, exit %+v", round, again, again.LastExit)
		}
		h.verify(ws)
		if t.Failed() {
			return
		}
	}
	ws.end()
	h.verify(ws)
	slices.Sort(outages)
	t.Logf("%d operations acknowledged; from the kill of the primary to the first write that another acknowledges: median %v of %v",
		ws.acked.Load(), outages[len(outages)/2], outages)
	if worst := outages[len(outages)-1]; worst > 10*time.Second {
		t.Errorf("%v without a primary: its lease was not ended", worst)
	}
	h.nothingSecretIsVisible()
}

// outage returns who acknowledges a write first after the end of a primary, as a
// client finds out that tries all nodes in turn.
func (h *hosts) outage(old *hostProc) *hostProc {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 40*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		for _, a := range h.list {
			if a == old {
				continue
			}
			db := dial(h.addr(a))
			err := db.Set(ctx, "outage", 1, 0).Err()
			db.Close()
			if err == nil {
				return a
			}
		}
		time.Sleep(2 * time.Millisecond) // the pace of a client that tries again
	}
	h.t.Fatal("no node took over")
	return nil
}

// nothingSecretIsVisible: command lines and modes of what runs.
func (h *hosts) nothingSecretIsVisible() {
	for _, a := range h.list {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pidOf(a.folder())))
		must(h.t, err)
		want := []string{"node", "--config", filepath.Join(a.folder(), "node.yaml")}
		if got := strings.Split(strings.Trim(string(line), "\x00"), "\x00"); !slices.Equal(got[1:], want) {
			h.t.Errorf("command line %q, want the program and %q", got, want)
		}
		for _, name := range []string{"node.yaml", "launch.json", "log", "pid"} {
			if info, err := os.Stat(filepath.Join(a.folder(), name)); err != nil || info.Mode().Perm() != 0o600 {
				h.t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
}

// TestAgentRestart: nodes do not notice that their agent is killed. What dies while
// none runs, the next one sees.
func TestAgentRestart(t *testing.T) {
	h := startHosts(t, 3, map[string]string{"lease-ttl": longTTL})
	h.assignAll()
	ws := startWriters(t, 2, h.addrs)

	replica := h.list[0]
	if replica == h.primary("") {
		replica = h.list[1]
	}
	pid := h.awaitRunning(replica, 1).PID
	replica.proc.Kill()
	ws.waitAcks(100)
	replica.proc.Restart()
	h.await(replica, "taken over", func(s fleet.Status) bool { return s.State == fleet.Running })
	testenv.Eventually(t, time.Minute, "the agent to say that it has taken it over", func(context.Context) error {
		if !strings.Contains(replica.proc.Log(), takenOver) {
			return errors.New(replica.proc.Log())
		}
		return nil
	})
	if now := pidOf(replica.folder()); now != pid || !held(replica.folder()) {
		t.Fatalf("the node has pid %d, had %d", now, pid)
	}

	// It watches what it has not started.
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	s := h.await(replica, "started again", func(s fleet.Status) bool { return s.State == fleet.Running && s.PID != pid })
	if s.LastExit == nil || s.LastExit.Code != -1 || s.Restarts != 1 {
		t.Errorf("status %+v, exit %+v", s, s.LastExit)
	}

	// A primary dies while no agent runs on its host: nobody else may end its lease.
	primary := h.primary("")
	pid = h.awaitRunning(primary, 1).PID
	primary.proc.Kill()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	testenv.Eventually(t, 20*time.Second, "the node to be gone", func(context.Context) error {
		if held(primary.folder()) {
			return errors.New("its lock is held")
		}
		return nil
	})
	primary.proc.Restart()
	start := time.Now()
	if now := h.outage(primary); now == primary {
		t.Fatal("it leads again")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("%v until another one led: its lease was not ended", took)
	}
	h.await(primary, "started again", func(s fleet.Status) bool { return s.State == fleet.Running && s.PID != pid })

	// Others are refused: on the directory, and under the id.
	if out, code := runRedoubt(t, h.s3.Env(), primary.args...); code != 1 || !strings.Contains(out, "directory is in use by another agent") {
		t.Errorf("second agent on the directory: exit %d\n%s", code, out)
	}
	elsewhere := append(slices.Clone(primary.args), "--dir", filepath.Join(t.TempDir(), "agent"))
	if out, code := runRedoubt(t, h.s3.Env(), elsewhere...); code != 1 || !strings.Contains(out, "host id "+primary.id+" is taken by an agent at "+primary.address) {
		t.Errorf("second agent of the id: exit %d\n%s", code, out)
	}

	// SIGTERM leaves the nodes, too, and says so.
	pid = pidOf(primary.folder())
	if code := primary.proc.Terminate(20 * time.Second); code != 0 || !strings.Contains(primary.proc.Log(), "1 of its nodes go on running: "+primary.node()) {
		t.Errorf("SIGTERM: exit %d\n%s", code, primary.proc.Log())
	}
	if !held(primary.folder()) || pidOf(primary.folder()) != pid {
		t.Error("its node ended with it")
	}
	seen := strings.Count(primary.proc.Log(), registered)
	primary.proc.RestartWith(append(slices.Clone(primary.args), "--stop-nodes-on-exit"))
	testenv.Eventually(t, time.Minute, "the agent to be back", func(context.Context) error {
		if strings.Count(primary.proc.Log(), registered) == seen {
			return errors.New(primary.proc.Log())
		}
		return nil
	})
	if code := primary.proc.Terminate(40 * time.Second); code != 0 || held(primary.folder()) {
		t.Errorf("--stop-nodes-on-exit: exit %d, node runs: %v\n%s", code, held(primary.folder()), primary.proc.Log())
	}
	ws.end()
	h.verify(ws)
}

// TestAgentStopsNodes: a node that is to stop hands over and leaves nothing behind,
// one whose assignment has gone, too; a change of what a node is started with is a
// hand-over and a start.
func TestAgentStopsNodes(t *testing.T) {
	h := startHosts(t, 3, map[string]string{"lease-ttl": longTTL})
	h.assignAll()
	ws := startWriters(t, 2, h.addrs)
	ws.waitAcks(100)

	changed := h.primary("")
	before := h.awaitRunning(changed, 1)
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", before.PID)); err != nil || string(name) != "redoubt\n" {
		t.Errorf("a node is listed as %q, %v", name, err)
	}
	h.assign(changed, 2, func(a *fleet.Assignment) { a.Parameters["maxclients"] = "123" })
	after := h.awaitRunning(changed, 2)
	if after.PID == before.PID || after.LastExit == nil || after.LastExit.Code != 0 {
		t.Errorf("after a change of parameters: %+v, exit %+v", after, after.LastExit)
	}
	db := dial(h.addr(changed))
	defer db.Close()
	for name, want := range map[string]string{"maxclients": "123", "maxmemory": fmt.Sprint((512 << 20) / 100 * 70)} {
		if got, err := db.ConfigGet(t.Context(), name).Result(); err != nil || got[name] != want {
			t.Errorf("%s is %v (%v), want %s", name, got, err, want)
		}
	}
	h.assign(changed, 3, func(a *fleet.Assignment) { a.Parameters["maxclients"] = "123" })
	if s := h.awaitRunning(changed, 3); s.PID != after.PID {
		t.Errorf("a generation that changes nothing started the node again")
	}

	stopped := h.primary(changed.node())
	h.assign(stopped, 2, func(a *fleet.Assignment) { a.Goal = fleet.Stop })
	start := time.Now()
	h.primary(stopped.node())
	h.await(stopped, "stopped", func(s fleet.Status) bool { return s.State == fleet.Stopped && s.Generation == 2 })
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := os.Stat(stopped.folder()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
	must(t, h.fleet.Apply(t.Context(), nil, fleet.Change{Host: stopped.id, Node: stopped.node()}))
	h.await(stopped, "forgotten", func(s fleet.Status) bool { return s.Node == "" })

	gone := h.list[0]
	if gone == stopped {
		gone = h.list[1]
	}
	pid := h.awaitRunning(gone, map[bool]int64{true: 3, false: 1}[gone == changed]).PID
	must(t, h.fleet.Apply(t.Context(), nil, fleet.Change{Host: gone.id, Node: gone.node()}))
	h.await(gone, "gone", func(s fleet.Status) bool { return s.Node == "" })
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its process: %v", err)
	}
	ws.waitAcks(50)
	ws.end()
	h.verify(ws)
}

// TestAgentBacksOff: a program that does not work is tried ever less often, and said
// to be so; one that does makes up for it.
func TestAgentBacksOff(t *testing.T) {
	engines := t.TempDir()
	must(t, os.WriteFile(filepath.Join(engines, "v2-broken"), []byte("#!/bin/sh\necho no luck >&2\nexit 7\n"), 0o755))
	must(t, os.Symlink(testenv.Redoubt(t), filepath.Join(engines, "v1")))
	h := startHosts(t, 1, nil, "--engines", engines)
	a := h.list[0]
	h.assign(a, 1, func(x *fleet.Assignment) { x.Engine = "v2-broken" })
	s := h.await(a, "backing off", func(s fleet.Status) bool { return s.State == fleet.BackingOff && s.Restarts >= 3 })
	if s.LastExit == nil || s.LastExit.Code != 7 || !slices.Equal(s.LastExit.Log, []string{"no luck"}) || !strings.Contains(s.Message, "exit code 7: no luck") {
		t.Errorf("status %+v, exit %+v", s, s.LastExit)
	}
	if wait := s.RetryAt.Sub(s.LastExit.At); wait < 900*time.Millisecond {
		t.Errorf("after %d restarts the next is in %v", s.Restarts, wait)
	}
	h.assign(a, 2, func(x *fleet.Assignment) { x.Engine = "v9" })
	s = h.await(a, "failed", func(s fleet.Status) bool { return s.State == fleet.Failed && s.Generation == 2 })
	if !strings.Contains(s.Message, `version "v9", this host has v1, v2-broken`) {
		t.Errorf("message %q", s.Message)
	}
	h.assign(a, 3, func(x *fleet.Assignment) { x.Engine = "v1"; x.Parameters["no-such-flag"] = "1" })
	s = h.await(a, "failed", func(s fleet.Status) bool { return s.State == fleet.Failed && s.Generation == 3 && s.LastExit.Code == 2 })
	if !strings.Contains(s.Message, "no-such-flag") {
		t.Errorf("message %q", s.Message)
	}
	h.assign(a, 4, func(x *fleet.Assignment) { x.Engine = "v1" })
	h.awaitRunning(a, 4)
}

// TestAgentTLS: a node with a certificate serves TLS alone, and shows another one
// without having been started again.
func TestAgentTLS(t *testing.T) {
	h := startHosts(t, 1, nil)
	a := h.list[0]
	authority, err := pki.NewAuthority("test", time.Now())
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertPEM())
	issue := func() (*fleet.TLS, string) {
		issued, err := authority.Issue(pki.Request{Name: a.node(), IPs: []net.IP{net.ParseIP(a.address)}, Server: true}, time.Now())
		must(t, err)
		return &fleet.TLS{Certificate: string(issued.CertPEM), Key: string(issued.KeyPEM), CA: string(authority.CertPEM()), MinVersion: "1.3"}, issued.Certificate.SerialNumber.String()
	}
	shown := func(ctx context.Context) (string, error) {
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}).DialContext(ctx, "tcp", h.addr(a))
		if err != nil {
			return "", err
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	first, serial := issue()
	h.assign(a, 1, func(x *fleet.Assignment) { x.TLS = first })
	pid := h.awaitRunning(a, 1).PID
	if got, err := shown(t.Context()); err != nil || got != serial {
		t.Fatalf("certificate %s, want %s, %v", got, serial, err)
	}
	if err := testenv.PingRedis(t.Context(), h.addr(a)); err == nil {
		t.Error("it answers without TLS")
	}
	second, serial := issue()
	h.assign(a, 2, func(x *fleet.Assignment) { x.TLS = second })
	h.awaitRunning(a, 2)
	testenv.Eventually(t, time.Minute, "the other certificate", func(ctx context.Context) error {
		got, err := shown(ctx)
		if err == nil && got != serial {
			err = fmt.Errorf("certificate %s, want %s", got, serial)
		}
		return err
	})
	if s := h.awaitRunning(a, 2); s.PID != pid || s.Restarts != 0 {
		t.Errorf("it was started again: %+v", s)
	}
	// Its lease is that of its TLS address.
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	h.await(a, "running again", func(s fleet.Status) bool { return s.State == fleet.Running && s.PID != pid })
	if log := a.proc.Log(); !strings.Contains(log, "a primary has ended, another node may lead at once") {
		t.Errorf("its lease was not ended:\n%s", log)
	}
}
