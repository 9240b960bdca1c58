package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	requestTimeout = 2 * time.Second
	// silence is how long nothing may come from a watch before another takes its
	// place: one on a member that hangs looks like one of a quiet shard.
	silence = 2 * time.Second
	// pageKeys is how many keys are read at once. Their values may be large.
	pageKeys = 64
)

var errSilent = errors.New("audit: nothing came from the watch")

// watchKeys judges every revision of the shard's keys until ctx ends. A watch
// that breaks is taken up after the last revision seen; only when etcd was
// compacted past it is the state read anew.
func (a *Auditor) watchKeys(ctx context.Context) {
	h := newHead(a.prefix, a.o.HeadLimit)
	var b backoff
	for fresh := true; ctx.Err() == nil; {
		from := h.rev
		err := error(nil)
		if fresh {
			err = a.readKeys(ctx, h)
		}
		if err == nil {
			fresh = false
			err = a.watchFrom(ctx, h)
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			fresh = true
		}
		if h.rev != from {
			b.reset()
		}
		if !errors.Is(err, errSilent) && !a.failed(ctx, &b, err) {
			return
		}
	}
}

// readKeys takes over the shard's keys as they are at one revision.
func (a *Auditor) readKeys(ctx context.Context, h *head) error {
	var kvs []*mvccpb.KeyValue
	rev := int64(0) // the newest at first
	end := clientv3.GetPrefixRangeEnd(a.prefix)
	for from := a.prefix; ; {
		resp, err := a.get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(pageKeys), clientv3.WithRev(rev))
		if err != nil {
			return fmt.Errorf("read the shard's keys: %w", err)
		}
		if rev == 0 {
			rev = resp.Header.Revision
		}
		kvs = append(kvs, resp.Kvs...)
		if !resp.More {
			break
		}
		from = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
	a.saw(h, h.reset(rev, kvs))
	return nil
}

// watchFrom judges what happens after the last revision seen.
func (a *Auditor) watchFrom(ctx context.Context, h *head) error {
	wctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	ch := a.keysConn.Watch(wctx, a.prefix, clientv3.WithPrefix(), clientv3.WithRev(h.rev+1), clientv3.WithFragment())
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case resp, ok := <-ch:
			if !ok {
				return errors.New("audit: the watch ended")
			}
			if err := resp.Err(); err != nil {
				return fmt.Errorf("watch the shard's keys: %w", err)
			}
			a.saw(h, h.apply(resp.Events))
			timer.Reset(silence)
		case <-timer.C:
			return errSilent
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// saw reports what was found and tells how far the keys were judged.
func (a *Auditor) saw(h *head, all []*finding) {
	a.report(all...)
	moves := h.takeMoves()
	a.change(func() {
		a.keysRev, a.most, a.tail = h.rev, h.most, h.tail
		a.seals = append(a.seals, moves...)
	})
}

// newestRevision is when any of the shard's keys last changed.
func (a *Auditor) newestRevision(ctx context.Context) (int64, error) {
	var b backoff
	for {
		resp, err := a.get(ctx, a.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(),
			clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend), clientv3.WithLimit(1))
		if err == nil && len(resp.Kvs) == 0 {
			return 0, nil
		}
		if err == nil {
			return resp.Kvs[0].ModRevision, nil
		}
		if ctx.Err() != nil || !a.failed(ctx, &b, err) {
			return 0, context.Cause(ctx)
		}
	}
}

func (a *Auditor) get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return a.keysConn.Get(ctx, key, opts...)
}
