package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

const clusterAbout = `Asks the control plane for a new cluster. It places the nodes on hosts in different
availability zones, starts them and tells the endpoint; --wait waits for that. The
flags have the names that aws_memorydb_cluster has in Terraform.`

func clusterResources() *resourceCLI[spec.Cluster, spec.Cluster] {
	return &resourceCLI[spec.Cluster, spec.Cluster]{
		group: "cluster", one: "Cluster", many: "clusters", about: clusterAbout, slow: true,
		resources: func(c *apiclient.Client) *apiclient.Resources[spec.Cluster, spec.Cluster] {
			return &c.Clusters.Resources
		},
		blank: spec.NewCluster,
		flags: clusterFlags,
		zero:  map[string]string{"port": "any that the hosts have free", "snapshot_retention_limit": "no scheduled snapshots"},
		createFlags: func(f *pflag.FlagSet) {
			f.Int("num-shards", 1, "shards; 1 until there is cluster mode")
			f.Int("port", 0, "port that nodes serve on; 0: any that the hosts have free")
			f.Bool("tls-enabled", true, "serve clients over TLS")
			f.String("snapshot-name", "", "snapshot to begin with")
			f.StringSlice("snapshot-uris", nil, "RDB files to begin with, such as s3://bucket/dump.rdb")
		},
		example: "--node-memory 2GiB --acl-name open-access --wait",
		change:  "--num-replicas-per-shard 2 --wait",
		heads:   []string{"NAME", "STATUS", "ENDPOINT", "REPLICAS", "MEMORY", "ENGINE", "VERSION"},
		row: func(r *wire.Resource[spec.Cluster]) []string {
			s := readClusterStatus(r)
			return []string{r.Spec.Name, s.word(r.Deleting), s.endpoint(), strconv.Itoa(r.Spec.NumReplicasPerShard),
				r.Spec.NodeMemory.String(), r.Spec.EngineVersion, strconv.FormatInt(r.Version, 10)}
		},
		show: func(w io.Writer, r *wire.Resource[spec.Cluster]) error {
			return readClusterStatus(r).print(w, r.Deleting)
		},
	}
}

func clusterFlags(f *pflag.FlagSet) {
	var memory byteSize
	f.Var(&memory, "node-memory", "what each node may use in all, such as 2GiB")
	f.String("acl-name", "", "ACL that says who may log in; open-access: everybody, without a password")
	f.Int("num-replicas-per-shard", 1, "replicas beside each primary, up to 5")
	f.String("parameter-group-name", spec.DefaultParameterGroup, "parameter group with its settings")
	f.String("engine-version", "", "version of the nodes, one that a host has (default: the newest that enough hosts have)")
	f.StringSlice("availability-zones", nil, "zones that its nodes may be in (default: all that have hosts)")
	f.Int("snapshot-retention-limit", 0, "days that automatic snapshots are kept; 0: there are none")
	f.String("snapshot-window", "", "time of the day in UTC for them, such as 05:00-09:00 (default: an hour of the night)")
	f.String("maintenance-window", "", "time of the week in UTC, such as sun:23:00-mon:01:30, kept for the move from aws_memorydb_cluster: nothing waits for it, but it must not overlap --snapshot-window (default: an hour of the night)")
	f.String("description", "", "for people")
	f.StringToString("tags", nil, "key=value, for people and programs")
}

// clusterState is what a cluster's status says to people.
type clusterState struct{ spec.ClusterStatus }

func readClusterStatus(r *wire.Resource[spec.Cluster]) (s clusterState) {
	_ = json.Unmarshal(r.Status, &s.ClusterStatus) // what a newer control plane says otherwise is left out
	return s
}

func (s clusterState) word(d *wire.Deletion) string {
	switch {
	case d != nil:
		return "deleting" // also before the reconciler has seen it
	case s.Status != "":
		return string(s.Status)
	}
	return "requested"
}

func (s clusterState) endpoint() string {
	if s.ClusterEndpoint.Address == "" {
		return "-"
	}
	return net.JoinHostPort(s.ClusterEndpoint.Address, strconv.Itoa(s.ClusterEndpoint.Port))
}

func (s clusterState) print(w io.Writer, d *wire.Deletion) error {
	err := details(w, [][2]string{{"status", s.word(d)}, {"reason", s.Reason}, {"endpoint", s.endpoint()}})
	rows := [][]string{{"NODE", "ROLE", "ADDRESS", "AZ", "HOST", "ENGINE", "STATE"}}
	for _, shard := range s.Shards {
		for _, n := range shard.Nodes {
			rows = append(rows, []string{n.Name, n.Role, net.JoinHostPort(n.Endpoint.Address, strconv.Itoa(n.Endpoint.Port)), n.AvailabilityZone, n.Host, n.Engine, n.State})
		}
	}
	if err != nil || len(rows) == 1 {
		return err
	}
	fmt.Fprintln(w)
	return table(w, rows)
}

func newClusters() *cobra.Command {
	cmd := group("cluster", "Make, change and delete clusters through the control plane",
		`Looks after the clusters that a control plane runs ("redoubt control"): it makes them,
changes them in place, hands shards over, makes snapshots of them and deletes them.

`+exitHelp)
	r := clusterResources()
	cmd.AddCommand(r.list(), r.get(), r.create(), r.update(), newClusterDelete(r), newClusterFailover(), newClusterSnapshot())
	return cmd
}

func newClusterDelete(r *resourceCLI[spec.Cluster, spec.Cluster]) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"}, Short: "Delete a cluster and its data",
		Long: `Deletes a cluster with all its data; snapshots stay. --final-snapshot-name makes one more
before that, without which nothing is deleted. There is no question: give the name
with care.

` + exitHelp,
		Example: "  redoubt cluster delete main --final-snapshot-name main-last --wait",
		Args:    oneArg("name"),
	}
	final := cmd.Flags().String("final-snapshot-name", "", "snapshot to make before (default: none)")
	w := addWait(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		gone, err := c.Clusters.DeleteWith(cmd.Context(), args[0], wire.DeleteCluster{FinalSnapshotName: *final})
		if err != nil {
			return err
		}
		return r.changed(cmd, c, a, w, args[0], gone, "is being deleted", "is gone")
	})
	return cmd
}

func newClusterFailover() *cobra.Command {
	cmd := &cobra.Command{
		Use: "failover NAME", Short: "Hand a shard over from its primary to a replica",
		Long: `Asks the control plane for a planned hand-over of a shard, as "redoubt failover" asks
the primary itself. Nothing that was acknowledged is lost. When a primary is dead
nothing has to be done.

` + exitHelp,
		Example: "  redoubt cluster failover main --wait\n  redoubt cluster failover main --to main-0001-002",
		Args:    oneArg("name"),
	}
	shard := cmd.Flags().Int("shard", 0, "number of the shard")
	to := cmd.Flags().String("to", "", "node to hand over to (default: any replica)")
	w := addWait(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		op, err := c.Clusters.Failover(cmd.Context(), args[0], wire.Failover{Shard: *shard, To: *to})
		if err != nil {
			return err
		}
		if err := w.follow(cmd, c, op.ID); err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), op)
		}
		return w.said(cmd.OutOrStdout(), fmt.Sprintf("Shard %d of cluster %s", *shard, args[0]), "is being handed over", "was handed over", op.ID)
	})
	return cmd
}

// newClusterSnapshot is the snapshots that the control plane knows of. `redoubt
// snapshot` works on the object storage itself.
func newClusterSnapshot() *cobra.Command {
	cmd := group("snapshot", "Make, list and delete snapshots through the control plane",
		`Looks after the snapshots of clusters that a control plane runs. "redoubt snapshot" is
another thing: it works on object storage itself, needs no control plane, and can also
check snapshots.

`+exitHelp)
	r := &resourceCLI[spec.Snapshot, spec.Snapshot]{
		group: "cluster snapshot", one: "Snapshot", many: "snapshots", slow: true,
		about:     "Asks the control plane for a snapshot of a cluster as it is now. It is made away from\nthe nodes, which notice nothing, and checked before it is published.",
		resources: func(c *apiclient.Client) *apiclient.Resources[spec.Snapshot, spec.Snapshot] { return c.Snapshots },
		blank:     func(name string) spec.Snapshot { return spec.Snapshot{Name: name} },
		flags:     func(f *pflag.FlagSet) { f.StringToString("tags", nil, "key=value, for people and programs") },
		createFlags: func(f *pflag.FlagSet) {
			f.String("cluster-name", "", "cluster that it is of")
		},
		example: "--cluster-name shop --wait", change: "--tags keep=yes",
		heads: []string{"NAME", "CLUSTER", "STATUS", "MADE", "SIZE", "KEYS"},
		row:   snapshotRow,
	}
	cmd.AddCommand(r.commands()...)
	return cmd
}

func snapshotRow(r *wire.Resource[spec.Snapshot]) []string {
	s := spec.SnapshotStatus{Status: "requested"}
	_ = json.Unmarshal(r.Status, &s) // what a newer control plane says otherwise is left out
	return []string{r.Spec.Name, r.Spec.ClusterName, string(s.Status), stamp(r.Created), s.Size.Human(), strconv.Itoa(s.Keys)}
}
