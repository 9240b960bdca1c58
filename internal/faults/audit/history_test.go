package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// set is the payload of an entry with one unit of SETs.
func set(pairs ...string) []byte {
	var u wal.Unit
	for i := 0; i < len(pairs); i += 2 {
		u.Add(0, []byte("SET"), []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return u.AppendTo(nil)
}

func opening(p wal.Position, epoch int64, node string) *wal.Entry {
	return p.Next(wal.KindEpochOpened, epoch, 1, []byte(node))
}

func effects(p wal.Position, payload []byte) *wal.Entry {
	return p.Next(wal.KindEffects, p.Epoch, 1, payload)
}

func (h *history) mustAdd(t *testing.T, e *wal.Entry) {
	t.Helper()
	if err := h.add(e, int64(e.Seq)); err != nil {
		t.Fatal(err)
	}
}

func TestHistory(t *testing.T) {
	h := newHistory()
	empty := h.digest()
	h.mustAdd(t, opening(h.pos, 5, "a"))
	h.mustAdd(t, effects(h.pos, set("k", "1", "l", "2")))
	two := h.pos
	h.mustAdd(t, effects(h.pos, set("k", "3")))
	h.mustAdd(t, opening(h.pos, 9, "b"))
	h.mustAdd(t, opening(h.pos, 12, "a")) // b wrote nothing
	want := "[{5 a 1 1} {9 b 4 4} {12 a 5 5}]"
	if got := fmt.Sprint(h.epochs); got != want {
		t.Errorf("epochs %s, want %s", got, want)
	}
	if h.effects != 3 || h.pos.Seq != 5 || h.bytes != int64(3+len(set("k", "1", "l", "2"))+len(set("k", "3"))) {
		t.Errorf("%d effects, %d bytes at %v", h.effects, h.bytes, h.pos)
	}
	if p, ok := h.at(2); !ok || p != two {
		t.Errorf("entry 2 was %v, is remembered as %v", two, p)
	}
	for seq, want := range map[uint64]wal.Position{0: {}, 5: h.pos} {
		if p, ok := h.at(seq); !ok || p != want {
			t.Errorf("entry %d is remembered as %v %v, want %v", seq, p, ok, want)
		}
	}
	if _, ok := h.at(6); ok {
		t.Error("knows an entry that has not come")
	}

	other := newHistory()
	other.mustAdd(t, opening(other.pos, 5, "a"))
	other.mustAdd(t, effects(other.pos, set("l", "2", "k", "3")))
	if h.digest() != other.digest() || h.digest() == empty {
		t.Errorf("digests %s and %s of the same data, %s of none", h.digest(), other.digest(), empty)
	}
	other.mustAdd(t, effects(other.pos, set("l", "2 ")))
	if err := SameDigest(map[string]string{"node-0": h.digest(), "node-1": other.digest()}); err == nil {
		t.Error("one effect more, and the digest is the same")
	}
}

func TestHistoryRefuses(t *testing.T) {
	h := newHistory()
	h.mustAdd(t, opening(h.pos, 5, "a"))
	h.mustAdd(t, effects(h.pos, set("k", "1")))
	at := h.pos
	changed := effects(at, set("k", "2"))
	changed.Payload = set("k", "3")
	for _, c := range []struct {
		name string
		e    *wal.Entry
		want string
	}{
		{"an entry left out", effects(wal.Position{Seq: at.Seq + 1, Epoch: 5, Chain: at.Chain}, set("k", "2")), "gap"},
		{"an entry again", effects(wal.Position{Seq: at.Seq - 1, Epoch: 5, Chain: at.Chain}, set("k", "2")), "gap"},
		{"of another history", effects(wal.Position{Seq: at.Seq, Epoch: 5, Chain: at.Chain + 1}, set("k", "2")), "checksum"},
		{"changed on the way", changed, "checksum"},
		{"of an older epoch", at.Next(wal.KindEffects, 4, 1, set("k", "2")), "epoch went back"},
		{"a new epoch without its opening", at.Next(wal.KindEffects, 6, 1, set("k", "2")), "does not open it"},
		{"an epoch opened twice", opening(at, 5, "a"), "a second time"},
		{"an epoch opened for nobody", opening(at, 6, ""), "for nobody"},
		{"no units", effects(at, []byte{0}), "malformed unit"},
		{"an effect that fails", effects(at, func() []byte {
			var u wal.Unit
			u.Add(0, []byte("HSET"), []byte("k"), []byte("f"), []byte("v"))
			return u.AppendTo(nil)
		}()), "WRONGTYPE"},
		{"an effect that is a read", effects(at, func() []byte {
			var u wal.Unit
			u.Add(0, []byte("GET"), []byte("k"))
			return u.AppendTo(nil)
		}()), "no change"},
	} {
		err := h.add(c.e, 1)
		var f *finding
		if !errors.As(err, &f) || f.check != checkLog || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if h.pos != at {
			t.Fatalf("%s: went on to %v", c.name, h.pos)
		}
	}
}

func TestJudge(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("after seq 1: %w", err) }
	for _, c := range []struct {
		err  error
		want outcome
	}{
		{nil, goOn},
		{wrap(found(checkLog, "x")), over},
		{wrap(wal.ErrChain), over},
		{wrap(wal.ErrCorrupt), over},
		{wrap(wal.ErrGap), over},
		{wrap(wal.ErrEpoch), over},
		{wrap(wal.ErrNewerFormat), over},
		{wrap(etcdfence.ErrDiverged), over},
		{wrap(&s3segments.DamagedError{Key: "k", Err: wal.ErrCorrupt}), over},
		{wrap(&s3segments.MissingError{From: 1, To: 2}), holes},
		{wrap(&s3segments.DamagedError{Key: "k", Err: s3segments.ErrNotFound}), tryAgain},
		{wrap(etcdfence.ErrNotInitialized), tryAgain},
		{errors.New("connection refused"), tryAgain},
	} {
		if got := judge(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
