package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Bounds on how long a client waits.
const (
	dialTimeout  = time.Second
	replyTimeout = 3 * time.Second // longer than a lease and a failover
	lookAround   = 20 * time.Millisecond
)

// What go-redis would log is in the Results.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Outcome is what is known of an operation.
type Outcome int

// Outcomes. Aborted is Done for an EXEC that a WATCH turned into nothing.
const (
	Done Outcome = iota
	Aborted
	Refused
	Unknown
)

// Result is what became of one operation.
type Result struct {
	Outcome      Outcome
	Value        any   // nil, int64, string or []any of these
	Err          error // why it was Refused or Unknown; or the server's error, when Done
	Call, Return int64
	Process      int    // one operation at a time
	Node         string // that was asked
}

// String is Value as a string; "" for nil.
func (r Result) String() string {
	s, _ := r.Value.(string)
	return s
}

// Int is Value as a number; 0 for anything else.
func (r Result) Int() int64 {
	n, _ := r.Value.(int64)
	return n
}

// Target is a node that clients may connect to.
type Target struct{ ID, Addr string }

// Client is one connection's worth of load. It is used by one goroutine.
type Client struct {
	env     *Env
	Rand    *rand.Rand
	process int
	pause   time.Duration // between two looks for the primary
	replyIn time.Duration // what an answer may take
	pingIn  time.Duration // what the first one of a connection may
	only    *Target       // a replica to stay with; nil: whoever is primary
	at      int
	db      *redis.Client
	conn    *redis.Conn
}

// Env returns what all clients of the round share.
func (c *Client) Env() *Env { return c.env }

// Think waits as clients do between two requests, and returns false when ctx has
// ended.
func (c *Client) Think(ctx context.Context) bool {
	return c.sleep(ctx, time.Duration(c.Rand.Int64N(int64(2*c.env.Think)+1)))
}

func (c *Client) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Connect makes sure that there is a connection that has answered a PING, so
// that a node that is not there is not taken for an unknown outcome. It returns
// false when ctx has ended.
func (c *Client) Connect(ctx context.Context) bool {
	for c.conn == nil {
		if ctx.Err() != nil {
			return false
		}
		t := c.target()
		c.db = redis.NewClient(&redis.Options{
			Addr: t.Addr, MaxRetries: -1, DialTimeout: min(dialTimeout, c.pingIn), ReadTimeout: c.replyIn, WriteTimeout: c.replyIn,
			DisableIdentity: true, PoolSize: 1, Protocol: 2, DialerRetries: 1, ContextTimeoutEnabled: true,
		})
		conn := c.db.Conn()
		pctx, cancel := context.WithTimeout(ctx, c.pingIn)
		err := conn.Ping(pctx).Err()
		cancel()
		if err == nil && c.only != nil {
			err = conn.Do(ctx, "READONLY").Err()
		}
		if err == nil {
			c.conn = conn
			return true
		}
		conn.Close()
		c.leave()
		if !c.sleep(ctx, c.pause/2+time.Duration(c.Rand.Int64N(int64(c.pause)))) {
			return false
		}
	}
	return true
}

func (c *Client) target() Target {
	if c.only != nil {
		return *c.only
	}
	return c.env.Targets[c.at%len(c.env.Targets)]
}

// leave gives the connection up; the next one goes to the next node.
func (c *Client) leave() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	if c.db != nil {
		c.db.Close()
		c.db = nil
	}
	c.at++
}

// Close gives the connection up.
func (c *Client) Close() { c.leave() }

// LookEvery sets how long the client waits between two looks for the primary.
func (c *Client) LookEvery(d time.Duration) { c.pause = d }

// GiveUpAfter sets how long the client waits for an answer, and for the first one
// of a connection.
func (c *Client) GiveUpAfter(reply, ping time.Duration) { c.replyIn, c.pingIn = reply, ping }

// Write sends a command that changes data.
func (c *Client) Write(args ...any) Result { return c.call(true, args) }

// Read sends a command that does not.
func (c *Client) Read(args ...any) Result { return c.call(false, args) }

// Watch sends WATCH. Every node takes it, so that its answer does not tell who is
// primary.
func (c *Client) Watch(keys ...any) Result {
	args := append([]any{"WATCH"}, keys...)
	r := c.do(func(ctx context.Context) (any, error) { return c.conn.Do(ctx, args...).Result() })
	c.env.Trace.note(r, args)
	return r
}

// Ask repeats a command that may be repeated, such as a read, until a server has
// answered it. Its error is the server's, or ctx's when that has ended first.
func (c *Client) Ask(ctx context.Context, args ...any) (Result, error) {
	for c.Connect(ctx) && c.Think(ctx) {
		if r := c.Read(args...); r.Outcome == Done {
			return r, r.Err
		}
	}
	return Result{}, ctx.Err()
}

func (c *Client) call(write bool, args []any) Result {
	r := c.do(func(ctx context.Context) (any, error) { return c.conn.Do(ctx, args...).Result() })
	c.answered(r, write)
	c.env.Trace.note(r, args)
	return r
}

// Exec sends MULTI, commands and EXEC at once. Its Value is the list of their
// replies; the outcome is Aborted when a watched key had changed.
func (c *Client) Exec(write bool, commands ...[]any) Result {
	r := c.do(func(ctx context.Context) (any, error) {
		replies, err := c.conn.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, args := range commands {
				p.Do(ctx, args...)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		values := make([]any, len(replies))
		for i, r := range replies {
			// err is that of the first command which has one, be it only a nil.
			if values[i], err = r.(*redis.Cmd).Result(); err != nil && !errors.Is(err, redis.Nil) {
				return nil, err
			}
		}
		return values, nil
	})
	c.answered(r, write)
	c.env.Trace.note(r, []any{"MULTI", commands, "EXEC"})
	return r
}

// answered notes an operation that only a primary does.
func (c *Client) answered(r Result, write bool) {
	if c.only == nil && r.Err != errNotConnected {
		c.env.Answers.add(r, write)
	}
}

// errNotConnected: nothing was sent, so nobody refused anything.
var errNotConnected = errors.New("not connected")

// Cmd is one command of an Exec.
func Cmd(args ...any) []any { return args }

// do runs one operation. It is not bound to the round's context: what was sent
// when the round ends is still answered and recorded.
func (c *Client) do(op func(context.Context) (any, error)) Result {
	ctx := context.Background()
	r := Result{Process: c.process, Node: c.target().ID, Call: c.env.Clock.Now()}
	if c.conn == nil {
		r.Outcome, r.Return, r.Err = Refused, r.Call, errNotConnected
		return r
	}
	value, err := op(ctx)
	r.Return = c.env.Clock.Now()
	r.Outcome, r.Value, r.Err = judge(value, err)
	switch r.Outcome {
	case Refused:
		c.leave()
	case Unknown:
		c.leave()
		c.process = c.env.newProcess()
	}
	return r
}

// judge tells what became of an operation from the client's answer.
func judge(value any, err error) (Outcome, any, error) {
	var reply redis.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return Done, value, nil
	case errors.Is(err, redis.TxFailedErr):
		return Aborted, nil, nil
	case errors.As(err, &reply) && refused(reply.Error()):
		return Refused, nil, err
	case errors.As(err, &reply):
		return Done, nil, err
	}
	return Unknown, nil, err
}

// refused reports whether the server said that it did nothing because of what
// it is at present; another node, or the same one later, may do it.
func refused(reply string) bool {
	for _, code := range []string{"READONLY", "LOADING", "LOGFULL", "EXECABORT", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "UNBLOCKED", "ERR max number of clients"} {
		if strings.HasPrefix(reply, code) {
			return true
		}
	}
	return false
}
