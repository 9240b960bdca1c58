package reconcile

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// opFailover is the kind of an operation that asks for a hand-over, of the shard that
// its argument "shard" names, to the node "to" or to whichever replica is ready.
const opFailover = "failover"

// failoverTimeout is how long a hand-over that somebody asked for is tried.
const failoverTimeout = time.Minute

// failover decides how an operation that asks for a hand-over goes on.
func (d *decider) failover(o Operation) Operation {
	i, err := strconv.Atoi(o.Arguments["shard"])
	if err != nil && o.Arguments["shard"] != "" || i < 0 || i >= d.shards {
		return o.failed("there is no shard %q", o.Arguments["shard"])
	}
	st, to := d.in.Shards[i], o.Arguments["to"]
	asked := st.Asked
	mine := asked != nil && !asked.At.Before(o.Started)
	switch {
	case st.Leader != nil && mine && st.Leader.Epoch > asked.Epoch && (to == "" || st.Leader.NodeID == to),
		st.Leader != nil && st.Leader.NodeID == to:
		o.State, o.Text, o.Done, o.Total = OpDone, "node "+st.Leader.NodeID+" is the primary", 1, 1
		return o
	case d.in.Now.Sub(o.Started) > failoverTimeout:
		return o.failed("shard %d was not handed over within %v", i, failoverTimeout)
	}
	o.State, o.Text, o.Total = OpRunning, fmt.Sprintf("shard %d is handed over", i), 1
	d.wake(time.Second)
	if st.Leader == nil || d.handsOver(i) || mine && d.in.Now.Before(asked.At.Add(d.in.Policy.HandoverRetry)) {
		return o
	}
	for _, m := range d.members(i) {
		if m.Goal == fleet.Run && !m.leader && (to == "" || m.Node == to) && m.ready(st.Tail, d.in.Policy.Lag) {
			d.act(Handover{Shard: i, From: st.Leader.NodeID, To: m.Node, Epoch: st.Leader.Epoch, Why: "operation " + o.ID + " asks for it"})
			return o
		}
	}
	o.Text = fmt.Sprintf("no replica of shard %d is ready to take over", i)
	if to != "" {
		o.Text = fmt.Sprintf("node %s is not ready to take over shard %d", to, i)
	}
	return o
}

// handsOver reports whether a hand-over of the shard was decided already.
func (d *decider) handsOver(shard int) bool {
	for _, a := range d.actions {
		if h, ok := a.(Handover); ok && h.Shard == shard {
			return true
		}
	}
	return false
}

func (o Operation) failed(format string, args ...any) Operation {
	o.State, o.Text = OpFailed, fmt.Sprintf(format, args...)
	return o
}
