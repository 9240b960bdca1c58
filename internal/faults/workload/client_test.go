package workload

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// connected is a client of one server.
func connected(t *testing.T, addr string) *Client {
	t.Helper()
	c := newEnv(Target{"node-0", addr}).NewClient()
	t.Cleanup(c.Close)
	connect(t, c)
	return c
}

func connect(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if !c.Connect(ctx) {
		t.Fatal("not connected")
	}
}

func expect(t *testing.T, r Result, outcome Outcome, value any) {
	t.Helper()
	if r.Outcome != outcome || r.Value != value || r.Err != nil {
		t.Errorf("%v %v (error %v), want %v %v", r.Outcome, r.Value, r.Err, outcome, value)
	}
}

func TestRefusedWhenNobodyListens(t *testing.T) {
	proxy := testenv.NewProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(testenv.FreePort(t))))
	env := newEnv(Target{"node-0", proxy.Addr()})
	c := env.NewClient()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if c.Connect(ctx) {
		t.Fatal("connected to nobody")
	}
	r := c.Write("SET", "k", "v")
	if r.Outcome != Refused || r.Err == nil {
		t.Errorf("%v (error %v), want refused", r.Outcome, r.Err)
	}
	if n := env.Answers.Counts(); n != (Counts{}) {
		t.Errorf("counted %+v of what was not sent", n)
	}
}

// TestUnknown: a command whose answer does not come may have been executed.
func TestUnknown(t *testing.T) {
	server := testenv.StartRedis(t)
	for name, lose := range map[string]func(*testenv.Proxy){
		"the connection breaks": (*testenv.Proxy).Reset,
		"silence":               func(*testenv.Proxy) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, server.Addr)
			c := connected(t, proxy.Addr())
			process := c.process
			proxy.Blackhole(testenv.Down)
			done := make(chan Result, 1)
			go func() { done <- c.Write("SET", name, "v") }()
			testenv.Eventually(t, 10*time.Second, "the answer is held back", func(context.Context) error {
				if proxy.Held(testenv.Down) == 0 {
					return errors.New("not yet")
				}
				return nil
			})
			lose(proxy)
			r := <-done
			if r.Outcome != Unknown || r.Err == nil || r.Value != nil {
				t.Errorf("%v %v (error %v), want unknown", r.Outcome, r.Value, r.Err)
			}
			if r.Process != process || c.process == process {
				t.Errorf("the operation was process %d's, which now is %d; it was %d, which never ends", r.Process, c.process, process)
			}
			if n := c.env.Answers.Counts(); n != (Counts{Unknown: 1}) || len(c.env.Answers.Unknowns()) != 1 {
				t.Errorf("counted %+v", n)
			}
			proxy.Heal()
			connect(t, c)
			expect(t, c.Read("GET", name), Done, "v")
		})
	}
}

func TestAborted(t *testing.T) {
	server := testenv.StartRedis(t)
	c, other := connected(t, server.Addr), connected(t, server.Addr)
	expect(t, c.Watch("k"), Done, "OK")
	expect(t, other.Write("SET", "k", "theirs"), Done, "OK")
	expect(t, c.Exec(true, Cmd("SET", "k", "mine")), Aborted, nil)
	expect(t, c.Read("GET", "k"), Done, "theirs")

	expect(t, c.Watch("k"), Done, "OK")
	if r := c.Exec(true, Cmd("SET", "k", "mine"), Cmd("GET", "k"), Cmd("GET", "none")); r.Outcome != Done {
		t.Errorf("%v (error %v), want done", r.Outcome, r.Err)
	} else if v := r.Value.([]any); len(v) != 3 || v[0] != "OK" || v[1] != "mine" || v[2] != nil {
		t.Errorf("EXEC: %v", v)
	}
	if n := c.env.Answers.Counts(); n.Done != 3 {
		t.Errorf("counted %+v, want 3 done: an aborted EXEC is an answer, too, and WATCH is none", n)
	}
}

func TestServersError(t *testing.T) {
	c := connected(t, testenv.StartRedis(t).Addr)
	expect(t, c.Write("RPUSH", "list", "a"), Done, int64(1))
	for name, r := range map[string]Result{
		"INCR":       c.Write("INCR", "list"),
		"EXEC":       c.Exec(true, Cmd("INCR", "list")),
		"EXEC later": c.Exec(true, Cmd("GET", "none"), Cmd("INCR", "list")),
	} {
		if r.Outcome != Done || r.Err == nil || !strings.HasPrefix(r.Err.Error(), "WRONGTYPE") {
			t.Errorf("%s: %v (error %v), want done with WRONGTYPE", name, r.Outcome, r.Err)
		}
	}
	expect(t, c.Read("GET", "none"), Done, nil)
}

// TestMovesOn: a replica refuses, and the client turns to the primary.
func TestMovesOn(t *testing.T) {
	env := shard(t, nil, nil)
	for name, send := range map[string]func(*Client) Result{
		"write":       func(c *Client) Result { return c.Write("SET", "k", "v") },
		"read":        func(c *Client) Result { return c.Read("GET", "k") },
		"transaction": func(c *Client) Result { return c.Exec(true, Cmd("SET", "k", "v")) },
	} {
		c := env.NewClient()
		defer c.Close()
		c.at = 1
		connect(t, c)
		if r := send(c); r.Outcome != Refused || r.Err == nil || r.Node != "node-1" {
			t.Errorf("%s: %v by %s (error %v), want refused by node-1", name, r.Outcome, r.Node, r.Err)
		}
		connect(t, c)
		if r := send(c); r.Outcome != Done || r.Node != "node-0" {
			t.Errorf("%s: %v by %s (error %v), want done by node-0", name, r.Outcome, r.Node, r.Err)
		}
	}
}

// TestReplicaClient: it stays with its node and does not count as an answer of
// the primary.
func TestReplicaClient(t *testing.T) {
	env := shard(t, nil, nil)
	c := env.NewReplicaClient(env.Targets[1])
	defer c.Close()
	for range 2 {
		connect(t, c)
		if r := c.Read("GET", "k"); r.Outcome != Done || r.Node != "node-1" {
			t.Errorf("read: %v by %s (error %v), want done by node-1", r.Outcome, r.Node, r.Err)
		}
		if r := c.Write("SET", "k", "v"); r.Outcome != Refused || r.Node != "node-1" {
			t.Errorf("write: %v by %s (error %v), want refused by node-1", r.Outcome, r.Node, r.Err)
		}
	}
	if n := env.Answers.Counts(); n != (Counts{}) {
		t.Errorf("counted %+v", n)
	}
}

// TestAsk: it goes on until somebody answers, or its context ends.
func TestAsk(t *testing.T) {
	env := shard(t, nil, nil)
	c := env.NewClient()
	defer c.Close()
	c.at = 1
	r, err := c.Ask(context.Background(), "GET", "none")
	if err != nil {
		t.Fatal(err)
	}
	if r.Node != "node-0" || r.Outcome != Done || r.Value != nil {
		t.Errorf("%v %v by %s, want nothing by node-0", r.Outcome, r.Value, r.Node)
	}
	if _, err := c.Ask(context.Background(), "INCR"); err == nil {
		t.Error("the server's error was swallowed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Ask(ctx, "GET", "none"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

// serverError is an error reply, as go-redis returns it.
type serverError string

func (e serverError) Error() string { return string(e) }
func (serverError) RedisError()     {}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Outcome
		kept bool // the error is part of the result
	}{
		{nil, Done, false},
		{redis.Nil, Done, false},
		{redis.TxFailedErr, Aborted, false},
		{serverError("READONLY You can't write against a read only replica."), Refused, true},
		{serverError("LOADING Redis is loading the dataset in memory"), Refused, true},
		{serverError("LOGFULL the log head holds 4194304 of at most 4194304 bytes"), Refused, true},
		{serverError("EXECABORT Transaction discarded because of previous errors."), Refused, true},
		{serverError("MOVED 0 127.0.0.1:6379"), Refused, true},
		{serverError("WRONGTYPE Operation against a key holding the wrong kind of value"), Done, true},
		{serverError("ERR value is not an integer or out of range"), Done, true},
		{errors.New("EOF"), Unknown, true},
		{context.DeadlineExceeded, Unknown, true},
		{&net.OpError{Op: "write", Err: errors.New("broken pipe")}, Unknown, true},
	} {
		outcome, _, err := judge("value", tt.err)
		if outcome != tt.want || (err != nil) != tt.kept {
			t.Errorf("judge(%v) = %v, %v; want %v", tt.err, outcome, err, tt.want)
		}
	}
}
