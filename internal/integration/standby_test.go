package integration

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/testenv"
)

// scales: the control plane that changes the number of replicas is killed while it does.
func (l *life) scales() {
	for try := 1; !l.losesItsControlPlane(func(s *lifeSpec) { s.Replicas = 2 }); try++ {
		if try == 3 {
			l.t.Fatal("the change was always done before its control plane was killed")
		}
		l.apply(func(s *lifeSpec) { s.Replicas = 0 })
		l.tf.asks(l.hosts, l.standby)
	}
	l.apply(func(s *lifeSpec) { s.Replicas = 0 })
}

// losesItsControlPlane kills the elected control plane while it carries out a change that
// Terraform has asked the standby for, and reports whether that was not done by then. The
// standby does the rest, and Terraform notices nothing.
func (l *life) losesItsControlPlane(change func(*lifeSpec)) bool {
	t := l.t
	t.Helper()
	l.ask(change)
	apply := l.beginsToApply()
	l.elected.proc.Kill()
	killed, left := time.Now(), l.newest()
	if code := apply.Wait(3 * time.Minute); code != 0 {
		t.Fatalf("an apply whose control plane was killed: exit code %d\n%s", code, apply.Log())
	}
	if op := l.newest(); op.ID != left.ID || op.State != wire.Done {
		t.Errorf("after the apply the newest operation is %+v, it was %+v", op, left)
	}
	t.Logf("%s was killed when the change was %s; %s took over, and the apply ended after %v",
		l.elected.id, left.State, l.standby.id, time.Since(killed).Round(100*time.Millisecond))
	l.elected.proc.Restart()
	l.elected, l.standby = l.standby, l.elected
	l.awaitElected(l.elected)
	l.settled()
	return !left.State.Ended()
}

// awaitElected waits until a control plane is the elected one.
func (l *life) awaitElected(p *controlPlane) {
	l.t.Helper()
	cli := l.hosts.etcd.Client(l.t)
	testenv.Eventually(l.t, time.Minute, p.id+" to be elected", func(ctx context.Context) error {
		got, err := cli.Get(ctx, "/redoubt-control/leader/", clientv3.WithFirstCreate()...)
		if err == nil && (len(got.Kvs) == 0 || string(got.Kvs[0].Value) != p.id) {
			err = fmt.Errorf("the first in the election is %v", got.Kvs)
		}
		return err
	})
}
