package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// campaign attacks one node: by every family of attackers alone, and by all of
// them together.
type campaign struct {
	t     testenv.TB
	n     *node
	total time.Duration
	seed  uint64
	sum   summary
}

// runCampaign attacks for about total and fails t when the node does what it
// must not. Behind a failure the rest would say nothing, so it ends there.
func runCampaign(ctx context.Context, t testenv.TB, total time.Duration, seed uint64) {
	files, err := openFiles()
	if err != nil {
		t.Fatalf("%v", err)
	}
	clients, err := clientsFor(files)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c := &campaign{t: t, n: startNode(ctx, t, clients), total: total, seed: seed}
	c.sum.atStart = c.n.resident()
	t.Logf("seed %d, %v, maxclients %d", seed, total, clients)
	c.crowd(ctx)
	for _, f := range Families() {
		c.attack(ctx, string(f), Of(f), total/time.Duration(2*len(Families())+2), 0)
	}
	c.attack(ctx, "all together", All(), total/2, clients/2)
	c.restart(ctx)
	if ctx.Err() == nil && !t.Failed() {
		t.Logf("%v", &c.sum)
	}
}

// over reports whether nothing more is to be done.
func (c *campaign) over(ctx context.Context) bool { return ctx.Err() != nil || c.t.Failed() }

// whileGoodWork has the good clients work while f runs.
func (c *campaign) whileGoodWork(ctx context.Context, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	worked := make(chan struct{})
	go func() { defer close(worked); c.n.good.Run(ctx) }()
	defer func() { cancel(); <-worked }()
	f(ctx)
}

// crowd fills the node to maxclients with connections that say nothing: one more
// is told so, and the good clients notice nothing.
func (c *campaign) crowd(ctx context.Context) {
	before := c.n.settle(math.MaxInt64)
	c.n.good.Served()
	h := c.hand()
	c.whileGoodWork(ctx, func(ctx context.Context) {
		crowd := h.Gather(ctx, c.n.clients-goodClients-1)
		defer crowd.Close()
		err := testenv.Await(ctx, "the node is full", func(ctx context.Context) error {
			info, err := ReadInfo(ctx, c.n.db)
			if err == nil && info.Number("connected_clients") != int64(c.n.clients) {
				err = fmt.Errorf("%s clients are connected", info["connected_clients"])
			}
			return err
		})
		for i := 0; i < 100 && err == nil; i++ {
			err = h.TurnedAway(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.t.Errorf("%v", err)
		}
		c.t.Logf("crowd: %d connections that say nothing; resident %s", len(crowd), MiB(c.n.resident()))
	})
	c.sum.connections += h.tally.Connections.Load()
	if c.over(ctx) {
		return
	}
	c.judgeGood("crowd")
	c.n.settle(before.Number("used_memory") + restSlack)
}

func (c *campaign) hand() *Hand {
	return &Hand{Rand: rand.New(rand.NewPCG(c.seed, 0)), target: c.n.Target, tally: &Tally{}, budget: &budget{}}
}

// attack has attackers at the node for d, beside a crowd that says nothing and
// good clients that work, and judges memory and answers.
func (c *campaign) attack(ctx context.Context, name string, attackers []Attacker, d time.Duration, crowd int) {
	if c.over(ctx) {
		return
	}
	before, base := c.n.settle(math.MaxInt64), c.n.resident()
	c.n.good.Served()
	monitor := Watch(c.n.proc.PID())
	defer monitor.Stop()
	var tally Tally
	started := usage{}.read(c)
	c.whileGoodWork(ctx, func(ctx context.Context) {
		h := c.hand()
		silent := h.Gather(ctx, crowd)
		defer silent.Close()
		tally.Connections.Add(h.tally.Connections.Load())
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		for _, err := range Run(ctx, c.n.Target, attackers, c.seed, &tally) {
			c.t.Errorf("%s: %v", name, err)
		}
	})
	used := usage{}.read(c).minus(started)
	if ctx.Err() != nil {
		return
	}
	c.judgeGood(name)
	most, err := monitor.Stop()
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	c.judgeMemory(name, base, most)
	c.afterwards(ctx, name, before)
	c.sum.connections += tally.Connections.Load()
	c.t.Logf("%s: attackers made %v; %v", name, &tally, used)
	debug.FreeOSMemory() // of this process, which runs beside the node
}

// judgeGood fails the campaign unless all that good clients asked since the last
// time was answered, rightly, each time after a bounded amount of other work.
func (c *campaign) judgeGood(phase string) Served {
	served := c.n.good.Served()
	c.t.Logf("%s: good clients got %v", phase, served)
	if served.Fewest == 0 {
		c.t.Errorf("%s: a good client got no answer", phase)
	}
	if served.MostWork > mostWork {
		c.t.Errorf("%s: the node worked for %v before a good client had its turn, want at most %v", phase, served.MostWork, mostWork)
	}
	for _, err := range c.n.good.Problems() {
		c.t.Errorf("%s: %v", phase, err)
	}
	c.sum.add(served)
	return served
}

func (c *campaign) judgeMemory(phase string, base, most int64) {
	bound := base + memoryBound(c.n.clients)
	c.t.Logf("%s: resident at rest %s, at most %s; bound %s", phase, MiB(base), MiB(most), MiB(bound))
	if most > bound {
		c.t.Errorf("%s: the node took %s, want at most %s", phase, MiB(most), MiB(bound))
	}
	if most > c.sum.most {
		c.sum.most, c.sum.bound = most, bound
	}
}

// afterwards checks what an attack has left: nothing, and a node that answers
// promptly again.
func (c *campaign) afterwards(ctx context.Context, phase string, before Info) {
	after := c.n.settle(before.Number("used_memory") + restSlack)
	c.sum.commands = after.Number("total_commands_processed")
	c.sum.evicted, c.sum.errors = after.Number("evicted_clients"), after.Number("total_error_replies")
	if got, want := after["terms_won"], before["terms_won"]; got != want {
		c.t.Errorf("%s: terms_won went from %s to %s: the attack cost the node its lease", phase, want, got)
	}
	const requests = 300
	c.n.good.Ask(ctx, requests/goodClients)
	if served := c.judgeGood(phase + ", afterwards"); served.P50 > promptly {
		c.t.Errorf("%s: good clients got their answers after %v when the attack was over, want %v at most", phase, served.P50, promptly)
	}
}

// restart checks that what good clients wrote is there after a restart, and
// that the log tells all that attackers stored as it was in memory.
func (c *campaign) restart(ctx context.Context) {
	if c.over(ctx) {
		return
	}
	before := c.n.digest(ctx)
	if code := c.n.proc.Terminate(soon); code != 0 {
		c.t.Errorf("the node ended with code %d", code)
	}
	c.n.proc.Restart()
	c.n.waitPrimary()
	if after := c.n.digest(ctx); after != before {
		c.t.Errorf("after a restart the digest is %s, was %s", after, before)
	}
	if err := c.n.good.Verify(ctx, c.n.db); err != nil {
		c.t.Errorf("after a restart: %v", err)
	}
}
