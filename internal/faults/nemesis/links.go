package nemesis

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// links are proxies that are broken together.
type links []*testenv.Proxy

func (l links) each(fn func(*testenv.Proxy)) {
	for _, p := range l {
		fn(p)
	}
}

func (l links) cut()   { l.each((*testenv.Proxy).Cut) }
func (l links) reset() { l.each((*testenv.Proxy).Reset) }
func (l links) heal()  { l.each((*testenv.Proxy).Heal) }

func (l links) drop(dirs ...testenv.Direction) {
	for _, dir := range dirs {
		l.each(func(p *testenv.Proxy) { p.Blackhole(dir) })
	}
}

func (l links) delay(dir testenv.Direction, d time.Duration) {
	l.each(func(p *testenv.Proxy) { p.Delay(dir, d) })
}

// held is how many bytes of a flow wait in the proxies.
func (l links) held(dir testenv.Direction) int64 {
	var n int64
	l.each(func(p *testenv.Proxy) { n += p.Held(dir) })
	return n
}

// etcdLinks are those of all nodes.
func (e *Env) etcdLinks() links {
	var l links
	for _, n := range e.C.Nodes {
		l = append(l, n.Etcd...)
	}
	return l
}

func slowEtcd(ctx context.Context, e *Env) error {
	l, delay := e.etcdLinks(), e.between(20*time.Millisecond, 80*time.Millisecond)
	defer l.heal()
	e.logf("etcd is %v slower each way", delay)
	l.delay(testenv.Up, delay)
	l.delay(testenv.Down, delay)
	e.record.hit("")
	return pause(ctx, e.scaled(e.lease(1.5, 2)))
}

func cutPrimaryFromEtcd(ctx context.Context, e *Env) error {
	return e.isolatePrimary(ctx, "reset all connections between %s and etcd", links.cut)
}

func dropPrimaryFromEtcd(ctx context.Context, e *Env) error {
	return e.isolatePrimary(ctx, "drop all packets between %s and etcd", func(l links) { l.drop(testenv.Up, testenv.Down) })
}

// isolatePrimary keeps the primary from etcd until another one has taken a write
// and a while longer. Clients still reach the old one.
func (e *Env) isolatePrimary(ctx context.Context, how string, fault func(links)) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	longer, l := e.lease(0, 0.5), links(p.Etcd)
	defer func() {
		e.logf("%s reaches etcd again", p.ID)
		l.heal()
	}()
	e.logf(how, p.ID)
	e.record.hit(p.ID)
	fault(l)
	if _, err := e.takeover(ctx, p); err != nil {
		return err
	}
	return pause(ctx, longer)
}

func replicaCutFromEtcd(ctx context.Context, e *Env) error {
	n, err := e.claimReplica(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	d, l := e.lease(0.5, 1.2), links(n.Etcd)
	defer l.heal()
	e.record.hit(n.ID)
	if e.coin() {
		e.logf("reset all connections between %s and etcd for %v", n.ID, d)
		l.cut()
	} else {
		e.logf("drop all packets between %s and etcd for %v", n.ID, d)
		l.drop(testenv.Up, testenv.Down)
	}
	return pause(ctx, d)
}

// lostAnswers loses what etcd says to the primary, several times and each time
// for less than the lease, so that it has to find out what became of its appends.
func lostAnswers(ctx context.Context, e *Env) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	l := links(p.Etcd)
	defer l.heal()
	e.record.hit(p.ID)
	for range 3 {
		lost, between := e.lease(0.05, 0.3), e.lease(0.1, 0.3)
		e.logf("lose etcd's answers to %s for %v", p.ID, lost)
		l.drop(testenv.Down)
		if err := pause(ctx, lost); err != nil {
			return err
		}
		l.reset()
		l.heal()
		if err := pause(ctx, between); err != nil {
			return err
		}
	}
	return nil
}

// slowAnswers first delays the answers to renewals by almost as much as the
// primary waits for one, so that each extends the lease from long ago. Then no
// request gets through any more, while the answer to the last one is still on its
// way: who counts the lease from the answer, and not from before the request,
// thinks that it lasts longer than etcd does.
func slowAnswers(ctx context.Context, e *Env) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	l := links(p.Etcd)
	defer l.heal()
	delay, slow, longer := e.renewalTimeout()*9/10, e.lease(1.2, 1.8), e.lease(0, 0.3)
	e.logf("etcd's answers to %s come %v late", p.ID, delay)
	e.record.hit(p.ID)
	l.delay(testenv.Down, delay)
	if err := pause(ctx, slow); err != nil {
		return err
	}
	e.logf("%s is not heard by etcd any more", p.ID)
	l.drop(testenv.Up)
	if err := pause(ctx, delay+delay/4); err != nil {
		return err
	}
	e.logf("%s does not hear from etcd any more", p.ID)
	l.drop(testenv.Down)
	if _, err := e.takeover(ctx, p); err != nil {
		return err
	}
	return pause(ctx, longer)
}

// renewalTimeout is how long a primary waits for the answer to a renewal, and from
// one renewal to the next.
func (e *Env) renewalTimeout() time.Duration { return (e.Lease / 3).Truncate(time.Millisecond) }

func cutClients(ctx context.Context, e *Env) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	d := e.lease(0.1, 0.5)
	defer p.Client.Heal()
	e.logf("reset all clients' connections to %s for %v", p.ID, d)
	e.record.hit(p.ID)
	p.Client.Cut()
	return pause(ctx, d)
}

// dropClients loses requests, answers or both. When it is over, what was on its
// way arrives after all, long after its sender gave up, or is lost for good.
func dropClients(ctx context.Context, e *Env) error {
	p, err := e.claimPrimary(ctx)
	if err != nil {
		return err
	}
	defer p.release()
	what, dirs := "requests", []testenv.Direction{testenv.Up}
	switch e.Rand.IntN(3) {
	case 1:
		what, dirs = "replies", []testenv.Direction{testenv.Down}
	case 2:
		what, dirs = "requests and replies", []testenv.Direction{testenv.Up, testenv.Down}
	}
	d, late := e.lease(0.2, 0.7), e.coin()
	l := links{p.Client}
	defer l.heal()
	e.logf("drop %s between clients and %s for %v (arriving later: %v)", what, p.ID, d, late)
	e.record.hit(p.ID)
	l.drop(dirs...)
	if err := pause(ctx, d); err != nil {
		return err
	}
	if !late {
		l.reset()
	}
	return nil
}
