package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/snapshot"
)

// clusterStatus is what `redoubt status` finds.
type clusterStatus struct {
	Cluster string        `json:"cluster"`
	Shards  []shardStatus `json:"shards"`
	// SnapshotsError is why object storage could not be asked for snapshots.
	SnapshotsError string `json:"snapshots_error,omitempty"`
}

type shardStatus struct {
	Shard       int             `json:"shard"`
	Leader      *leaderStatus   `json:"leader"` // null: nobody
	Nodes       []nodeStatus    `json:"nodes"`
	Tail        uint64          `json:"tail"` // last committed entry
	Sealed      uint64          `json:"sealed"`
	SealedAt    time.Time       `json:"sealed_at,omitzero"`
	HeadEntries int64           `json:"head_entries"`
	HeadBytes   int64           `json:"head_bytes"`
	Snapshot    *snapshotStatus `json:"newest_snapshot"` // null: none
}

type leaderStatus struct {
	nodeBrief
	LeaseTTLSeconds  int64 `json:"lease_ttl_seconds"`
	LeaseLeftSeconds int64 `json:"lease_left_seconds"`
}

type nodeStatus struct {
	ID         string    `json:"id"`
	Address    string    `json:"address"`
	TLSAddress string    `json:"tls_address,omitempty"` // as of the leader
	AZ         string    `json:"az"`
	Role       string    `json:"role"`
	Applied    uint64    `json:"applied"`
	Version    string    `json:"version"`
	Started    time.Time `json:"started"`
}

type snapshotStatus struct {
	Name      string    `json:"name"`
	Seq       uint64    `json:"seq"`
	CreatedAt time.Time `json:"created_at"`
}

func newStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show shards, nodes and how far the log is sealed",
		Long: `Shows every shard that has nodes: who leads it and for how long the lease still
runs, its nodes and what they have applied, how much of the log is in etcd (the
head) and how far it is sealed in object storage, and the newest snapshot.

A node's applied entry is what it last reported, which it does once a second.

` + exitHelp,
		Example: `  redoubt status
  redoubt status --dir /tmp/try --json
  redoubt status --config /etc/redoubt/node.yaml`,
		Args: noArgs,
	}
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		st, err := readStatus(cmd.Context(), s)
		if st == nil {
			return err
		}
		if *asJSON {
			return errors.Join(printJSON(cmd.OutOrStdout(), st), err)
		}
		return errors.Join(st.print(cmd.OutOrStdout(), time.Now()), err)
	})
	return cmd
}

// readStatus returns what etcd says also when object storage is away, which is
// when somebody looks; the error then says so.
func readStatus(ctx context.Context, s *session) (*clusterStatus, error) {
	nodes, err := s.fence().Nodes(ctx)
	if err != nil {
		return nil, err
	}
	c := &clusterStatus{Cluster: s.conn.cluster}
	snapshots, away := s.repo().List(ctx)
	if away != nil {
		c.SnapshotsError = away.Error()
	}
	for _, shard := range s.shardsOf(nodes) {
		st, err := s.on(shard).readShard(ctx, nodes, snapshots)
		if err != nil {
			return nil, err
		}
		c.Shards = append(c.Shards, *st)
	}
	return c, away
}

// shardsOf are the shards to show: the one that --shard names, else all that
// have nodes.
func (s *session) shardsOf(nodes []etcdfence.NodeInfo) []int {
	if s.sources.from["shard"] != fromDefault {
		return []int{s.shard}
	}
	shards := []int{}
	for _, n := range nodes {
		if !slices.Contains(shards, n.Shard) {
			shards = append(shards, n.Shard)
		}
	}
	if len(shards) == 0 {
		return []int{s.shard}
	}
	slices.Sort(shards)
	return shards
}

func (s *session) readShard(ctx context.Context, nodes []etcdfence.NodeInfo, snapshots []snapshot.Summary) (*shardStatus, error) {
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	r := &shardStatus{
		Shard: s.shard, Nodes: []nodeStatus{}, Tail: st.Tail,
		Sealed: st.Sealed.Seq, SealedAt: st.Sealed.Time, HeadEntries: st.HeadEntries,
	}
	if r.HeadBytes, err = s.fence().HeadBytes(ctx); err != nil {
		return nil, err
	}
	if st.Leader != nil {
		r.Leader = &leaderStatus{nodeBrief: brief(st.Leader)}
		lease, err := s.etcd.TimeToLive(ctx, clientv3.LeaseID(st.Leader.LeaseID))
		if err != nil {
			return nil, fmt.Errorf("read the leader's lease: %w", err)
		}
		r.Leader.LeaseTTLSeconds, r.Leader.LeaseLeftSeconds = lease.GrantedTTL, max(lease.TTL, 0)
	}
	for _, n := range nodes {
		if n.Shard == s.shard {
			r.Nodes = append(r.Nodes, nodeStatus{n.ID, n.Address, n.TLSAddress, n.AZ, n.Role, n.Applied, n.Version, n.Started})
		}
	}
	r.Snapshot = newestSnapshot(snapshots, s.shard)
	return r, nil
}

// newestSnapshot is the one that reaches furthest into the shard's log.
func newestSnapshot(snapshots []snapshot.Summary, shard int) *snapshotStatus {
	var newest *snapshotStatus
	for _, sum := range snapshots {
		if sum.Err != nil {
			continue
		}
		part, err := sum.Manifest.Find(shard)
		if err == nil && (newest == nil || part.Position.Seq > newest.Seq) {
			newest = &snapshotStatus{sum.Name, part.Position.Seq, sum.Manifest.CreatedAt}
		}
	}
	return newest
}

func (c *clusterStatus) print(w io.Writer, now time.Time) error {
	for i, s := range c.Shards {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := s.print(w, c, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *shardStatus) print(w io.Writer, c *clusterStatus, now time.Time) error {
	leader := "nobody"
	if l := s.Leader; l != nil {
		leader = fmt.Sprintf("%s at %s, epoch %d, lease of %d s with %d s left", l.ID, describeAddress(l.Address, l.TLSAddress), l.Epoch, l.LeaseTTLSeconds, l.LeaseLeftSeconds)
	}
	sealed := "nothing yet"
	if s.Sealed > 0 {
		sealed = fmt.Sprintf("up to entry %d, %s", s.Sealed, age(s.SealedAt, now))
	}
	newest := "none"
	if c.SnapshotsError != "" {
		newest = "unknown, object storage does not answer"
	} else if sn := s.Snapshot; sn != nil {
		newest = fmt.Sprintf("%s, up to entry %d, %s", sn.Name, sn.Seq, age(sn.CreatedAt, now))
	}
	err := details(w, [][2]string{
		{"cluster", c.Cluster},
		{"shard", strconv.Itoa(s.Shard)},
		{"primary", leader},
		{"log", fmt.Sprintf("ends at entry %d", s.Tail)},
		{"head", fmt.Sprintf("%s, %s, in etcd", plural(s.HeadEntries, "entry", "entries"), humanSize(s.HeadBytes))},
		{"sealed", sealed},
		{"snapshot", newest},
	})
	if err != nil || len(s.Nodes) == 0 {
		return err
	}
	rows := [][]string{{"NODE", "ROLE", "ADDRESS", "AZ", "APPLIED", "UP FOR", "VERSION"}}
	for _, n := range s.Nodes {
		if n.Role == node.RolePrimary.String() && (s.Leader == nil || s.Leader.ID != n.ID) {
			n.Role = "deposed" // and has not been able to say so
		}
		rows = append(rows, []string{n.ID, n.Role, describeAddress(n.Address, n.TLSAddress), n.AZ, strconv.FormatUint(n.Applied, 10), span(now.Sub(n.Started)), n.Version})
	}
	fmt.Fprintln(w)
	return table(w, rows)
}
