//go:build broken

package etcdfence

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// An append that a deposed primary sends late replaces its successor's entry, and
// that it knows by now does not keep it.
func TestBrokenPlainAppend(t *testing.T) {
	t.Cleanup(broken.Use(broken.PlainAppend))
	e := newEnv(t)
	s := e.init(Sealed{})
	old := e.campaign(s, "a", wal.Position{})
	pos := e.append(old, "one")
	late := next(old, "late")
	e.ok(s.RevokeLeader(e.ctx(), "a"))
	successor := e.campaign(e.open(), "b", pos)
	e.append(successor, "two")
	e.wantLog("1:one", "2:two")
	old.lose(ErrLeaseLost)
	e.ok(old.Append(e.ctx(), late))
	e.wantLog("1:one", "2:late")
}

// The answer of the grant, and then of a renewal, is long on its way; the time that
// takes is not taken off the lease.
func TestBrokenLeaseFromAnswer(t *testing.T) {
	t.Cleanup(broken.Use(broken.LeaseFromAnswer))
	e := newEnv(t)
	e.opts.LeaseTTL = time.Second
	e.opts.DriftMargin = 100 * time.Millisecond
	f := newFaults(t, e.cli)
	e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	f.grant = func() { clock.advance(10 * time.Second) }
	delayed := false
	f.onRenew(func(send func() (*clientv3.LeaseKeepAliveResponse, error)) (*clientv3.LeaseKeepAliveResponse, error) {
		resp, err := send()
		if !delayed {
			clock.advance(300 * time.Millisecond)
			delayed = true
		}
		return resp, err
	})
	term := e.campaign(e.openWith(f.cli), "a", wal.Position{})
	if left := term.LeaseLeft(); left != 900*time.Millisecond {
		t.Fatalf("after the grant: %v left", left)
	}
	start := clock.Now()
	testenv.Eventually(t, 10*time.Second, "the renewal to count from its answer", func(context.Context) error {
		if left := term.LeaseLeft(); clock.Now() == start || left != 900*time.Millisecond {
			return fmt.Errorf("%v left", left)
		}
		return nil
	})
}

// A primary whose lease ran out long ago answers, until etcd fences it.
func TestBrokenLeaseIgnored(t *testing.T) {
	t.Cleanup(broken.Use(broken.LeaseIgnored))
	e := newEnv(t)
	s := e.init(Sealed{})
	clock := newFakeClock()
	e.opts.Now = clock.Now
	term := e.campaign(e.open(), "a", wal.Position{})
	pos := e.append(term, "one")
	clock.advance(10 * longLease)
	if !term.Valid() || term.Err() != nil {
		t.Fatalf("valid %v, %v", term.Valid(), term.Err())
	}
	e.ok(s.RevokeLeader(e.ctx(), "a"))
	e.append(e.campaign(s, "b", pos), "two")
	if !term.Valid() {
		t.Fatal("not valid although nobody told it")
	}
	e.isErr(term.Append(e.ctx(), next(term, "other two")), wal.ErrFenced)
	e.wantLog("1:one", "2:two")
	lostWithin(t, term, time.Second)
}

func TestBrokenUnboundedHead(t *testing.T) {
	t.Cleanup(broken.Use(broken.UnboundedHead))
	e := newEnv(t)
	e.opts.HeadLimit = 1000
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	for range 10 {
		e.append(term, strings.Repeat("x", 200)) // too small to be compressed
	}
	if got := e.storedBytes(s); got <= 2000 || term.HeadBytes() != got {
		t.Fatalf("etcd holds %d bytes, the term counts %d", got, term.HeadBytes())
	}
}
