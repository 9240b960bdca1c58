package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// stage is a machine, and all else that a keeper works with, of which a test decides
// what happens, and which writes down what was done in which order.
type stage struct {
	mu      sync.Mutex
	done    []string
	procs   map[string]*stageProc
	left    map[string]left
	pids    int
	endLeft bool // by an earlier agent
	deaf    bool // processes do not heed SIGTERM
	etcd    bool // is there
	serves  bool
	told    []fleet.Status
	probed  fleet.Assignment
}

type stageProc struct {
	s     *stage
	pid   int
	began time.Time
	ended chan fleet.Exit // capacity 1
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, fmt.Sprintf(format, args...))
}

// took is what was done since it was asked last.
func (s *stage) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.done
	s.done = nil
	return done
}

func (s *stage) Find() (map[string]left, error) { return s.left, nil }

func (s *stage) Start(st step) (process, error) {
	s.note("start %s %s", st.node, st.assignment.Engine)
	if st.assignment.Engine == "none" {
		return nil, errNoEngine
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids++
	p := &stageProc{s: s, pid: s.pids, began: time.Now(), ended: make(chan fleet.Exit, 1)}
	s.procs[st.node] = p
	return p, nil
}

func (s *stage) Renew(st step) error      { s.note("renew %s", st.node); return nil }
func (s *stage) Remove(node string) error { s.note("remove %s", node); return nil }
func (s *stage) Tend(string) error        { return nil }

func (s *stage) Settle(_ context.Context, a fleet.Assignment) error {
	s.mu.Lock()
	there := s.etcd
	s.mu.Unlock()
	if !there {
		return errors.New("etcd is away")
	}
	s.note("settle %s", a.Node)
	return nil
}

func (s *stage) Probe(_ context.Context, a fleet.Assignment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probed = a
	if !s.serves {
		return errors.New("it loads its data")
	}
	return nil
}

func (p *stageProc) PID() int         { return p.pid }
func (p *stageProc) Began() time.Time { return p.began }

func (p *stageProc) Wait(ctx context.Context) (fleet.Exit, bool) {
	select {
	case exit := <-p.ended:
		return exit, true
	case <-ctx.Done():
		return fleet.Exit{}, false
	}
}

func (p *stageProc) Signal(sig syscall.Signal) error {
	p.s.note("signal %d", sig)
	if sig == syscall.SIGKILL || !p.s.deaf {
		p.ended <- fleet.Exit{At: time.Now()}
	}
	return nil
}

type noMetrics struct{}

func (noMetrics) step(verb)            {}
func (noMetrics) exit(fleet.Exit)      {}
func (noMetrics) nodes([]fleet.Status) {}

// play runs a keeper in a bubble whose time is the test's.
func play(t *testing.T, prepare func(*stage), test func(t *testing.T, s *stage, k *keeper, end func())) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{procs: map[string]*stageProc{}, etcd: true, serves: true}
		if prepare != nil {
			prepare(s)
		}
		k := newKeeper(keeperConfig{
			machine: s, leases: s, prober: s, observe: noMetrics{}, log: slog.New(slog.DiscardHandler),
			pacing: pacing{first: time.Second, most: time.Minute, stable: 30 * time.Second}, grace: 10 * time.Second,
			random: func() float64 { return 0 },
		})
		k.report = func(all []fleet.Status) { s.mu.Lock(); s.told = all; s.mu.Unlock() }
		must(t, k.find(s.endLeft))
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { k.run(ctx); close(ran) }()
		end := func() { cancel(); <-ran }
		defer end()
		test(t, s, k, end)
	})
}

func (k *keeper) assign(all ...fleet.Assignment) {
	k.post(context.Background(), func(now time.Time) { k.core.assign(all, now) })
	synctest.Wait()
}

func (s *stage) want(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := s.took(); !slices.Equal(got, want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func (s *stage) state() fleet.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		return ""
	}
	return s.told[0].State
}

// there makes etcd come and go.
func there(s *stage, v bool) { s.mu.Lock(); s.etcd = v; s.mu.Unlock() }

// The lease of a process is ended when it has ended, and before it is started again,
// however long etcd is away.
func TestKeeperSettlesFirst(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, k *keeper, _ func()) {
		k.assign(*run(1, "v1"))
		s.want(t, "assigned", "start n v1")
		time.Sleep(time.Minute)
		there(s, false)
		s.procs["n"].ended <- fleet.Exit{Signal: "SIGKILL", Code: -1}
		time.Sleep(time.Minute)
		s.want(t, "etcd is away")
		there(s, true)
		time.Sleep(2 * time.Second)
		s.want(t, "etcd is back", "settle n", "start n v1")
	})
}

func TestKeeperBacksOff(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, k *keeper, _ func()) {
		k.assign(*run(1, "v1"))
		s.want(t, "assigned", "start n v1")
		for i, wait := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			s.procs["n"].ended <- fleet.Exit{Code: 1}
			s.want(t, "ended", "settle n")
			time.Sleep(wait - time.Millisecond)
			s.want(t, fmt.Sprintf("failure %d, too early", i))
			time.Sleep(time.Millisecond)
			s.want(t, fmt.Sprintf("failure %d, in time", i), "start n v1")
		}
		time.Sleep(30 * time.Second)
		s.procs["n"].ended <- fleet.Exit{Code: 1}
		s.want(t, "after it was stable", "settle n", "start n v1")
		k.assign(*run(2, "none"))
		s.want(t, "an engine that is not there", "signal 15", "settle n", "start n none")
		if got := s.state(); got != fleet.Failed {
			t.Fatal(got)
		}
		k.assign(*run(3, "v1"))
		s.want(t, "one that is", "start n v1")
	})
}

func TestKeeperStops(t *testing.T) {
	play(t, func(s *stage) { s.deaf = true }, func(t *testing.T, s *stage, k *keeper, _ func()) {
		k.assign(*run(1, "v1"))
		s.want(t, "assigned", "start n v1")
		k.assign(*stopped())
		s.want(t, "to stop", "signal 15")
		time.Sleep(10*time.Second - time.Millisecond)
		s.want(t, "in the time of grace")
		time.Sleep(time.Millisecond)
		s.want(t, "after it", "signal 9", "settle n", "remove n")
		if got := s.state(); got != fleet.Stopped {
			t.Fatal(got)
		}
		k.assign()
		if got := s.state(); got != "" {
			t.Fatal(got)
		}
	})
}

func TestKeeperRenews(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, k *keeper, _ func()) {
		k.assign(*with("one"))
		s.want(t, "assigned", "start n v1")
		two := *with("two")
		two.Generation = 2
		k.assign(two)
		s.want(t, "another certificate", "renew n")
		if s.told[0].Generation != 2 {
			t.Fatalf("%+v", s.told)
		}
		time.Sleep(2 * probeRunning)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.probed.TLS.Certificate != "two" {
			t.Fatalf("asked by %+v", s.probed.TLS)
		}
	})
}

func TestKeeperProbes(t *testing.T) {
	play(t, func(s *stage) { s.serves = false }, func(t *testing.T, s *stage, k *keeper, _ func()) {
		serve := func(v bool) { s.mu.Lock(); s.serves = v; s.mu.Unlock() }
		want := func(state fleet.State) {
			t.Helper()
			synctest.Wait()
			if got := s.state(); got != state {
				t.Fatalf("%q, want %q", got, state)
			}
		}
		k.assign(*run(1, "v1"))
		want(fleet.Starting)
		serve(true)
		time.Sleep(probeStarting)
		want(fleet.Running)
		serve(false)
		time.Sleep(2 * probeRunning)
		want(fleet.Running)
		time.Sleep(probeRunning)
		want(fleet.Starting)
		serve(true)
		time.Sleep(probeStarting)
		want(fleet.Running)
	})
}

// Nodes that an earlier agent has left are killed if that is asked for, though nothing
// is known of assignments, and started again when their leases have been ended.
func TestKeeperEndsWhatIsLeft(t *testing.T) {
	prepare := func(s *stage) {
		s.endLeft = true
		p := &stageProc{s: s, pid: 77, began: time.Now(), ended: make(chan fleet.Exit, 1)}
		s.left = map[string]left{"n": {launched: run(1, "v1"), starts: 1, process: p, stopping: time.Now()}}
	}
	play(t, prepare, func(t *testing.T, s *stage, k *keeper, _ func()) {
		synctest.Wait()
		s.want(t, "nothing known", "signal 9", "settle n")
		k.assign(*run(1, "v1"))
		s.want(t, "known", "start n v1")
	})
}

// The end of the agent is not that of its nodes, and what one agent has left the next
// one takes over: those that run as they are, those that have ended are settled, and
// nothing is stopped before the assignments are known.
func TestKeeperTakesOver(t *testing.T) {
	prepare := func(s *stage) {
		p := &stageProc{s: s, pid: 77, began: time.Now(), ended: make(chan fleet.Exit, 1)}
		s.procs["lives"] = p
		s.left = map[string]left{
			"lives": {launched: &fleet.Assignment{Node: "lives", Cluster: "c", Engine: "v1"}, starts: 1, process: p},
			"dead":  {launched: &fleet.Assignment{Node: "dead", Engine: "v1"}, starts: 4},
			"empty": {},
		}
	}
	play(t, prepare, func(t *testing.T, s *stage, k *keeper, end func()) {
		time.Sleep(time.Hour)
		s.want(t, "nothing known", "settle dead")
		lives, dead := *run(1, "v1"), *run(1, "v1")
		lives.Node, dead.Node = "lives", "dead"
		k.assign(lives, dead)
		s.want(t, "known", "start dead v1", "remove empty")
		end()
		s.want(t, "the agent's end")
		if got := k.core.running(); !slices.Equal(got, []string{"dead", "lives"}) {
			t.Fatalf("running %v", got)
		}
		k.stopAll()
		got := s.took()
		slices.Sort(got)
		if want := []string{"settle dead", "settle lives", "signal 15", "signal 15"}; !slices.Equal(got, want) || len(k.core.running()) > 0 {
			t.Fatalf("%q, want %q; %v run", got, want, k.core.running())
		}
	})
}

// An agent that takes its nodes with it sees to it that their leases are ended, also
// those that it could not end before.
func TestKeeperStopsAllAfterAnOutage(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, k *keeper, end func()) {
		k.assign(*run(1, "v1"))
		s.want(t, "assigned", "start n v1")
		there(s, false)
		s.procs["n"].ended <- fleet.Exit{Signal: "SIGKILL", Code: -1}
		time.Sleep(time.Minute)
		end()
		there(s, true)
		began := time.Now()
		k.stopAll()
		s.want(t, "stopped", "settle n")
		if took := time.Since(began); took > time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
