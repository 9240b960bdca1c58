package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// KnownLarge is a key that good clients have stored 64 KiB under; attackers may
// read it.
const KnownLarge = "good:known:large"

// goodTimeout is how long a good client waits for a reply: so long that only one
// that never comes is lost, however busy the machine is.
const goodTimeout = 3 * time.Minute

// Good is the clients that nothing may happen to. Each has one connection for
// as long as it lives.
type Good struct {
	clients []*goodClient
	work    func() (time.Duration, error) // processor time that the node has used

	mu       sync.Mutex
	problems []error
	served   Served
	took     []time.Duration
}

// Served is what good clients were given.
type Served struct {
	Answers  int           // all of them right
	Fewest   int           // of one client
	P50      time.Duration // between request and answer
	P99      time.Duration
	Longest  time.Duration
	MostWork time.Duration // processor time that the node used between one request and its answer
}

// goodClient reads and writes keys of its own.
type goodClient struct {
	g       *Good
	n       int
	db      *redis.Client
	conn    *redis.Conn
	rand    *rand.Rand
	counter int64
	answers int // since the last Served; g.mu guards it
	written map[string]string
}

// NewGood connects n clients, every other one with RESP3, and stores what they
// know. work tells the processor time that the node has used.
func NewGood(ctx context.Context, target Target, n int, work func() (time.Duration, error)) (*Good, error) {
	g := &Good{work: work}
	for i := range n {
		db := redis.NewClient(&redis.Options{
			Addr: target.Addr, Password: target.Password, MaxRetries: -1, PoolSize: 1, Protocol: 2 + i%2,
			DialTimeout: goodTimeout, ReadTimeout: goodTimeout, WriteTimeout: goodTimeout, DisableIdentity: true,
		})
		c := &goodClient{g: g, n: i, db: db, conn: db.Conn(), rand: rand.New(rand.NewPCG(1, uint64(i))), written: map[string]string{}}
		g.clients = append(g.clients, c)
		if err := c.begin(ctx); err != nil {
			g.Close()
			return nil, fmt.Errorf("good client %d: %w", i, err)
		}
	}
	return g, nil
}

// known is a value that follows from its key.
func known(key string, size int) string {
	sum := sha256.Sum256([]byte(key))
	return strings.Repeat(hex.EncodeToString(sum[:]), size/64+1)[:size]
}

func (c *goodClient) key(kind string) string { return fmt.Sprintf("good:%d:%s", c.n, kind) }

func (c *goodClient) begin(ctx context.Context) error {
	if c.n == 0 {
		if err := c.conn.Set(ctx, KnownLarge, known(KnownLarge, 64<<10), 0).Err(); err != nil {
			return err
		}
	}
	fields := make([]any, 0, 200)
	for i := range 100 {
		fields = append(fields, fmt.Sprint("f", i), known(fmt.Sprint(i), 50))
	}
	if err := c.conn.HSet(ctx, c.key("hash"), fields...).Err(); err != nil {
		return err
	}
	return c.conn.Set(ctx, c.key("counter"), 0, 0).Err()
}

// Run has every client work until ctx ends, and returns when each has got its
// last answer: one at least.
func (g *Good) Run(ctx context.Context) {
	g.each(func(asked int) bool { return asked == 0 || ctx.Err() == nil })
}

// Ask has every client ask n times, or until ctx ends.
func (g *Good) Ask(ctx context.Context, n int) {
	g.each(func(asked int) bool { return asked < n && ctx.Err() == nil })
}

// each has every client ask as long as more says so, given how often it has.
func (g *Good) each(more func(asked int) bool) {
	var wg sync.WaitGroup
	for _, c := range g.clients {
		wg.Go(func() {
			for asked := 0; more(asked); asked++ {
				// Not bound to a context: what is asked is answered.
				if err := c.step(context.Background()); err != nil {
					g.problem(fmt.Errorf("good client %d: %w", c.n, err))
					return
				}
				time.Sleep(time.Duration(c.rand.Int64N(int64(2 * time.Millisecond))))
			}
		})
	}
	wg.Wait()
}

func (g *Good) problem(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.problems = append(g.problems, err)
}

// timed notes how long a request took, in time and in the node's work.
func (c *goodClient) timed(request func() error) error {
	before, err := c.g.work()
	if err != nil {
		return err
	}
	start := time.Now()
	if err = request(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	took := time.Since(start)
	after, workErr := c.g.work()
	if workErr != nil {
		return workErr
	}
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	c.g.took = append(c.g.took, took)
	c.answers++
	c.g.served.MostWork = max(c.g.served.MostWork, after-before)
	return err
}

func (c *goodClient) step(ctx context.Context) error {
	switch c.rand.IntN(6) {
	case 0:
		key, value := c.key(fmt.Sprint("k", c.rand.IntN(20))), fmt.Sprint(c.rand.Uint64())
		c.written[key] = value
		return c.timed(func() error { return c.conn.Set(ctx, key, value, 0).Err() })
	case 1:
		return c.checkWritten(ctx, c.key(fmt.Sprint("k", c.rand.IntN(20))))
	case 2:
		return c.checkString(ctx, KnownLarge, known(KnownLarge, 64<<10))
	case 3:
		return c.checkHash(ctx)
	case 4:
		return c.increment(ctx)
	}
	return c.transaction(ctx)
}

// checkWritten reads a key that only this client writes.
func (c *goodClient) checkWritten(ctx context.Context, key string) error {
	want, ok := c.written[key]
	if ok {
		return c.checkString(ctx, key, want)
	}
	err := c.timed(func() error { return c.conn.Get(ctx, key).Err() })
	if !errors.Is(err, redis.Nil) {
		return fmt.Errorf("GET %s, never written: %v", key, err)
	}
	return nil
}

func (c *goodClient) checkString(ctx context.Context, key, want string) error {
	var got string
	err := c.timed(func() (err error) { got, err = c.conn.Get(ctx, key).Result(); return err })
	if err != nil || got != want {
		return fmt.Errorf("GET %s: %.80q (%d bytes, %v), want %.80q (%d bytes)", key, got, len(got), err, want, len(want))
	}
	return nil
}

func (c *goodClient) checkHash(ctx context.Context) error {
	var got map[string]string
	err := c.timed(func() (err error) { got, err = c.conn.HGetAll(ctx, c.key("hash")).Result(); return err })
	if err != nil || len(got) != 100 {
		return fmt.Errorf("HGETALL: %d fields, %v", len(got), err)
	}
	for i := range 100 {
		if got[fmt.Sprint("f", i)] != known(fmt.Sprint(i), 50) {
			return fmt.Errorf("HGETALL: field f%d is %.80q", i, got[fmt.Sprint("f", i)])
		}
	}
	return nil
}

func (c *goodClient) increment(ctx context.Context) error {
	var got int64
	c.counter++
	err := c.timed(func() (err error) { got, err = c.conn.Incr(ctx, c.key("counter")).Result(); return err })
	if err != nil || got != c.counter {
		return fmt.Errorf("INCR: %d (%v), want %d", got, err, c.counter)
	}
	return nil
}

// transaction moves a value around in MULTI, between commands of a pipeline.
func (c *goodClient) transaction(ctx context.Context) error {
	a, b, value := c.key("a"), c.key("b"), fmt.Sprint(c.rand.Uint64())
	var got *redis.SliceCmd
	err := c.timed(func() error {
		_, err := c.conn.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, a, value, 0)
			p.Rename(ctx, a, b)
			got = p.MGet(ctx, a, b)
			return nil
		})
		return err
	})
	if err != nil || !slices.Equal(got.Val(), []any{nil, value}) {
		return fmt.Errorf("MULTI SET RENAME MGET: %v (%v), want [nil %s]", got.Val(), err, value)
	}
	c.written[b] = value
	return nil
}

// Verify reads everything that the clients have written; db may be another
// connection, to a node that has been restarted.
func (g *Good) Verify(ctx context.Context, db redis.Cmdable) error {
	for _, c := range g.clients {
		c.written[c.key("counter")] = fmt.Sprint(c.counter)
		for key, want := range c.written {
			if got, err := db.Get(ctx, key).Result(); err != nil || got != want {
				return fmt.Errorf("GET %s: %q (%v), want %q", key, got, err, want)
			}
		}
	}
	return nil
}

// Problems are the wrong answers so far, and failed requests.
func (g *Good) Problems() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.problems)
}

// Served sums up the answers since the last call.
func (g *Good) Served() Served {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, took := g.served, g.took
	g.served, g.took = Served{}, nil
	s.Answers, s.Fewest = len(took), len(took)
	for _, c := range g.clients {
		s.Fewest = min(s.Fewest, c.answers)
		c.answers = 0
	}
	if len(took) > 0 {
		slices.Sort(took)
		s.P50, s.P99, s.Longest = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return s
}

func (s Served) String() string {
	return fmt.Sprintf("%d right answers, at least %d for each, p50 %v, p99 %v, longest %v (%v of the node's processor time)", s.Answers, s.Fewest,
		s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond), s.Longest.Round(time.Millisecond), s.MostWork)
}

// Close ends the clients.
func (g *Good) Close() error {
	var errs []error
	for _, c := range g.clients {
		errs = append(errs, c.conn.Close(), c.db.Close())
	}
	return errors.Join(errs...)
}
