package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/s3segments"
)

// PlanFormat is the version of a plan's layout.
const PlanFormat = 1

const (
	gcPrefix = "gc/"
	// planAge is how long the records of earlier clean-ups are kept.
	planAge = 90 * 24 * time.Hour
	// maxPlan bounds the objects of one plan; what is left is for the next one.
	maxPlan = 50_000
)

// Plan is what a clean-up would delete and why. It is data: making one changes
// nothing, and RunGC stores it before it deletes anything.
type Plan struct {
	Format    int       `json:"format"`
	Cluster   string    `json:"cluster"`
	CreatedAt time.Time `json:"created_at"`
	Reason    string    `json:"reason"`
	// Keep are the snapshots that stay and were checked.
	Keep []PlanSnapshot `json:"keep"`
	// Damaged are snapshots that failed the check. They stay for people to look at.
	Damaged []string `json:"damaged,omitempty"`
	// Shards tells up to where the log of each shard is not needed any more.
	Shards []PlanShard `json:"shards"`
	// Remove are snapshots to delete, with their files; then Delete, in order.
	Remove []PlanSnapshot `json:"remove"`
	Delete []PlanObject   `json:"delete"`
	// More is set when there is more to delete than one plan holds.
	More bool `json:"more,omitempty"`
}

// PlanSnapshot is a snapshot in a Plan.
type PlanSnapshot struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"` // tells it from a later one of the same name
	Files     []File    `json:"files"`
	Why       string    `json:"why"`
}

// PlanShard is a shard in a Plan.
type PlanShard struct {
	Shard  int    `json:"shard"`
	Sealed uint64 `json:"sealed"` // last entry that etcd says is in segments
	Floor  uint64 `json:"floor"`  // entries up to this one are in every kept snapshot
}

// PlanObject is an object to delete.
type PlanObject struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
	Why  string `json:"why"`
}

// Bytes is how much a plan deletes.
func (p *Plan) Bytes() int64 {
	var n int64
	for _, s := range p.Remove {
		for _, f := range s.Files {
			n += f.Size
		}
	}
	for _, o := range p.Delete {
		n += o.Size
	}
	return n
}

// Objects is how many objects a plan deletes.
func (p *Plan) Objects() int {
	n := len(p.Delete)
	for _, s := range p.Remove {
		n += 1 + len(s.Files)
	}
	return n
}

// inventory is all that a clean-up is decided on.
type inventory struct {
	cluster   string
	now       time.Time
	snapshots []checked               // newest first
	files     []s3segments.ObjectInfo // everything under snapshots/
	plans     []s3segments.ObjectInfo // everything under gc/
	shards    []shardInventory
}

// checked is a published snapshot and what a look at its files gave.
type checked struct {
	Summary
	err error // nil: good, or not looked at because enough others are
}

type shardInventory struct {
	shard    int
	sealed   uint64
	segments []s3segments.SegmentInfo
	spills   []s3segments.SpillInfo
}

// decide makes a plan that keeps the newest keep good snapshots and everything
// that is needed to get from any of them to the end of the log. Things that may
// still be in use are left alone until they have not changed for grace.
//
// Errors: ErrNoVerified; *s3segments.MissingError when the log behind the oldest
// kept snapshot has a hole: then nothing is superfluous.
func decide(inv inventory, keep int, grace time.Duration) (*Plan, error) {
	p := &Plan{Format: PlanFormat, Cluster: inv.cluster, CreatedAt: inv.now, Reason: fmt.Sprintf("keep the newest %d snapshots", keep)}
	kept := p.sortSnapshots(inv.snapshots, keep)
	if len(kept) == 0 {
		return nil, fmt.Errorf("%w: make one before anything is cleaned up", ErrNoVerified)
	}
	before := inv.now.Add(-grace)
	p.orphanFiles(inv, before)
	for _, s := range inv.shards {
		if err := p.shardLog(s, kept, before); err != nil {
			return nil, err
		}
	}
	for _, o := range inv.plans {
		if o.LastModified.Before(inv.now.Add(-planAge)) {
			p.Delete = append(p.Delete, PlanObject{o.Key, o.Size, "record of an old clean-up"})
		}
	}
	if len(p.Delete) > maxPlan {
		p.Delete, p.More = p.Delete[:maxPlan], true
	}
	return p, nil
}

// sortSnapshots fills in which snapshots stay and which go, and returns those
// that the log must reach back to.
func (p *Plan) sortSnapshots(all []checked, keep int) []*Manifest {
	var kept []*Manifest
	for _, s := range all {
		switch {
		case s.err != nil:
			p.Damaged = append(p.Damaged, fmt.Sprintf("%s: %v", s.Name, s.err))
		case len(kept) < keep:
			kept = append(kept, s.Manifest)
			p.Keep = append(p.Keep, planned(s.Manifest, fmt.Sprintf("number %d of the newest %d", len(kept), keep)))
		default:
			p.Remove = append(p.Remove, planned(s.Manifest, fmt.Sprintf("older than the newest %d", keep)))
		}
	}
	return kept
}

func planned(m *Manifest, why string) PlanSnapshot {
	s := PlanSnapshot{Name: m.Name, CreatedAt: m.CreatedAt, Why: why}
	for i := range m.Shards {
		s.Files = append(s.Files, m.Shards[i].RDB)
	}
	return s
}

// orphanFiles plans to delete files of snapshots that never got a manifest.
func (p *Plan) orphanFiles(inv inventory, before time.Time) {
	published := map[string]bool{}
	for _, s := range inv.snapshots {
		published[s.Name] = true
	}
	newest := map[string]time.Time{}
	for _, o := range inv.files {
		name, _, ok := nameOf(o.Key)
		if ok && o.LastModified.After(newest[name]) {
			newest[name] = o.LastModified
		}
		if ok && o.Key == manifestKey(name) {
			published[name] = true
		}
	}
	for _, o := range inv.files {
		name, _, ok := nameOf(o.Key)
		if ok && !published[name] && newest[name].Before(before) {
			p.Delete = append(p.Delete, PlanObject{o.Key, o.Size, "of a snapshot that was never finished"})
		}
	}
}

// shardLog plans to delete what of a shard's log nobody needs.
func (p *Plan) shardLog(s shardInventory, kept []*Manifest, before time.Time) error {
	floor, known := uint64(0), false
	for _, m := range kept {
		if part, err := m.Find(s.shard); err == nil && (!known || part.Position.Seq < floor) {
			floor, known = part.Position.Seq, true
		}
	}
	p.Shards = append(p.Shards, PlanShard{Shard: s.shard, Sealed: s.sealed, Floor: floor})
	// A segment past the sealed pointer may be about to be pointed to.
	for _, seg := range s3segments.SegmentsBelow(s.segments, min(floor, s.sealed)) {
		p.Delete = append(p.Delete, PlanObject{seg.Key, seg.Size, fmt.Sprintf("entries up to %d are in every kept snapshot", floor)})
	}
	orphans, err := s3segments.Orphans(s.segments, floor+1, s.sealed, before)
	if err != nil {
		return fmt.Errorf("shard %d: the log behind the oldest kept snapshot is not whole, so nothing is deleted: %w", s.shard, err)
	}
	for _, seg := range orphans {
		p.Delete = append(p.Delete, PlanObject{seg.Key, seg.Size, "its entries are in other segments"})
	}
	for _, spill := range s3segments.SpillsBelow(s.spills, s.sealed, before) {
		p.Delete = append(p.Delete, PlanObject{spill.Key, spill.Size, fmt.Sprintf("entry %d is in a segment", spill.Seq)})
	}
	return nil
}

// check refuses a plan that contradicts itself: it may have been edited by hand,
// or be of a newer version. Errors: ErrNewerFormat, ErrPlan.
func (p *Plan) check(cluster string) error {
	switch {
	case p.Format > PlanFormat:
		return newer("the clean-up plan has format %d, this redoubt reads up to %d", p.Format, PlanFormat)
	case p.Cluster != cluster:
		return fmt.Errorf("%w: it is for cluster %q, not %q", ErrPlan, p.Cluster, cluster)
	}
	kept := func(name string) bool {
		return slices.ContainsFunc(p.Keep, func(k PlanSnapshot) bool { return k.Name == name })
	}
	for _, s := range p.Remove {
		if kept(s.Name) || CheckName(s.Name) != nil {
			return fmt.Errorf("%w: it removes snapshot %q, which it keeps", ErrPlan, s.Name)
		}
		for _, f := range s.Files {
			if !strings.HasPrefix(f.Key, prefix+s.Name+"/") {
				return fmt.Errorf("%w: %s is no file of snapshot %s", ErrPlan, f.Key, s.Name)
			}
		}
	}
	for _, o := range p.Delete {
		if err := checkObject(o.Key, kept); err != nil {
			return err
		}
	}
	return nil
}

func checkObject(key string, kept func(string) bool) error {
	name, file, inSnapshot := nameOf(key)
	switch {
	case inSnapshot && kept(name):
		return fmt.Errorf("%w: it deletes %s of a snapshot that it keeps", ErrPlan, key)
	case inSnapshot && "/"+file == manifestFile:
		return fmt.Errorf("%w: it deletes %s as if it were data", ErrPlan, key)
	case inSnapshot, strings.HasPrefix(key, gcPrefix), strings.HasPrefix(key, "shards/"):
		return nil
	}
	return fmt.Errorf("%w: %s is nothing that is cleaned up", ErrPlan, key)
}
