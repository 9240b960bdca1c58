package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a cluster.
const (
	MaxReplicas   = 5
	MinNodeMemory = 64 << 20
	maxNodeMemory = 24 << 40
	maxRetention  = 35 // days, as in MemoryDB
	maxZones      = 16
	maxURIs       = 100
)

// ModeDisabled is the only cluster mode there is yet.
const ModeDisabled = "disabled"

// NewCluster is a cluster of which only the name is known, with the defaults of those
// fields whose zero value means something else. What is asked for is put over it.
func NewCluster(name string) Cluster {
	return Cluster{Name: name, NumShards: 1, NumReplicasPerShard: 1, TLSEnabled: true}
}

// Default fills in what may be left out, and puts lists whose order means nothing in
// order. EngineVersion stays "" here: it depends on which hosts there are.
func (c *Cluster) Default() {
	defaultTo(&c.NumShards, 1)
	defaultTo(&c.ParameterGroupName, DefaultParameterGroup)
	defaultTo(&c.ClusterMode, ModeDisabled)
	defaultTo(&c.MaintenanceWindow, defaultMaintenance(c.Name, c.SnapshotWindow))
	defaultTo(&c.SnapshotWindow, defaultSnapshots(c.Name, c.MaintenanceWindow))
	sortedSet(&c.AvailabilityZones)
	noNilMap(&c.Tags)
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

var zoneForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// Validate reports all that is wrong with a cluster by itself. Whether what it names
// exists is package store's to say.
func (c *Cluster) Validate() Problems {
	var p Problems
	p.check("name", CheckName(c.Name))
	checkDescription(&p, c.Description)
	if c.EngineVersion != "" {
		p.check("engine_version", CheckEngineVersion(c.EngineVersion))
	}
	c.validateSize(&p)
	if c.Port != 0 && (c.Port < 1024 || c.Port > 65535) {
		p.add("port", "must be between 1024 and 65535, or 0 for any that the hosts have free, not %d", c.Port)
	}
	if c.ACLName == "" {
		p.add("acl_name", "must be given: the name of an ACL, or %q to let everybody in without a password", OpenAccess)
	} else {
		p.check("acl_name", CheckName(c.ACLName))
	}
	p.check("parameter_group_name", CheckName(c.ParameterGroupName))
	c.validateWindows(&p)
	c.validateSource(&p)
	if len(c.AvailabilityZones) > maxZones {
		p.add("availability_zones", "there may be at most %d, not %d", maxZones, len(c.AvailabilityZones))
	}
	for i, az := range c.AvailabilityZones {
		if !zoneForm.MatchString(az) {
			p.add(fmt.Sprintf("availability_zones[%d]", i), "must be 1 to 63 letters, digits, dots, underscores and hyphens, not %q", az)
		}
	}
	checkUnique(&p, "availability_zones", c.AvailabilityZones)
	checkTags(&p, c.Tags)
	return p
}

func (c *Cluster) validateSize(p *Problems) {
	switch {
	case c.NumShards < 1:
		p.add("num_shards", "must be 1, not %d", c.NumShards)
	case c.NumShards > 1:
		p.add("num_shards", "cluster mode does not exist yet: it must be 1, not %d", c.NumShards)
	}
	if c.ClusterMode != ModeDisabled {
		p.add("cluster_mode", "cluster mode does not exist yet: it must be %q, not %q", ModeDisabled, c.ClusterMode)
	}
	if c.NumReplicasPerShard < 0 || c.NumReplicasPerShard > MaxReplicas {
		p.add("num_replicas_per_shard", "must be between 0 and %d, not %d", MaxReplicas, c.NumReplicasPerShard)
	}
	switch {
	case c.NodeMemory == 0:
		p.add("node_memory", "must be given: what each node may use in all, such as 2GiB")
	case c.NodeMemory < MinNodeMemory || c.NodeMemory > maxNodeMemory:
		p.add("node_memory", "must be between 64MiB and 24TiB, not %s", c.NodeMemory)
	}
}

func (c *Cluster) validateWindows(p *Problems) {
	if c.SnapshotRetentionLimit < 0 || c.SnapshotRetentionLimit > maxRetention {
		p.add("snapshot_retention_limit", "must be between 0 (no snapshots by themselves) and %d days, not %d", maxRetention, c.SnapshotRetentionLimit)
	}
	maintenance, err1 := ParseWeeklyWindow(c.MaintenanceWindow)
	p.check("maintenance_window", err1)
	snapshots, err2 := ParseDailyWindow(c.SnapshotWindow)
	p.check("snapshot_window", err2)
	if err1 == nil && err2 == nil && maintenance.Overlaps(snapshots) {
		p.add("snapshot_window", "must not overlap the maintenance window, %s: give %s another time of the day",
			c.MaintenanceWindow, c.SnapshotWindow)
	}
}

func (c *Cluster) validateSource(p *Problems) {
	if c.SnapshotName != "" && len(c.SnapshotURIs) > 0 {
		p.add("snapshot_uris", "a cluster begins with snapshot_name or with snapshot_uris, not with both")
	}
	if c.SnapshotName != "" {
		p.check("snapshot_name", CheckSnapshotName(c.SnapshotName))
	}
	if len(c.SnapshotURIs) > maxURIs {
		p.add("snapshot_uris", "there may be at most %d, not %d", maxURIs, len(c.SnapshotURIs))
	}
	for i, uri := range c.SnapshotURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "s3" || u.Host == "" || !strings.HasSuffix(u.Path, ".rdb") || u.RawQuery != "" {
			p.add(fmt.Sprintf("snapshot_uris[%d]", i), "must be an RDB file such as s3://bucket/folder/dump.rdb, not %q", uri)
		}
	}
}

// Replaces are the fields of a cluster that only a new cluster can have otherwise; all
// others change in place.
var Replaces = []string{"name", "num_shards", "cluster_mode", "port", "tls_enabled", "snapshot_name", "snapshot_uris"}

// CheckChange reports what a cluster cannot become without being replaced.
func (c *Cluster) CheckChange(next *Cluster) Problems {
	var p Problems
	for path, changed := range map[string]bool{
		"name":          c.Name != next.Name,
		"num_shards":    c.NumShards != next.NumShards,
		"cluster_mode":  c.ClusterMode != next.ClusterMode,
		"port":          c.Port != next.Port,
		"tls_enabled":   c.TLSEnabled != next.TLSEnabled,
		"snapshot_name": c.SnapshotName != next.SnapshotName,
		"snapshot_uris": !slices.Equal(c.SnapshotURIs, next.SnapshotURIs),
	} {
		if changed {
			p.add(path, "cannot be changed in place: make another cluster, from a snapshot of this one, and delete this one")
		}
	}
	slices.SortFunc(p, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	if from := c.EngineVersion; from != "" && next.EngineVersion == "" {
		p.add("engine_version", "cannot be taken away: leave it at %s or give a newer one", from)
	}
	return p
}

// CheckEngineFloor reports an engine that a cluster cannot go back to. floor is
// ClusterStatus.EngineVersion; "": no node was ever started. A newer one that was only
// asked for can be taken back.
func CheckEngineFloor(floor, next string) Problems {
	var p Problems
	if floor != "" && CheckEngineVersion(next) == nil && CompareEngines(next, floor) < 0 {
		p.add("engine_version", "cannot go back from %s to %s: an older engine may not read what the newer one wrote", floor, next)
	}
	return p
}
