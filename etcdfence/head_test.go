package etcdfence

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/redoubtdb/redoubt/wal"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestReadHead(t *testing.T) {
	eachClient(t, func(t *testing.T, cli *clientv3.Client) {
		e := newEnvWith(t, cli)
		s := e.init(Sealed{})
		term := e.campaign(s, "a", wal.Position{})
		var cut wal.Position
		for i := range 100 {
			pos := e.append(term, fmt.Sprint(i))
			if i == 9 {
				cut = pos
			}
		}
		s.tune.pageBytes = 1000 // several pages
		read := func(from, to uint64) ([]uint64, error) {
			var seqs []uint64
			err := s.ReadHead(e.ctx(), from, to, func(x *wal.Entry, stored int) error {
				seqs = append(seqs, x.Seq)
				if want := s.k.entrySize(len(wal.Encode(nil, x))); int64(stored) != want {
					t.Errorf("entry %d takes %d bytes, want %d", x.Seq, stored, want)
				}
				return nil
			})
			return seqs, err
		}
		for _, c := range []struct{ from, to, n uint64 }{
			{1, 100, 100}, {1, math.MaxUint64, 100}, {40, 60, 21}, {100, 100, 1}, {101, 200, 0}, {7, 6, 0},
		} {
			seqs, err := read(c.from, c.to)
			e.ok(err)
			if uint64(len(seqs)) != c.n || c.n > 0 && (seqs[0] != c.from || seqs[c.n-1] != c.from+c.n-1) {
				t.Errorf("%d..%d gave %v", c.from, c.to, seqs)
			}
		}
		if _, err := read(0, 5); err == nil {
			t.Error("entry 0 does not exist")
		}
		e.trim(term, cut)
		_, err := read(10, 20)
		e.isErr(err, ErrTrimmed)
		if seqs, err := read(11, math.MaxUint64); err != nil || len(seqs) != 90 {
			t.Fatalf("got %v, %v", seqs, err)
		}

		// The head moves on while it is read.
		err = s.ReadHead(e.ctx(), 11, math.MaxUint64, func(x *wal.Entry, _ int) error {
			if x.Seq == 11 {
				e.trim(term, term.Tail())
			}
			return nil
		})
		e.isErr(err, ErrTrimmed)

		enough := errors.New("enough")
		e.append(term, "more")
		if err := s.ReadHead(e.ctx(), 101, 101, func(*wal.Entry, int) error { return enough }); err != enough {
			t.Fatalf("the callback's error came back as %v", err)
		}
	})
}

func TestReadHeadRefusesDamage(t *testing.T) {
	e := newEnv(t)
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	e.append(term, "one", "two", "three")
	readFrom := func(seq uint64) error {
		return s.ReadHead(e.ctx(), seq, 9, func(*wal.Entry, int) error { return nil })
	}
	read := func() error { return readFrom(1) }
	put := func(seq uint64, entry *wal.Entry) {
		_, err := e.cli.Put(e.ctx(), s.k.entry(seq), string(wal.Encode(nil, entry)))
		e.ok(err)
	}
	put(2, wal.Position{Seq: 1, Chain: 5}.Next(wal.KindEffects, term.Epoch(), 0, nil))
	e.isErr(read(), wal.ErrChain)
	put(2, wal.Position{Seq: 2}.Next(wal.KindEffects, term.Epoch(), 0, nil))
	e.isErr(read(), wal.ErrCorrupt)
	_, err := e.cli.Delete(e.ctx(), s.k.entry(2))
	e.ok(err)
	e.isErr(read(), wal.ErrGap)
	e.isErr(readFrom(2), wal.ErrGap)
}

// HeadBytes reads what this Shard has not met, and only that.
func TestHeadBytes(t *testing.T) {
	e := newEnv(t)
	e.init(Sealed{})
	term := e.campaign(e.open(), "a", wal.Position{})
	s := e.open()
	check := func() {
		t.Helper()
		got, err := s.HeadBytes(e.ctx())
		e.ok(err)
		if want := e.storedBytes(s); got != want || got != term.HeadBytes() {
			t.Fatalf("got %d, etcd holds %d, the term counts %d", got, want, term.HeadBytes())
		}
	}
	check()
	one := e.append(term, "one")
	check()
	for i := range 50 {
		e.append(term, fmt.Sprint(i))
	}
	check()
	e.trim(term, one)
	check()
	e.trim(term, e.append(term, "last"))
	check()
	e.append(term, "after")
	check()
}

// A node that was the leader knows the sizes of what it appended itself: a campaign
// soon after its term reads the ballot and nothing of the head.
func TestCampaignAfterOwnTermDoesNotMeasureTheHead(t *testing.T) {
	e := newEnv(t)
	var reads atomic.Int32
	e.opts.Metrics = observer{request: func(op string, err error) {
		if op == "read" && err == nil {
			reads.Add(1)
		}
	}}
	s := e.init(Sealed{})
	term := e.campaign(s, "a", wal.Position{})
	first := e.append(term, "one", "two", "three")
	e.append(term, "four", "five")
	e.trim(term, first)
	e.ok(term.Resign(e.ctx()))

	reads.Store(0)
	again := e.campaign(s, "a", term.Tail())
	if n := reads.Load(); n > 1 {
		t.Errorf("the campaign read %d times", n)
	}
	if got, want := again.HeadBytes(), e.storedBytes(s); got != want {
		t.Errorf("the head has %d bytes, the term counts %d", want, got)
	}
	e.append(again, "six")
	if got, want := again.HeadBytes(), e.storedBytes(s); got != want {
		t.Errorf("after an append the head has %d bytes, the term counts %d", want, got)
	}
}
