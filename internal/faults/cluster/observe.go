package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// replyTimeout bounds one request of an observer to a node: one that stands still
// must not hold up the look at the others.
const replyTimeout = time.Second

// askNext is how long one etcd member may take to answer before another is asked.
const askNext = 100 * time.Millisecond

// ErrNoPrimary says that nobody holds the shard's leader key.
var ErrNoPrimary = errors.New("cluster: nobody leads the shard")

// State is what etcd holds of the shard. It asks the member that answered last; the
// next one whenever that takes too long, so that members which stand still cost
// little time; never all at once, as etcd logs every read that is given up.
func (c *Cluster) State(ctx context.Context) (etcdfence.State, error) {
	type answer struct {
		st     etcdfence.State
		err    error
		member int
	}
	answers := make(chan answer, len(c.members))
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := int(c.answered.Load())
	var all []error
	for asked := 0; len(all) < len(c.members); {
		var patience <-chan time.Time // forever, once all were asked
		if asked < len(c.members) {
			m := (first + asked) % len(c.members)
			asked++
			wg.Go(func() {
				st, err := c.members[m].State(ctx)
				answers <- answer{st, err, m}
			})
			patience = time.After(askNext)
		}
		select {
		case a := <-answers:
			if a.err == nil {
				c.answered.Store(int32(a.member))
				return a.st, nil
			}
			all = append(all, a.err)
		case <-patience:
		}
	}
	return etcdfence.State{}, errors.Join(all...)
}

// Primary returns the node that holds the leader key, whatever state it is in;
// ErrNoPrimary when none does.
func (c *Cluster) Primary(ctx context.Context) (*Node, error) {
	st, err := c.State(ctx)
	if err != nil {
		return nil, err
	}
	if st.Leader == nil {
		return nil, ErrNoPrimary
	}
	for _, n := range c.Nodes {
		if n.ID == st.Leader.NodeID {
			return n, nil
		}
	}
	return nil, fmt.Errorf("cluster: %s leads the shard, which is none of the nodes", st.Leader.NodeID)
}

// WaitPrimary waits until a node other than the one named leads and answers a
// read.
func (c *Cluster) WaitPrimary(ctx context.Context, not string) (*Node, error) {
	what := "a primary answers"
	if not != "" {
		what = "a primary other than " + not + " answers"
	}
	var primary *Node
	err := testenv.Await(ctx, what, func(ctx context.Context) error {
		n, err := c.Primary(ctx)
		if err != nil {
			return err
		}
		if n.ID == not {
			return fmt.Errorf("%s holds the leader key", not)
		}
		primary = n
		return n.ask(ctx, func(ctx context.Context, conn *redis.Conn) error {
			if err := conn.Get(ctx, "no-such-key").Err(); !errors.Is(err, redis.Nil) {
				return fmt.Errorf("%s leads and answers a read with %v", n.ID, err)
			}
			return nil
		})
	})
	return primary, err
}

// WaitServing waits until a node is up and is the primary, or a replica that has
// applied all that was committed when WaitServing was called.
func (c *Cluster) WaitServing(ctx context.Context, n *Node) error {
	var first *etcdfence.State
	return testenv.Await(ctx, n.ID+" serves", func(ctx context.Context) error {
		st, err := c.State(ctx)
		if err != nil {
			return err
		}
		if first == nil {
			first = &st
		}
		if !n.Proc.Running() {
			return fmt.Errorf("%s does not run", n.ID)
		}
		info, err := c.Info(ctx, n)
		if err != nil {
			return err
		}
		leads := st.Leader != nil && st.Leader.NodeID == n.ID
		return serves(info, leads, first.Tail)
	})
}

// serves judges a node's INFO. leads tells whether the leader key is the node's,
// tail is the last entry that the node must have applied.
func serves(info map[string]string, leads bool, tail uint64) error {
	executed, err := executed(info)
	if err != nil {
		return err
	}
	switch role := info["role"]; {
	case role != "primary" && role != "replica":
		return fmt.Errorf("role %q", role)
	case leads != (role == "primary"):
		return fmt.Errorf("a %s by its own account, with the leader key: %v", role, leads)
	case executed < tail:
		return fmt.Errorf("a %s that has applied %d of %d entries", role, executed, tail)
	case role == "replica" && info["master_link_status"] != "up":
		return errors.New("a replica that knows of no primary")
	}
	return nil
}

func executed(info map[string]string) (uint64, error) {
	n, err := strconv.ParseUint(info["seq_executed"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("INFO: seq_executed: %w", err)
	}
	return n, nil
}

// WaitHealthy waits until all is well: every etcd member and S3 answer, no alarm
// is raised, there is a primary, every node serves and is reached by clients.
func (c *Cluster) WaitHealthy(ctx context.Context) error {
	err := testenv.Await(ctx, "S3 and all of etcd answer", func(ctx context.Context) error {
		for i := range c.Etcd.Endpoints() {
			if err := c.Etcd.Ping(ctx, i); err != nil {
				return err
			}
		}
		alarms, err := c.Etcd.Alarms(ctx)
		if err != nil {
			return err
		}
		if len(alarms) > 0 {
			return fmt.Errorf("etcd's alarms: %s", strings.Join(alarms, ", "))
		}
		ctx, cancel := context.WithTimeout(ctx, replyTimeout)
		defer cancel()
		return c.S3.Ping(ctx)
	})
	if err != nil {
		return err
	}
	if _, err := c.WaitPrimary(ctx, ""); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := c.WaitServing(ctx, n); err != nil {
			return err
		}
		err := testenv.Await(ctx, "clients reach "+n.ID, func(ctx context.Context) error {
			return testenv.PingRedis(ctx, n.Addr)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Info is a node's INFO. Of the two fields named role it keeps the later one,
// Redoubt's own: primary, replica or loading.
func (c *Cluster) Info(ctx context.Context, n *Node) (map[string]string, error) {
	fields := make(map[string]string)
	err := n.ask(ctx, func(ctx context.Context, conn *redis.Conn) error {
		text, err := conn.Info(ctx).Result()
		for line := range strings.Lines(text) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				fields[k] = v
			}
		}
		return err
	})
	return fields, err
}

// Digest is a node's DEBUG DIGEST once it has applied the log up to seq.
func (c *Cluster) Digest(ctx context.Context, n *Node, seq uint64) (string, error) {
	var digest string
	err := testenv.Await(ctx, fmt.Sprintf("%s has applied entry %d", n.ID, seq), func(ctx context.Context) error {
		info, err := c.Info(ctx, n)
		if err != nil {
			return err
		}
		if got, err := executed(info); err != nil {
			return err
		} else if got < seq {
			return fmt.Errorf("it has applied %d", got)
		}
		return n.ask(ctx, func(ctx context.Context, conn *redis.Conn) error {
			if err := conn.Do(ctx, "READONLY").Err(); err != nil {
				return err
			}
			var err error
			digest, err = conn.Do(ctx, "DEBUG", "DIGEST").Text()
			return err
		})
	})
	return digest, err
}

// ask calls fn with a connection of its own to the node, around the proxy. Each
// command is tried once.
func (n *Node) ask(ctx context.Context, fn func(context.Context, *redis.Conn) error) error {
	db := redis.NewClient(&redis.Options{
		Addr: n.Direct, MaxRetries: -1, DialTimeout: replyTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout,
		DisableIdentity: true, PoolSize: 1, DialerRetries: 1,
	})
	defer db.Close()
	conn := db.Conn()
	defer conn.Close()
	if err := fn(ctx, conn); err != nil {
		return fmt.Errorf("ask %s: %w", n.ID, err)
	}
	return nil
}
