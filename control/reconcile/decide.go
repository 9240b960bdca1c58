package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/placement"
	"github.com/redoubtdb/redoubt/control/spec"
)

// decider is one call of Decide.
type decider struct {
	in     Input
	engine string // that nodes are to run
	shards int
	fleet  *placement.Fleet
	status spec.ClusterStatus

	actions []Action
	events  []Event
	blocked []string // why something does not go on
	pending []string // what is left to do
	refused string   // part of the spec that will not be carried out
	lacking string   // why no host can run the engine that is asked for; "" if one can
	failed  string   // why the cluster cannot be created
	again   time.Duration
	done    int // nodes as asked
	total   int // nodes asked for
}

// Decide says what to do next about a cluster.
func Decide(in Input) Decision {
	in.Policy = in.Policy.withDefaults()
	d := &decider{in: in, status: in.Cluster.Status}
	d.status.Shards = slices.Clone(in.Cluster.Status.Shards)
	d.takeStock()
	if in.Cluster.Deleting != nil {
		d.delete()
	} else {
		d.status.Applied = in.Applied
		d.run()
	}
	return d.decision()
}

// takeStock works out what is asked for, within what is possible, and what room
// there is.
func (d *decider) takeStock() {
	in := &d.in
	var hosts []placement.Host
	for _, h := range in.Hosts {
		hosts = append(hosts, placement.Host{Host: h.Host, Usable: h.Alive})
	}
	d.fleet = placement.NewFleet(hosts)
	for _, a := range in.Assigned {
		d.fleet.Take(a.Host, a.Assignment)
		if a.Cluster == in.Cluster.Name && newer(a.Engine, d.status.EngineVersion) {
			d.status.EngineVersion = a.Engine
		}
	}
	d.chooseEngine(hosts)
	d.shards = in.Cluster.Spec.NumShards
	if n := len(in.Cluster.Status.Shards); n > 0 && n != d.shards {
		d.refused = fmt.Sprintf("num_shards cannot be changed from %d to %d", n, d.shards)
		d.shards = n
	}
	if d.status.ObservedVersion == 0 && d.status.Status == "" {
		d.status.Status = spec.Creating
	}
	for i := len(d.status.Shards); i < d.shards; i++ {
		d.status.Shards = append(d.status.Shards, spec.ShardStatus{Name: fmt.Sprintf("%04d", i+1), Slots: slotsOf(i, d.shards)})
	}
}

// slotsOf is the range of hash slots of a shard of n.
func slotsOf(shard, n int) string {
	const slots = 16384
	return fmt.Sprintf("%d-%d", shard*slots/n, (shard+1)*slots/n-1)
}

func (d *decider) run() {
	if d.lacking != "" {
		d.block("%s", d.lacking)
		if d.engine == "" {
			return
		}
		d.pend("engine %s, when a host has it", d.in.Cluster.Spec.EngineVersion)
	}
	if !d.initialize() {
		return
	}
	for i := range d.shards {
		d.shard(i)
	}
	d.snapshots()
}

// initialize begins the shards of a new cluster. It reports whether all are there.
func (d *decider) initialize() bool {
	all := true
	for i := range d.shards {
		st, known := d.in.Shards[i]
		if known && st.Initialized {
			continue
		}
		all = false
		if !known {
			d.block("shard %d cannot be read", i)
			continue
		}
		if d.in.Cluster.Status.ObservedVersion > 0 {
			d.block("etcd does not know shard %d any more: see `redoubt recover`", i)
			continue
		}
		d.pend("begin shard %d", i)
		c := &d.in.Cluster.Spec
		a := StartJob{Key: fmt.Sprintf("initialize/%d", i), Kind: InitializeShard, Shard: i, Snapshot: c.SnapshotName, URIs: c.SnapshotURIs}
		if j := d.job(a); j.Permanent {
			d.failed = j.Err
		}
	}
	return all
}

// job starts a job unless it runs, waits for its next try, or cannot succeed.
func (d *decider) job(a StartJob) Job {
	j := d.in.Jobs[a.Key]
	wait := j.RetryAt.Sub(d.in.Now)
	switch {
	case j.Err != "" && (j.Permanent || wait > 0):
		d.block("%s: %s", a, j.Err)
	}
	switch {
	case j.Running:
		d.pend("%s %s", a, j.Progress)
	case j.Permanent, j.Done:
	case wait > 0:
		d.wake(wait)
	default:
		d.act(a)
	}
	return j
}

func (d *decider) act(a Action) { d.actions = append(d.actions, a) }

func (d *decider) block(format string, args ...any) {
	d.blocked = append(d.blocked, fmt.Sprintf(format, args...))
}

func (d *decider) pend(format string, args ...any) {
	d.pending = append(d.pending, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// wake asks for another decision after some time.
func (d *decider) wake(after time.Duration) {
	if after > 0 && (d.again == 0 || after < d.again) {
		d.again = after
	}
}

// assign changes or makes an assignment and takes note of it. The status, which is
// written first, has the engine before any process can have written with it.
func (d *decider) assign(host string, a fleet.Assignment, issue bool, why string) {
	if !newer(d.status.EngineVersion, a.Engine) {
		d.status.EngineVersion = a.Engine
	}
	a.Generation++
	d.fleet.Release(host, a.Node)
	d.fleet.Take(host, a)
	d.act(Assign{Host: host, Assignment: a, Issue: issue, Why: why})
}
