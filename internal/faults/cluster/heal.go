package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// disarmTimeout bounds how long Heal tries to end etcd's alarms, for which a
// quorum of restarted members has to be there.
const disarmTimeout = 30 * time.Second

// Heal undoes every fault: it opens all links, lets stopped processes go on,
// starts those that have ended and disarms etcd's alarms. It does not wait until
// the shard has recovered. The error says what it could not undo.
func (c *Cluster) Heal() error {
	for _, n := range c.Nodes {
		for _, p := range n.proxies() {
			p.Heal()
		}
	}
	for _, p := range c.Etcd.PeerLinks() {
		p.Heal()
	}
	var all []error
	for _, p := range c.processes() {
		all = append(all, p.Revive())
	}
	ctx, cancel := context.WithTimeout(context.Background(), disarmTimeout)
	defer cancel()
	all = append(all, testenv.Await(ctx, "etcd has no alarm", c.Etcd.DisarmAlarms))
	return errors.Join(all...)
}

func (c *Cluster) processes() []*testenv.Process {
	all := []*testenv.Process{c.S3.Process()}
	for i := range c.Etcd.Endpoints() {
		all = append(all, c.Etcd.Process(i))
	}
	for _, n := range c.Nodes {
		all = append(all, n.Proc)
	}
	return all
}
