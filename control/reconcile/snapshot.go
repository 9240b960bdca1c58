package reconcile

import (
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
)

// maxSnapshotTries is how often a snapshot is tried before it has failed. One that
// somebody asked for is tried for manualPatience at least: it may outlast a restart of
// the object storage, but whoever waits for it is told before they give up.
const (
	maxSnapshotTries = 3
	manualPatience   = 15 * time.Minute
)

// SnapshotInput is all that DecideSnapshot looks at.
type SnapshotInput struct {
	Now      time.Time
	Snapshot Snapshot
	Cluster  *Cluster // nil: deleted
	Making   Job
	Removing Job
	// Made is what a job that is done has made.
	Made       spec.SnapshotStatus
	Operations []Operation
}

// SnapshotDecision is what to do about a snapshot now.
type SnapshotDecision struct {
	Status     spec.SnapshotStatus
	Start      *StartJob
	Remove     bool // nothing of it is left
	Operations []Operation
	Again      time.Duration
}

// DecideSnapshot says what to do next about one snapshot: make it, if nobody has; let
// it go, if that was asked for.
func DecideSnapshot(in SnapshotInput) SnapshotDecision {
	d := SnapshotDecision{Status: in.Snapshot.Status}
	st := &d.Status
	if st.CreatedAt.IsZero() {
		st.CreatedAt = in.Now
	}
	if st.Source == "" {
		st.Source = spec.Manual
	}
	if in.Snapshot.Deleting {
		d.remove(in)
	} else if st.Status == "" || st.Status == spec.Creating {
		d.create(in)
	}
	for _, o := range in.Operations {
		before := o
		switch {
		case o.Kind == "delete": // ends with the snapshot
			o.State, o.Text = OpRunning, in.Removing.Progress
		case in.Snapshot.Deleting:
			o = o.failed("the snapshot is deleted")
		case st.Status == spec.Available:
			o.State, o.Text = OpDone, ""
		case st.Status == spec.Failed:
			o = o.failed("%s", st.Reason)
		default:
			o.State, o.Text = OpRunning, in.Making.Progress
		}
		if !o.same(before) {
			d.Operations = append(d.Operations, o)
		}
	}
	return d
}

func (d *SnapshotDecision) create(in SnapshotInput) {
	st, j := &d.Status, in.Making
	st.Status, st.Reason = spec.Creating, j.Err
	wait := j.RetryAt.Sub(in.Now)
	final := in.Cluster != nil && in.Cluster.Deleting != nil && in.Cluster.Deleting.FinalSnapshotName == in.Snapshot.Name
	switch {
	case j.Done:
		made := in.Made
		made.Status, made.Source, made.ClusterConfiguration = spec.Available, st.Source, st.ClusterConfiguration
		*st = made
	case j.Running:
	case in.Cluster == nil:
		st.Status, st.Reason = spec.Failed, "its cluster is deleted"
	case j.Permanent, !final && j.Tries >= maxSnapshotTries && (st.Source != spec.Manual || in.Now.Sub(st.CreatedAt) >= manualPatience):
		// A final one is tried for ever: its cluster cannot go on, nor go, without it.
		st.Status = spec.Failed
	case wait > 0:
		d.Again = wait
	case in.Cluster.Deleting == nil && in.Cluster.Status.ObservedVersion == 0:
		d.Again = time.Second // until it has begun
	case final && !in.Cluster.Status.Stopped:
		d.Again = time.Second // what is acknowledged until then must be in it
	default:
		config := in.Cluster.Spec
		st.ClusterConfiguration = &config
		d.Start = &StartJob{Key: makeKey(in.Snapshot.Name), Kind: MakeSnapshot, Snapshot: in.Snapshot.Name}
	}
}

func (d *SnapshotDecision) remove(in SnapshotInput) {
	j := in.Removing
	d.Status.Status, d.Status.Reason = spec.Deleting, j.Err
	switch wait := j.RetryAt.Sub(in.Now); {
	case in.Making.Running, j.Running:
	case j.Done:
		d.Remove = true
	case wait > 0:
		d.Again = wait
	default:
		d.Start = &StartJob{Key: removeKey(in.Snapshot.Name), Kind: RemoveSnapshot, Snapshot: in.Snapshot.Name}
	}
}

func makeKey(snapshot string) string   { return "snapshot/" + snapshot }
func removeKey(snapshot string) string { return "remove-snapshot/" + snapshot }
