package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/node"
)

// member is one node and the goroutine that runs it.
type member struct {
	id     string
	node   *node.Node
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run, unless the Dev failed with it; set before done is closed
}

// makeNodes makes the nodes, which listen from here on and answer -LOADING.
func (d *Dev) makeNodes(context.Context) error {
	for i := range d.cfg.Replicas + 1 {
		if err := d.addNode(i); err != nil {
			return err
		}
	}
	return nil
}

// runNodes starts the first node, waits until the shard has a primary, and
// starts the replicas.
func (d *Dev) runNodes(ctx context.Context) error {
	d.run(d.nodes[0])
	if err := d.await(ctx, d.served); err != nil {
		return err
	}
	for _, m := range d.nodes[1:] {
		d.run(m)
	}
	patience, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	err := d.await(patience, d.loaded)
	if patience.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// addNode makes the i-th node, which listens from here on.
func (d *Dev) addNode(i int) error {
	cfg := d.cfg.nodeConfig(i)
	cfg.Etcd, cfg.Store, cfg.Metrics = d.etcd.client, d.store, d.registry
	if d.issuer != nil {
		cfg.TLS = node.TLSConfig{Listen: net.JoinHostPort(d.cfg.Bind, strconv.Itoa(portAfter(d.cfg.TLSPort, i))), Files: d.issuer.files()}
	}
	n, err := node.New(cfg)
	if err != nil {
		return listenError(err, "--port or --tls-port (replicas take the next ones, see --replicas)", refusedPort(err, portAfter(d.cfg.Port, i)))
	}
	d.nodes = append(d.nodes, &member{id: cfg.NodeID, node: n})
	d.endpoints.Nodes = append(d.endpoints.Nodes, Node{ID: cfg.NodeID, Address: reachable(n.Addr()), TLSAddress: reachable(n.TLSAddr())})
	return nil
}

// refusedPort is the port that could not be listened on, else.
func refusedPort(err error, otherwise int) int {
	var op *net.OpError
	if errors.As(err, &op) {
		if tcp, ok := op.Addr.(*net.TCPAddr); ok {
			return tcp.Port
		}
	}
	return otherwise
}

// run starts a node's life. That it ends before it is told to fails the Dev.
func (d *Dev) run(m *member) {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.done = cancel, make(chan struct{})
	go func() {
		defer close(m.done)
		err := m.node.Run(ctx)
		switch {
		case ctx.Err() != nil:
			m.err = err
		case err == nil:
			d.fail(fmt.Errorf("node %s ended", m.id))
		default:
			d.fail(fmt.Errorf("node %s: %w", m.id, err))
		}
	}()
}

// await waits until ready says so, a node has failed, or ctx ends.
func (d *Dev) await(ctx context.Context, ready func(context.Context) (bool, error)) error {
	tick := time.NewTicker(rolePoll)
	defer tick.Stop()
	for {
		if ok, err := ready(ctx); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-d.failed:
			return d.failure
		case <-ctx.Done():
			return fmt.Errorf("dev: wait for the nodes: %w", context.Cause(ctx))
		}
	}
}

// served: the first node is the primary, or follows one that is not of this
// process: etcd listens, so somebody may have added a node.
func (d *Dev) served(ctx context.Context) (bool, error) {
	switch d.nodes[0].node.Role() {
	case node.RolePrimary:
		return true, nil
	case node.RoleReplica:
		st, err := d.shard().State(ctx)
		return st.Leader != nil && !isNodeID(st.Leader.NodeID), err
	}
	return false, nil
}

// loaded: every node holds the data.
func (d *Dev) loaded(context.Context) (bool, error) {
	for _, m := range d.nodes {
		if m.node.Role() == node.RoleLoading {
			return false, nil
		}
	}
	return true, nil
}

// leader is the node of this process that is the primary, nil when none is.
func (d *Dev) leader() *member {
	for _, m := range d.nodes {
		if m.node.Role() == node.RolePrimary {
			return m
		}
	}
	return nil
}

// stopNodes ends the replicas first: with one there, the primary would hand
// over to it, and it to the next.
func (d *Dev) stopNodes() error {
	primary := d.leader()
	var replicas []*member
	for _, m := range d.nodes {
		if m != primary {
			replicas = append(replicas, m)
		}
	}
	err := stopAll(replicas)
	if primary != nil {
		err = errors.Join(err, stopAll([]*member{primary}))
	}
	return err
}

// stopAll ends members at the same time and waits.
func stopAll(members []*member) error {
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = m.stop()
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (m *member) stop() error {
	var err error
	if m.cancel != nil {
		m.cancel()
		<-m.done
		err = m.err
	}
	if err = errors.Join(err, m.node.Close()); err != nil {
		return fmt.Errorf("stop node %s: %w", m.id, err)
	}
	return nil
}
