package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/etcdpick"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/wal"
)

// TestMemberWithoutLeader: of a client's requests a third goes to a member of etcd
// that hears none of the others any more. It keeps what it is asked until time is
// up, so that it must not be asked that way; everything a term consists of goes on.
func TestMemberWithoutLeader(t *testing.T) {
	const (
		terms, appends = 4, 10
		lease          = 8 * time.Second  // a request that hangs takes 2 s of it
		allowed        = 15 * time.Second // for some 60 requests, of which 20 would hang
	)
	etcd := testenv.StartEtcd(t, 3, testenv.EtcdOptions{PeerLinks: true})
	shard := etcdfence.Open(etcd.Client(t), "parts", 0, etcdfence.Options{LeaseTTL: lease})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, shard.Initialize(ctx, etcdfence.Sealed{}))
	followers, err := etcd.Followers(ctx)
	must(t, err)
	alone := followers[0]
	for other := range etcd.Endpoints() {
		if other != alone {
			etcd.DropPeer(other, alone)
			etcd.DropPeer(alone, other)
		}
	}
	own := etcd.Client(t, etcd.Endpoints()[alone])
	testenv.Eventually(t, 30*time.Second, "the member has lost its leader", func(ctx context.Context) error {
		st, err := own.Status(ctx, etcd.Endpoints()[alone])
		if err == nil && st.Leader != 0 {
			err = errors.New("it still has one")
		}
		return err
	})

	began := time.Now()
	var applied wal.Position
	for range terms {
		term, err := shard.Campaign(ctx, etcdfence.Candidate{NodeID: "n", Address: "n:1"}, applied)
		must(t, err)
		for i := range appends {
			must(t, term.Append(ctx, term.Tail().Next(wal.KindEffects, term.Epoch(), 1, fmt.Append(nil, i))))
		}
		applied = term.Tail()
		must(t, term.Resign(ctx))
	}
	if took := time.Since(began); took > allowed {
		t.Errorf("%d terms with %d appends each took %v", terms, appends, took)
	}
	// The member would have kept them.
	hctx, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if _, err := own.Get(hctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a member without a leader answers a read: %v", err)
	}
	if _, err := own.Get(clientv3.WithRequireLeader(ctx), "k"); err == nil {
		t.Error("a member without a leader answers a read that requires one")
	}
}

// TestMemberThatIsNotHeard: a member of etcd hears all of the others, which hear
// nothing of it. It knows of a leader, takes every request and never answers, so
// that it has to be left out by who asks.
func TestMemberThatIsNotHeard(t *testing.T) {
	const (
		requests = 300
		timeout  = 500 * time.Millisecond
		allowed  = 8 // one at each trial; in turn it would be 100
	)
	etcd := testenv.StartEtcd(t, 3, testenv.EtcdOptions{PeerLinks: true})
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: etcd.Endpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop(), DialOptions: etcdpick.DialOptions(),
	})
	must(t, err)
	defer cli.Close()
	mute := etcd.Leader()
	for other := range etcd.Endpoints() {
		if other != mute {
			etcd.DropPeer(mute, other)
		}
	}
	own := etcd.Client(t, etcd.Endpoints()[mute])
	before, err := own.Status(t.Context(), etcd.Endpoints()[mute])
	must(t, err)
	testenv.Eventually(t, 30*time.Second, "the member has heard of another leader", func(ctx context.Context) error {
		st, err := own.Status(ctx, etcd.Endpoints()[mute])
		if err == nil && (st.Leader == 0 || st.Leader == before.Leader) {
			err = errors.New("not yet")
		}
		return err
	})

	put := func(i int) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := cli.Put(clientv3.WithRequireLeader(ctx), "k", fmt.Sprint(i))
		return err
	}
	failed := 0
	for i := range requests {
		if err := put(i); err != nil {
			failed++
			t.Logf("request %d: %v", i, err)
		}
	}
	if failed == 0 || failed > allowed {
		t.Errorf("%d of %d requests failed, want 1 to %d", failed, requests, allowed)
	}

	for _, l := range etcd.PeerLinks() {
		l.Heal()
	}
	testenv.Eventually(t, 30*time.Second, "a hundred requests are answered and the member follows", func(ctx context.Context) error {
		was, err := appliedBy(ctx, own, "k")
		if err != nil {
			return err
		}
		for i := range 100 {
			if err := put(i); err != nil {
				return err
			}
		}
		now, err := appliedBy(ctx, own, "k")
		if err == nil && now <= was {
			err = errors.New("the member does not follow")
		}
		return err
	})
}

// appliedBy is the version of a key as the client's only member answers it.
func appliedBy(ctx context.Context, cli *clientv3.Client, key string) (int64, error) {
	resp, err := cli.Get(clientv3.WithRequireLeader(ctx), key)
	if err != nil || len(resp.Kvs) == 0 {
		return 0, errors.Join(err, errors.New("no such key"))
	}
	return resp.Kvs[0].Version, nil
}
