package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Servers are killed and stopped under the Auditor, and started again.
func TestAuditorSurvivesOutages(t *testing.T) {
	s := startServers(t)
	w := s.newWorld(t)
	w.create().watch()
	write := func() {
		t.Helper()
		for i := range 10 {
			w.set(fmt.Sprint("k", i), fmt.Sprint(w.pos.Seq))
		}
	}
	write()

	w.etcd.Kill(0)
	write()
	w.caughtUp()
	w.etcd.Restart(0)
	w.etcd.WaitReady(0)
	hung := w.etcd.Leader()
	w.etcd.Stop(hung)
	w.set("k", "while a member hangs")
	w.caughtUp()
	w.etcd.Cont(hung)
	w.etcd.WaitReady(hung)

	// Nothing answers; when etcd is back, what happened first is trimmed and
	// compacted before the Auditor comes to it, or is not: both must do.
	for i := range 3 {
		w.etcd.Kill(i)
	}
	w.s3.Kill()
	for i := range 3 {
		w.etcd.Restart(i)
	}
	for i := range 3 {
		w.etcd.WaitReady(i)
	}
	write()
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	w.ok(w.auditor.CatchUp(ctx, w.pos.Seq)) // S3 is not needed for it
	w.s3.Restart()
	w.seal()
	st, err := w.shard.State(w.ctx)
	w.ok(err)
	_, err = w.cli.Compact(w.ctx, st.Revision, clientv3.WithCompactPhysical())
	w.ok(err)
	write()
	w.caughtUp()

	w.s3.Stop()
	write()
	w.caughtUp()
	w.s3.Cont()
	w.seal()
	w.caughtUp()
	w.clean()
}

// An Auditor whose S3 is away cannot begin, says so, and begins when it is back.
func TestAuditorWaitsForS3(t *testing.T) {
	s := startServers(t)
	w := s.newWorld(t)
	w.create()
	w.set("k", "1")
	w.seal()
	w.set("k", "2")
	w.s3.Kill()
	w.watch()
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	err := w.auditor.CatchUp(ctx, w.pos.Seq)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("catch up without S3: %v", err)
	}
	w.s3.Restart()
	w.caughtUp()
	w.clean()
}

func TestSupervise(t *testing.T) {
	const every = time.Millisecond
	a := &Auditor{history: newHistory(), tail: 1}
	ctx, cancel := context.WithCancelCause(t.Context())
	a.supervise(ctx, every, cancel)
	if err := context.Cause(ctx); err != errStalled {
		t.Errorf("stands still before the end of the log: %v", err)
	}

	// At the end of the log there is nothing to wait for.
	a.history.mustAdd(t, opening(a.history.pos, 1, "a"))
	ctx, cancel = context.WithCancelCause(t.Context())
	timer := time.AfterFunc(50*every, func() { cancel(nil) })
	defer timer.Stop()
	a.supervise(ctx, every, cancel)
	if err := context.Cause(ctx); err != context.Canceled {
		t.Errorf("gave up at the end of the log: %v", err)
	}
}
