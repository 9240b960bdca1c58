package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node"
)

// failoverPoll is how often the shard is looked at while it changes hands.
const failoverPoll = 20 * time.Millisecond

// handoverResult is what a failover did, for --json.
type handoverResult struct {
	Shard   int       `json:"shard"`
	From    nodeBrief `json:"from"`
	To      nodeBrief `json:"to"`
	Changed bool      `json:"changed"` // false: the node asked for was the primary already
	TookMs  int64     `json:"took_ms"`
}

// nodeBrief is who led a shard and when.
type nodeBrief struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	// TLSAddress is where it is reached over TLS; the same as Address when it
	// is reached no other way.
	TLSAddress string `json:"tls_address,omitempty"`
	Epoch      int64  `json:"epoch"`
}

func brief(l *etcdfence.Leader) nodeBrief {
	return nodeBrief{ID: l.NodeID, Address: l.Address, TLSAddress: l.TLSAddress, Epoch: l.Epoch}
}

// describeAddress names where a node is reached, and how, for people.
func describeAddress(any, tls string) string {
	switch tls {
	case "":
		return any
	case any:
		return any + " (TLS)"
	}
	return any + ", " + tls + " (TLS)"
}

func newFailover() *cobra.Command {
	cmd := &cobra.Command{
		Use: "failover", Short: "Hand a shard over from its primary to a replica",
		Long: `Asks the primary of a shard to hand over, and waits until another node is the
primary. The primary stops taking writes, commits what it has executed and lets go
of the shard; a replica that has applied the whole log takes it. Nothing that was
acknowledged is lost. Clients are told -READONLY and connect again, as they do in a
failover of Redis; for a few milliseconds nobody takes writes.

It is for planned work. When a primary is dead nothing has to be done: a replica
takes over by itself once the lease has ended.

` + exitHelp,
		Example: `  redoubt failover
  redoubt failover --dir /tmp/try --to dev-2
  redoubt failover --cluster shop --etcd http://10.0.1.5:2379 --shard 3 --timeout 1m`,
		Args: noArgs,
	}
	to := cmd.Flags().String("to", "", "id of the node to hand over to (default: whichever replica is first)")
	timeout := cmd.Flags().Duration("timeout", 15*time.Second, "how long to wait for the new primary")
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	t.noStore = true
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		if *timeout <= 0 {
			return usagef(cmd, "--timeout must be more than 0")
		}
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), *timeout, fmt.Errorf("not within %v", *timeout))
		defer cancel()
		p := newProgress(cmd.ErrOrStderr(), "waiting for the new primary")
		r, err := handOver(ctx, s, *to)
		p.done()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		if !r.Changed {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is the primary of shard %d already\n", r.To.ID, r.Shard)
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s at %s is the primary of shard %d, epoch %d, after %d ms; it was %s\n",
			r.To.ID, describeAddress(r.To.Address, r.To.TLSAddress), r.Shard, r.To.Epoch, r.TookMs, r.From.ID)
		return err
	})
	return cmd
}

// handOver asks for a hand-over and waits until somebody else serves as primary.
func handOver(ctx context.Context, s *session, to string) (*handoverResult, error) {
	fence := s.fence()
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	if st.Leader == nil {
		return nil, fmt.Errorf("shard %d has no primary, so there is nothing to hand over: %w", s.shard, etcdfence.ErrNoLeader)
	}
	r := &handoverResult{Shard: s.shard, From: brief(st.Leader), To: brief(st.Leader)}
	if st.Leader.NodeID == to {
		return r, nil
	}
	nodes, err := fence.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkSuccessor(nodes, s.shard, st.Leader.NodeID, to); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := fence.RequestHandover(ctx, etcdfence.Handover{To: to}); err != nil {
		return nil, err
	}
	next, err := awaitPrimary(ctx, fence, st.Leader.Epoch)
	if err != nil {
		return nil, fmt.Errorf("%s was asked to hand shard %d over: %w; the request lapses by itself", st.Leader.NodeID, s.shard, err)
	}
	r.To, r.Changed, r.TookMs = brief(next), true, time.Since(began).Milliseconds()
	if to != "" && next.NodeID != to {
		return nil, fmt.Errorf("%s took shard %d over and not %s, which may have been too far behind", next.NodeID, s.shard, to)
	}
	return r, nil
}

// checkSuccessor says why nobody, or not the node that is named, can take over.
func checkSuccessor(nodes []etcdfence.NodeInfo, shard int, leader, to string) error {
	var ready, others []string
	for _, n := range nodes {
		if n.Shard != shard || n.ID == leader {
			continue
		}
		others = append(others, n.ID)
		if n.Role == node.RoleReplica.String() {
			ready = append(ready, n.ID)
		}
	}
	switch {
	case to == "" && len(ready) > 0 || slices.Contains(ready, to):
		return nil
	case to != "" && slices.Contains(others, to):
		return fmt.Errorf("node %s is still loading the data and cannot take over yet", to)
	case to != "":
		return fmt.Errorf("shard %d has no replica %q, it has %s: %w", shard, to, listOrNone(others), errNotFound)
	case len(others) > 0:
		return fmt.Errorf("no replica of shard %d can take over: %s are still loading the data", shard, strings.Join(others, ", "))
	}
	return fmt.Errorf("shard %d has no replica that could take over", shard)
}

func listOrNone(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

// awaitPrimary waits until a node leads under a later epoch and says that it
// serves.
func awaitPrimary(ctx context.Context, fence *etcdfence.Shard, after int64) (*etcdfence.Leader, error) {
	tick := time.NewTicker(failoverPoll)
	defer tick.Stop()
	for {
		st, err := fence.State(ctx)
		if err == nil && st.Leader != nil && st.Leader.Epoch > after {
			var serves bool
			if serves, err = saysPrimary(ctx, fence, st.Leader.NodeID); serves {
				return st.Leader, nil
			}
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if why := context.Cause(ctx); !errors.Is(why, context.Canceled) {
				return nil, why
			}
			return nil, ctx.Err()
		}
	}
}

func saysPrimary(ctx context.Context, fence *etcdfence.Shard, id string) (bool, error) {
	nodes, err := fence.Nodes(ctx)
	return slices.ContainsFunc(nodes, func(n etcdfence.NodeInfo) bool {
		return n.ID == id && n.Role == node.RolePrimary.String()
	}), err
}
