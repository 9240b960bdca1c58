package nemesis

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// peerLinks are the connections between one member of etcd and some others.
func (e *Env) peerLinks(member int, others ...int) links {
	var l links
	for _, other := range others {
		l = append(l, e.C.Etcd.PeerLink(member, other), e.C.Etcd.PeerLink(other, member))
	}
	return l
}

// membersBut are all members of etcd but one.
func (e *Env) membersBut(member int) []int {
	var others []int
	for i := range e.C.Etcd.Endpoints() {
		if i != member {
			others = append(others, i)
		}
	}
	return others
}

// parting is how members of etcd are kept from each other, and what becomes of
// what they said meanwhile.
type parting struct {
	silent bool // packets are dropped; false: connections are reset
	late   bool // what was dropped arrives in the end, as TCP repeats it
}

// drawParting draws one of all ways.
func (e *Env) drawParting() parting { return parting{silent: e.coin(), late: e.coin()} }

func (p parting) String() string {
	if !p.silent {
		return "reset all connections"
	}
	return fmt.Sprintf("drop all packets (arriving later: %v)", p.late)
}

// begin breaks the links.
func (p parting) begin(l links) {
	if p.silent {
		l.drop(testenv.Up, testenv.Down)
	} else {
		l.cut()
	}
}

// end heals them.
func (p parting) end(l links) {
	if !p.late {
		l.reset()
	}
	l.heal()
}

// longerOrShorter draws for how long a part of etcd stays away once the rest does
// without it: for less than the lease, or more.
func (e *Env) longerOrShorter() time.Duration {
	short, long := e.lease(0, 0.25), e.scaled(e.lease(1.1, 1.4))
	if e.coin() {
		return long
	}
	return short
}

// isolateEtcdLeader leaves etcd's leader alone, while all nodes reach it: until it
// finds out, it takes itself for the leader.
func isolateEtcdLeader(ctx context.Context, e *Env) error {
	how, longer := e.drawParting(), e.longerOrShorter()
	i, err := e.etcdMember(ctx, true)
	if err != nil {
		return err
	}
	l := e.peerLinks(i, e.membersBut(i)...)
	defer func() { how.end(l) }()
	e.logf("%v between %s, the leader, and the others", how, memberName(i))
	e.record.hit("")
	how.begin(l)
	if err := e.awaitEtcdWithout(ctx, i); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// isolateEtcdFollower: the member answers nothing that needs the others, and what
// watches there hears nothing.
func isolateEtcdFollower(ctx context.Context, e *Env) error {
	how, longer := e.drawParting(), e.longerOrShorter()
	i, err := e.etcdMember(ctx, false)
	if err != nil {
		return err
	}
	l := e.peerLinks(i, e.membersBut(i)...)
	defer func() { how.end(l) }()
	e.logf("%v between %s, a follower, and the others", how, memberName(i))
	e.record.hit("")
	how.begin(l)
	if err := e.awaitProgress(ctx); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// splitWithEtcdLeader has the primary on the side of an isolated leader of etcd,
// which is all that it reaches: nothing that it hears there may count as a quorum's
// word.
func splitWithEtcdLeader(ctx context.Context, e *Env) error {
	how, longer := e.drawParting(), e.lease(0, 0.5)
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	i, err := e.etcdMember(ctx, true)
	if err != nil {
		return err
	}
	others := e.membersBut(i)
	l := e.peerLinks(i, others...)
	for _, other := range others {
		l = append(l, p.Etcd[other])
	}
	defer func() { how.end(l) }()
	e.logf("%v between %s with %s, the leader, and the other members", how, p.ID, memberName(i))
	e.record.hit(p.ID)
	how.begin(l)
	if _, err := e.takeover(ctx, p); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// cutEtcdPair keeps two members from each other, one of them the leader, while the
// third hears both: the follower must not unseat a leader that the others hear.
func cutEtcdPair(ctx context.Context, e *Env) error {
	how, longer := e.drawParting(), e.longerOrShorter()
	draw := e.Rand.IntN(len(e.C.Etcd.Endpoints()) - 1)
	i, err := e.etcdMember(ctx, true)
	if err != nil {
		return err
	}
	other := e.membersBut(i)[draw]
	l := e.peerLinks(i, other)
	defer func() { how.end(l) }()
	e.logf("%v between %s, the leader, and %s", how, memberName(i), memberName(other))
	e.record.hit("")
	how.begin(l)
	if err := e.awaitProgress(ctx); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// dropEtcdPeers: all members live and hear nodes, and none hears another one. Nobody
// may answer for the shard for longer than the lease.
func dropEtcdPeers(ctx context.Context, e *Env) error {
	how, d := parting{silent: true, late: e.coin()}, e.scaled(e.lease(1.1, 1.4))
	l := links(e.C.Etcd.PeerLinks())
	defer func() { how.end(l) }()
	e.logf("%v between all members of etcd for %v", how, d)
	e.record.hit("")
	how.begin(l)
	return pause(ctx, d)
}

// deafEtcdLeader: the leader's messages are stored by the others and it never learns
// of that. What it was asked to append happens without an answer to who asked.
func deafEtcdLeader(ctx context.Context, e *Env) error {
	return e.dropOneWay(ctx, "drop what the other members say to %s, the leader (arriving later: %v)",
		func(leader, other int) { e.C.Etcd.DropPeer(other, leader) })
}

// muteEtcdLeader: the others elect a new leader and the old one hears of it.
func muteEtcdLeader(ctx context.Context, e *Env) error {
	return e.dropOneWay(ctx, "drop what %s, the leader, says to the other members (arriving later: %v)",
		func(leader, other int) { e.C.Etcd.DropPeer(leader, other) })
}

func (e *Env) dropOneWay(ctx context.Context, how string, drop func(leader, other int)) error {
	end, longer := parting{silent: true, late: e.coin()}, e.longerOrShorter()
	i, err := e.etcdMember(ctx, true)
	if err != nil {
		return err
	}
	others := e.membersBut(i)
	l := e.peerLinks(i, others...)
	defer func() { end.end(l) }()
	e.logf(how, memberName(i), end.late)
	e.record.hit("")
	for _, other := range others {
		drop(i, other)
	}
	if err := e.awaitEtcdWithout(ctx, i); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// slowEtcdPeers: every entry takes two ways longer to reach a quorum, as between
// distant data centres.
func slowEtcdPeers(ctx context.Context, e *Env) error {
	l, delay := links(e.C.Etcd.PeerLinks()), e.between(10*time.Millisecond, 60*time.Millisecond)
	defer l.heal()
	e.logf("etcd's members are %v further apart each way", delay)
	l.delay(testenv.Up, delay)
	l.delay(testenv.Down, delay)
	e.record.hit("")
	return pause(ctx, e.scaled(e.lease(1.5, 2)))
}

// awaitEtcdWithout waits until etcd has another leader than the one that it lost,
// and the shard goes on with it.
func (e *Env) awaitEtcdWithout(ctx context.Context, lost int) error {
	if err := e.awaitNewLeader(ctx, lost); err != nil {
		return err
	}
	return e.awaitProgress(ctx)
}

// awaitProgress waits until the shard takes a write while the fault lasts: there is
// a majority of etcd, and all nodes reach it.
func (e *Env) awaitProgress(ctx context.Context) error {
	began := time.Now()
	err := e.await(ctx, "a write is taken", func(ctx context.Context) error {
		return e.doOnPrimary(ctx, "SET", keyPrefix+"parted", e.name)
	})
	if err == nil {
		e.logf("a write was taken after %v", time.Since(began).Round(time.Millisecond))
	}
	return err
}
