package hostile

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

// goodTimeout is how long a good client waits for a reply. It is far more than
// any should take, so that a late one is measured and not lost.
const goodTimeout = time.Minute

// Good is the clients that nothing may happen to. Each has one connection for
// as long as it lives.
type Good struct {
	clients []*goodClient

	mu       sync.Mutex
	problems []error
	took     []time.Duration
}

// goodClient reads and writes keys of its own.
type goodClient struct {
	g       *Good
	n       int
	db      *redis.Client
	conn    *redis.Conn
	rand    *rand.Rand
	counter int64
	written map[string]string
}

// NewGood connects n clients, every other one with RESP3, and stores what they
// know.
func NewGood(ctx context.Context, target Target, n int) (*Good, error) {
	g := &Good{}
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
// last answer.
func (g *Good) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range g.clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				// Not bound to ctx: what is asked is answered.
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

// timed notes how long a request took.
func (g *Good) timed(request func() error) error {
	start := time.Now()
	err := request()
	took := time.Since(start)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.took = append(g.took, took)
	return err
}

func (c *goodClient) step(ctx context.Context) error {
	switch c.rand.IntN(6) {
	case 0:
		key, value := c.key(fmt.Sprint("k", c.rand.IntN(20))), fmt.Sprint(c.rand.Uint64())
		c.written[key] = value
		return c.g.timed(func() error { return c.conn.Set(ctx, key, value, 0).Err() })
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
	err := c.g.timed(func() error { return c.conn.Get(ctx, key).Err() })
	if !errors.Is(err, redis.Nil) {
		return fmt.Errorf("GET %s, never written: %v", key, err)
	}
	return nil
}

func (c *goodClient) checkString(ctx context.Context, key, want string) error {
	var got string
	err := c.g.timed(func() (err error) { got, err = c.conn.Get(ctx, key).Result(); return err })
	if err != nil || got != want {
		return fmt.Errorf("GET %s: %.80q (%d bytes, %v), want %.80q (%d bytes)", key, got, len(got), err, want, len(want))
	}
	return nil
}

func (c *goodClient) checkHash(ctx context.Context) error {
	var got map[string]string
	err := c.g.timed(func() (err error) { got, err = c.conn.HGetAll(ctx, c.key("hash")).Result(); return err })
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
	err := c.g.timed(func() (err error) { got, err = c.conn.Incr(ctx, c.key("counter")).Result(); return err })
	if err != nil || got != c.counter {
		return fmt.Errorf("INCR: %d (%v), want %d", got, err, c.counter)
	}
	return nil
}

// transaction moves a value around in MULTI, between commands of a pipeline.
func (c *goodClient) transaction(ctx context.Context) error {
	a, b, value := c.key("a"), c.key("b"), fmt.Sprint(c.rand.Uint64())
	var got *redis.SliceCmd
	err := c.g.timed(func() error {
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

// Latency is how long requests took.
type Latency struct {
	Requests          int
	P50, P99, Longest time.Duration
}

// Latency sums up the requests since the last call.
func (g *Good) Latency() Latency {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := g.took
	g.took = nil
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	return Latency{Requests: len(took), P50: took[len(took)/2], P99: took[len(took)*99/100], Longest: took[len(took)-1]}
}

func (l Latency) String() string {
	return fmt.Sprintf("%d requests, p50 %v, p99 %v, longest %v", l.Requests,
		l.P50.Round(time.Microsecond), l.P99.Round(time.Microsecond), l.Longest.Round(time.Microsecond))
}

// Close ends the clients.
func (g *Good) Close() error {
	var errs []error
	for _, c := range g.clients {
		errs = append(errs, c.conn.Close(), c.db.Close())
	}
	return errors.Join(errs...)
}
