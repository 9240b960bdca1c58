package node

import (
	"math"
	"net"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

func replicationRows() []*command.Command {
	return []*command.Command{
		{Name: "role", Group: "server", Since: "2.8.12", Arity: 1, Flags: anywhere | command.Fast,
			Categories: command.CatAdmin | command.CatDangerous, Handler: role},
		{Name: "wait", Group: "generic", Since: "3.0.0", Arity: 3, Flags: command.NoScript, Categories: command.CatConnection,
			Tips: []string{"request_policy:all_shards", "response_policy:agg_min"}, Handler: wait},
		{Name: "waitaof", Group: "generic", Since: "7.2.0", Arity: 4, Flags: command.NoScript, Categories: command.CatConnection,
			Tips: []string{"request_policy:all_shards", "response_policy:agg_min"}, Handler: waitAOF},
	}
}

// role answers in the shape of Redis's ROLE. Offsets are seqs of the log.
func role(x *command.Ctx) {
	c := client(x)
	e, n, w := c.srv.engine, c.srv.node, x.Out
	if p := e.primary; p != nil {
		replicas := n.replicas()
		w.Array(3)
		w.BulkString("master")
		w.Int(int64(p.appender.Committed()))
		w.Array(len(replicas))
		for _, r := range replicas {
			host, port := c.reached(r.Address, r.TLSAddress)
			w.Array(3)
			w.BulkString(host)
			w.BulkString(port)
			w.BulkString(formatSeq(r.Applied))
		}
		return
	}
	host, port := "", "0"
	if l := n.leader.Load(); l != nil {
		host, port = c.reached(l.Address, l.TLSAddress)
	}
	number, _ := resp.ParseInt([]byte(port))
	w.Array(5)
	w.BulkString("slave")
	w.BulkString(host)
	w.Int(number)
	w.BulkString(n.linkState())
	w.Int(int64(e.applied.Seq))
}

// linkState is the replica's state in ROLE's words.
func (n *Node) linkState() string {
	switch {
	case n.engine.role == RoleLoading:
		return "sync"
	case n.leader.Load() == nil:
		return "connect"
	}
	return "connected"
}

func splitAddress(a string) (host, port string) {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		return a, "0"
	}
	return host, port
}

// wait answers WAIT. Every acknowledged write is on the quorum's disks already;
// what is left to wait for is the commit of what this node has executed. The
// answer is the number of replica nodes that are there to take over.
func wait(x *command.Ctx) {
	if _, ok := x.Int(1); !ok {
		return
	}
	if !waitTimeout(x, 2) {
		return
	}
	c := client(x)
	if c.srv.engine.role != RolePrimary {
		x.Out.Error("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
		return
	}
	c.srv.engine.waitForAll()
	x.Out.Int(int64(len(c.srv.node.replicas())))
}

// waitAOF answers WAITAOF of Redis 7.2. The log is what an append-only file is there: this
// node's is durable once what it has executed is committed, and then so is that of every
// replica, which is the same one.
func waitAOF(x *command.Ctx) {
	if _, ok := x.IntRange(1, 0, 1, "ERR value is out of range, value must between 0 and 1"); !ok {
		return
	}
	if _, ok := x.IntRange(2, 0, math.MaxInt64, command.ErrNotPositive); !ok {
		return
	}
	if !waitTimeout(x, 3) {
		return
	}
	c := client(x)
	if c.srv.engine.role != RolePrimary {
		x.Out.Error("ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.")
		return
	}
	c.srv.engine.waitForAll()
	x.Out.Array(2)
	x.Out.Int(1)
	x.Out.Int(int64(len(c.srv.node.replicas())))
}

// waitTimeout judges argument i, a timeout, which is never met: a commit that does not
// come ends the connection. Otherwise the error has been answered.
func waitTimeout(x *command.Ctx, i int) (ok bool) {
	timeout, ok := resp.ParseInt(x.Args[i])
	switch {
	case !ok:
		x.Out.Error("ERR timeout is not an integer or out of range")
	case timeout < 0:
		x.Out.Error("ERR timeout is negative")
		ok = false
	}
	return ok
}

// replicas are the shard's other nodes as they last registered.
func (n *Node) replicas() []etcdfence.NodeInfo {
	all := n.peers.Load()
	if all == nil {
		return nil
	}
	return *all
}

func infoReplication(w *infoWriter, c *conn) {
	e, n := c.srv.engine, c.srv.node
	if p := e.primary; p != nil {
		replicas := n.replicas()
		w.field("role", "master")
		w.field("connected_slaves", len(replicas))
		committed := p.appender.Committed()
		for i, r := range replicas {
			host, port := c.reached(r.Address, r.TLSAddress)
			// A replica speaks up only when it has moved: silence is no lag while
			// it has everything.
			behind, lag := uint64(0), uint64(0)
			if r.Applied < committed {
				behind = committed - r.Applied
				lag = uint64(max(0, time.Since(r.Updated)/time.Second))
			}
			w.field("slave"+formatSeq(uint64(i)), "ip="+host+",port="+port+",state=online,offset="+formatSeq(r.Applied)+
				",lag="+formatSeq(lag)+",id="+r.ID+",az="+r.AZ+",behind_entries="+formatSeq(behind))
		}
		w.field("master_failover_state", map[bool]string{false: "no-failover", true: "failover-in-progress"}[p.leaving])
		w.field("master_replid", n.replicationID())
		w.field("master_repl_offset", committed)
		return
	}
	host, port, up := "", "0", "down"
	if l := n.leader.Load(); l != nil {
		host, port = c.reached(l.Address, l.TLSAddress)
		up = "up"
	}
	entries, ms := n.lag()
	w.field("role", "slave")
	w.field("master_host", host)
	w.field("master_port", port)
	w.field("master_link_status", up)
	w.field("slave_repl_offset", e.applied.Seq)
	w.field("slave_read_only", 1)
	w.field("replica_lag_entries", entries)
	w.field("replica_lag_ms", ms)
	w.field("connected_slaves", 0)
	w.field("master_replid", n.replicationID())
	w.field("master_repl_offset", e.applied.Seq)
}

// primaryAddress is where the primary is, as a replica's "host port"; "" when there is
// none.
func (n *Node) primaryAddress() string {
	l := n.leader.Load()
	if l == nil {
		return ""
	}
	host, port := splitAddress(l.Address)
	return host + " " + port
}
