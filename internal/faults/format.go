package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/faults/cluster"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/wal"
)

// formatByte is where an encoded entry has the version of its format, and
// laterFormat one that does not exist yet.
const (
	formatByte  = 3
	laterFormat = 255
)

// stoppedWithin bounds how long the nodes may take to meet that entry.
const stoppedWithin = 20 * time.Second

// checkNewerFormat puts an entry of a later format at the log's end, as a newer
// Redoubt might have, and starts the nodes: each must stop and say so (DESIGN
// invariant 11). It is the last check, for after it the log cannot be used.
func (r *round) checkNewerFormat(ctx context.Context) error {
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	for _, n := range r.cluster.Nodes {
		n.Proc.Kill()
	}
	// Whatever a node had still written has its place before the entry.
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	tail := r.auditor.Position()
	if err := r.auditor.Close(); err != nil { // the entry is no node's
		return err
	}
	e := tail.Next(wal.KindEffects, tail.Epoch, time.Now().UnixMilli(), nil)
	value := wal.Encode(nil, e)
	value[formatByte] = laterFormat
	key := fmt.Sprintf("/redoubt/%s/shards/0000/log/%020d", cluster.Name, e.Seq)
	if _, err := r.cluster.EtcdClient().Put(ctx, key, string(value)); err != nil {
		return err
	}
	if err := r.cluster.Heal(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stoppedWithin)
	defer cancel()
	for _, n := range r.cluster.Nodes {
		if err := testenv.Await(ctx, n.ID+" stops", func(context.Context) error { return stoppedForFormat(n) }); err != nil {
			r.env.Report("newer format", "an entry of a later format is at the end of the log: %v", err)
		}
	}
	return nil
}

// stoppedForFormat is nil once a node has ended because of an entry's format.
func stoppedForFormat(n *cluster.Node) error {
	if n.Proc.Running() {
		return fmt.Errorf("%s goes on", n.ID)
	}
	if !strings.Contains(n.Proc.Log(), wal.ErrNewerFormat.Error()) {
		return fmt.Errorf("%s ended without saying why", n.ID)
	}
	return nil
}
