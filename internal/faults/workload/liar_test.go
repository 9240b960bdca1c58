package workload

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tidwall/redcon"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// liar stands before a real server and passes on other commands than it was
// sent, so that a test sees what a workload makes of a server that breaks its
// promises. Replies pass as they are.
type liar struct {
	ln     net.Listener
	target string
	lie    lie
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
}

// lie returns what to send in place of a command. It is called by one goroutine
// a connection; said is of that connection: the names of the commands it has
// sent so far.
type lie func(said map[string]int, command []string) []string

// newLiar starts one and returns its address.
func newLiar(t *testing.T, target string, l lie) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &liar{ln: ln, target: target, lie: l, conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return ln.Addr().String()
}

func (s *liar) accept() {
	for {
		client, err := s.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", s.target)
		if err != nil {
			client.Close()
			continue
		}
		if !s.add(client, server) {
			return
		}
		s.wg.Go(func() {
			defer s.remove(client, server)
			io.Copy(client, server)
		})
		s.wg.Go(func() {
			defer s.remove(client, server)
			s.pass(client, server)
		})
	}
}

func (s *liar) pass(client io.Reader, server io.Writer) {
	said := map[string]int{}
	commands := redcon.NewReader(client)
	for {
		cmd, err := commands.ReadCommand()
		if err != nil {
			return
		}
		args := make([]string, len(cmd.Args))
		for i, a := range cmd.Args {
			args[i] = string(a)
		}
		args[0] = strings.ToUpper(args[0])
		send := s.lie(said, args)
		said[args[0]]++
		out := redcon.AppendArray(nil, len(send))
		for _, a := range send {
			out = redcon.AppendBulkString(out, a)
		}
		if _, err := server.Write(out); err != nil {
			return
		}
	}
}

func (s *liar) add(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		if s.conns == nil {
			c.Close()
			continue
		}
		s.conns[c] = struct{}{}
	}
	return s.conns != nil
}

func (s *liar) remove(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(s.conns, c)
	}
}

func (s *liar) close() {
	s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

// every changes each nth command of a connection that match picks.
func every(n int, match func(command []string) bool, change func(command []string) []string) lie {
	return func(said map[string]int, command []string) []string {
		if !match(command) {
			return command
		}
		said["matched"]++
		if said["matched"]%n != 0 {
			return command
		}
		return change(command)
	}
}

func named(name string) func([]string) bool {
	return func(command []string) bool { return command[0] == name }
}

func instead(send ...string) func([]string) []string {
	return func([]string) []string { return send }
}

// Commands whose replies look like another's.
var (
	sayOK    = []string{"EVAL", "return redis.status_reply('OK')", "0"}
	sayMoved = []string{"EVAL", "return redis.error_reply('MOVED 0 elsewhere')", "0"}
)

// say is a command that is answered with a list of strings, or, for "", nils.
func say(values ...string) []string {
	lua := "return {"
	for _, v := range values {
		if v == "" {
			lua += "false,"
		} else {
			lua += strconv.Quote(v) + ","
		}
	}
	return []string{"EVAL", lua + "}", "0"}
}

// then is a lie on top of another.
func (l lie) then(next lie) lie {
	return func(said map[string]int, command []string) []string {
		return next(said, l(said, command))
	}
}

// asPrimary and asReplica make redis-server, which does not know READONLY
// outside of its own cluster mode, answer as Redoubt's nodes do.
func asPrimary(_ map[string]int, command []string) []string {
	if command[0] == "READONLY" {
		return sayOK
	}
	return command
}

func asReplica(said map[string]int, command []string) []string {
	switch {
	case command[0] == "READONLY":
		return sayOK
	case command[0] == "GET" || command[0] == "HGET" || command[0] == "MGET" || command[0] == "PTTL" || command[0] == "MULTI":
		if said["READONLY"] == 0 {
			return sayMoved
		}
	}
	return command
}

// shard is a redis-server and its replica as a workload's targets. The lies,
// which may be nil, are what each of them tells.
func shard(t *testing.T, primary, replica lie) *Env {
	t.Helper()
	first := testenv.StartRedis(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(first.Addr)
	if err != nil {
		t.Fatal(err)
	}
	second := testenv.StartRedis(t, "--replicaof", host+" "+port)
	db := redis.NewClient(&redis.Options{Addr: first.Addr, PoolSize: 1})
	defer db.Close()
	// A link that is up is not enough: the primary may hold back what comes
	// after the first copy for another second.
	testenv.Eventually(t, 30*time.Second, "the replica follows", func(ctx context.Context) error {
		if err := db.Incr(ctx, "follows").Err(); err != nil {
			return err
		}
		if n, err := db.Wait(ctx, 1, 100*time.Millisecond).Result(); err != nil || n < 1 {
			return fmt.Errorf("%d replicas have it (error %v)", n, err)
		}
		return nil
	})
	addrs := [2]string{}
	for i, l := range [2]lie{primary, replica} {
		role, addr := lie(asPrimary), first.Addr
		if i == 1 {
			role, addr = asReplica, second.Addr
		}
		if l != nil {
			role = role.then(l)
		}
		addrs[i] = newLiar(t, addr, role)
	}
	return newEnv(Target{"node-0", addrs[0]}, Target{"node-1", addrs[1]})
}

// newEnv is an Env whose clients hardly pause.
func newEnv(targets ...Target) *Env {
	env := NewEnv(targets, "t:", 1)
	env.Think = time.Millisecond
	return env
}

// breakOften breaks all connections through a proxy many times a second until
// the function that it returns is called. Answers are delayed, so that most of the
// time something is in flight.
func breakOften(proxy *testenv.Proxy) (end func()) {
	proxy.Delay(testenv.Down, 2*time.Millisecond)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				proxy.Reset()
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
		proxy.Heal()
	}
}

// enoughJudged is how many operations a test needs to tell anything.
const enoughJudged = 300

// broken is enough when some outcomes were unknown.
func broken(env *Env) func() bool {
	return func() bool { return env.Answers.Counts().Unknown >= 10 }
}

// runFor runs a workload for d, longer on a slow machine until it has judged enough
// and everything else is enough, or until it has found something; and judges it.
func runFor(t *testing.T, env *Env, w Workload, d time.Duration, enough ...func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	enough = append(enough, func() bool { return w.Operations() >= enoughJudged })
	over := time.NewTimer(d)
	defer over.Stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		select {
		case <-env.Found():
			return
		case <-over.C:
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for slices.ContainsFunc(enough, func(is func() bool) bool { return !is() }) {
			select {
			case <-env.Found():
				return
			case <-ctx.Done():
				t.Errorf("after %v too little has happened: %d operations judged, %+v", d+time.Minute, w.Operations(), env.Answers.Counts())
				return
			case <-tick.C:
			}
		}
	})
	env.Run(ctx, []Workload{w})
	wg.Wait()
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := env.NewClient()
	defer c.Close()
	if err := w.Check(ctx, c); err != nil {
		t.Fatalf("%s: %v", w.Name(), err)
	}
}

// expectClean fails the test when anything was found, or too little judged.
func expectClean(t *testing.T, env *Env, w Workload) {
	t.Helper()
	kept, more := env.List()
	for _, v := range kept {
		t.Errorf("found %v", v)
	}
	if more > 0 {
		t.Errorf("and %d more", more)
	}
	if n := w.Operations(); n < enoughJudged {
		t.Errorf("only %d operations were judged", n)
	}
}

// expectFound fails the test unless something was found, and said to be one of
// these.
func expectFound(t *testing.T, env *Env, what ...string) {
	t.Helper()
	kept, _ := env.List()
	for _, v := range kept {
		for _, s := range what {
			if strings.Contains(v.What, s) {
				return
			}
		}
	}
	t.Errorf("no violation says %q, of %d: %v", what, len(kept), kept)
}
