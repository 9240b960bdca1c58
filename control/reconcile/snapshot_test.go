package reconcile

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

func TestDecideSnapshot(t *testing.T) {
	in := func(change ...func(*SnapshotInput)) SnapshotInput {
		i := SnapshotInput{
			Now: noon, Cluster: &Cluster{Name: "shop", Status: spec.ClusterStatus{ObservedVersion: 1}},
			Snapshot:   Snapshot{Name: "s", Status: spec.SnapshotStatus{ClusterName: "shop"}},
			Operations: []Operation{{ID: "o", Kind: "snapshot", State: OpPending}},
		}
		for _, c := range change {
			c(&i)
		}
		return i
	}
	automated := func(i *SnapshotInput) { i.Snapshot.Status.Source = spec.Automated }
	old := func(i *SnapshotInput) { i.Snapshot.Status.CreatedAt = noon.Add(-manualPatience) }
	final := func(i *SnapshotInput) { i.Cluster.Deleting = &Deleting{FinalSnapshotName: "s"} }
	deleting := func(i *SnapshotInput) { i.Snapshot.Deleting, i.Operations[0].Kind = true, "delete" }
	job := func(j Job) func(*SnapshotInput) { return func(i *SnapshotInput) { i.Making = j } }
	for _, c := range []struct {
		name   string
		in     SnapshotInput
		start  JobKind
		status spec.Phase
		op     string
	}{
		{"make it", in(), MakeSnapshot, spec.Creating, OpRunning},
		{"it is being made", in(job(Job{Running: true})), "", spec.Creating, OpRunning},
		{"it is made", in(job(Job{Done: true})), "", spec.Available, OpDone},
		{"not of a cluster that has not begun", in(func(i *SnapshotInput) { i.Cluster.Status.ObservedVersion = 0 }), "", spec.Creating, OpRunning},
		{"nor of one that is gone", in(func(i *SnapshotInput) { i.Cluster = nil }), "", spec.Failed, OpFailed},
		{"the final one waits for the nodes", in(final), "", spec.Creating, OpRunning},
		{"until they have stopped", in(final, func(i *SnapshotInput) { i.Cluster.Status.Stopped = true }), MakeSnapshot, spec.Creating, OpRunning},
		{"later", in(job(Job{Err: "no", Tries: 1, RetryAt: noon.Add(time.Second)})), "", spec.Creating, OpRunning},
		{"again", in(job(Job{Err: "no", Tries: 9, RetryAt: noon})), MakeSnapshot, spec.Creating, OpRunning},
		{"one that was asked for not for ever", in(old, job(Job{Err: "no", Tries: 3, RetryAt: noon.Add(time.Minute)})), "", spec.Failed, OpFailed},
		{"but a few times in any case", in(old, job(Job{Err: "no", Tries: 2, RetryAt: noon})), MakeSnapshot, spec.Creating, OpRunning},
		{"not while the last try runs", in(old, job(Job{Running: true, Err: "no", Tries: 3, RetryAt: noon})), "", spec.Creating, OpRunning},
		{"the final one for ever", in(old, final, func(i *SnapshotInput) { i.Cluster.Status.Stopped = true }, job(Job{Err: "no", Tries: 99, RetryAt: noon})), MakeSnapshot, spec.Creating, OpRunning},
		{"unless that is of no use", in(final, func(i *SnapshotInput) { i.Cluster.Status.Stopped = true }, job(Job{Err: "no", Permanent: true})), "", spec.Failed, OpFailed},
		{"one by schedule only so often", in(automated, job(Job{Err: "no", Tries: 3, RetryAt: noon})), "", spec.Failed, OpFailed},
		{"never again", in(job(Job{Err: "no", Tries: 1, Permanent: true})), "", spec.Failed, OpFailed},
		{"what is there stays", in(func(i *SnapshotInput) { i.Snapshot.Status.Status, i.Cluster = spec.Available, nil }), "", spec.Available, OpDone},
		{"remove it", in(deleting), RemoveSnapshot, spec.Deleting, OpRunning},
		{"not while it is made", in(deleting, job(Job{Running: true})), "", spec.Deleting, OpRunning},
		{"it is removed", in(deleting, func(i *SnapshotInput) { i.Removing.Done = true }), "", spec.Deleting, OpRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := DecideSnapshot(c.in)
			var start JobKind
			if d.Start != nil {
				start = d.Start.Kind
			}
			if start != c.start || d.Status.Status != c.status || len(d.Operations) != 1 || d.Operations[0].State != c.op {
				t.Errorf("got %+v, start %q", d, start)
			}
			if d.Status.Status == spec.Failed && (d.Status.Reason == "" || d.Operations[0].Text != d.Status.Reason) {
				t.Errorf("it failed without a reason: %+v", d)
			}
			if d.Remove != (c.in.Snapshot.Deleting && c.in.Removing.Done) {
				t.Errorf("remove: %v", d.Remove)
			}
		})
	}
}
