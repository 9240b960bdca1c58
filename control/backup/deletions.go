package backup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Object storage knows nothing of who is elected, and a control plane may stand still for
// any time at any moment, to go on while a successor works on the same names. So that
// none of its deletions meets what came later:
//
//   - What is to be deleted is listed first. Then, before each request, when it is signed
//     already, etcd is asked whether this control plane is the elected one
//     (s3segments.Config.BeforeDelete). If so, what was listed is what was meant.
//   - From there on the request may be held up. Services refuse one that is dated more
//     than 15 minutes off their time, so it can have an effect for strayLife at most.
//   - Before its first deletion a control plane notes in etcd, under its fence, what it is
//     about to delete. The same names are used again (a cluster of that name can be made,
//     a snapshot) when no note of an earlier control plane is left, or strayLife after
//     this one was elected: the earlier ones had their last go-ahead before.
//
// A note is left only by those that were replaced, or died, in the middle. Taken on trust
// is that a service does not carry out a request after its sender has given it up and a
// second one for the same objects has been answered.
const deletions = "/redoubt-control/deletions/" // <cluster>/<what>/<create revision of the elected one's key>

// strayLife is how long a signed request may have an effect: its date may be 15 minutes
// ahead of the service's clock when it is made, and 15 minutes behind when it arrives.
const strayLife = 31 * time.Minute

// everything is what is noted for all of a cluster, snapshotNote for one snapshot.
const everything = "all"

func snapshotNote(name string) string { return "snapshots/" + name }

// errStray: a request of an earlier control plane may be on its way.
var errStray = errors.New("an earlier control plane was replaced while it deleted this, and a request of it may be on its way")

// holds is asked before each request that deletes objects.
func (w *Worker) holds(ctx context.Context) error { return w.cfg.Fence.Check(ctx, w.cfg.Etcd) }

// fenced does something in etcd if this control plane is the elected one.
func (w *Worker) fenced(ctx context.Context, ops ...clientv3.Op) (*clientv3.TxnResponse, error) {
	resp, err := w.cfg.Etcd.Txn(ctx).If(w.cfg.Fence.Holds()).Then(ops...).Commit()
	if err == nil && !resp.Succeeded {
		err = w.cfg.Fence.Lost()
	}
	return resp, err
}

func notes(cluster, what string) string { return deletions + cluster + "/" + what + "/" }

func (w *Worker) term() string { return strconv.FormatInt(w.cfg.Fence.CreateRevision, 10) }

// note says what is going to be deleted.
func (w *Worker) note(ctx context.Context, cluster, what string) error {
	if _, err := w.fenced(ctx, clientv3.OpPut(notes(cluster, what)+w.term(), "")); err != nil {
		return fmt.Errorf("note the deletion of %s of %s: %w", what, cluster, err)
	}
	return nil
}

// settled fails with errStray while a deletion of an earlier control plane below a prefix
// of notes may still happen.
func (w *Worker) settled(ctx context.Context, prefix string) error {
	resp, err := w.fenced(ctx, clientv3.OpGet(prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly()))
	if err != nil {
		return fmt.Errorf("look for deletions under way: %w", err)
	}
	wait := strayLife - time.Since(w.elected)
	if wait <= 0 {
		return nil
	}
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		if !strings.HasSuffix(string(kv.Key), "/"+w.term()) {
			return fmt.Errorf("%w: waits until %s UTC", errStray, time.Now().Add(wait).UTC().Format(time.TimeOnly))
		}
	}
	return nil
}

// finish takes back this control plane's note, and those of others if they are settled.
func (w *Worker) finish(ctx context.Context, cluster, what string) error {
	gone := clientv3.OpDelete(notes(cluster, what), clientv3.WithPrefix())
	switch err := w.settled(ctx, notes(cluster, what)); {
	case errors.Is(err, errStray):
		gone = clientv3.OpDelete(notes(cluster, what) + w.term())
	case err != nil:
		return err
	}
	if _, err := w.fenced(ctx, gone); err != nil {
		return fmt.Errorf("end the deletion of %s of %s: %w", what, cluster, err)
	}
	return nil
}
