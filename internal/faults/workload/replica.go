package workload

import "context"

// auditReplica has a client of its own read from one node until ctx ends,
// whatever that node is. look is given the generation of keys to read: the
// present one, or the one before, which a replica that is behind may still be
// getting to.
//
// What it reads is no part of the history that porcupine judges: a replica may be
// behind, but never show half of a transaction.
func (e *Env) auditReplica(ctx context.Context, t Target, look func(c *Client, generation int64)) {
	c := e.NewReplicaClient(t)
	defer c.Close()
	for c.Connect(ctx) && c.Think(ctx) {
		look(c, max(0, e.generation()-c.Rand.Int64N(2)))
	}
}
