package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func effects(t testing.TB, payload []byte) (out []string) {
	t.Helper()
	err := EachUnit(payload, func(unit []Effect) error {
		s := ""
		for _, e := range unit {
			s += fmt.Sprintf("[%d %s]", e.DB, bytes.Join(e.Args, []byte(" ")))
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatalf("EachUnit: %v", err)
	}
	return out
}

func unit(db int, args ...string) *Unit {
	u := &Unit{}
	b := make([][]byte, len(args))
	for i, a := range args {
		b[i] = []byte(a)
	}
	u.Add(db, b...)
	return u
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "payload")
		if rapid.Bool().Draw(t, "compressible") {
			payload = bytes.Repeat(append(payload, 'x'), 4)
		}
		p := Position{Seq: rapid.Uint64Max(1<<62).Draw(t, "seq"), Epoch: rapid.Int64Range(0, 1<<40).Draw(t, "epoch"), Chain: rapid.Uint64().Draw(t, "chain")}
		e := p.Next(KindEffects, p.Epoch+1, 1234567, payload)
		if err := p.Check(e); err != nil {
			t.Fatal(err)
		}
		enc := Encode([]byte("before"), e)
		if len(enc) > len("before")+len(payload)+Overhead {
			t.Fatalf("%d bytes encoded for a payload of %d", len(enc), len(payload))
		}
		got, err := Decode(enc[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if got.Position() != e.Position() || got.Prev != e.Prev || got.Time != e.Time || got.Kind != e.Kind || !bytes.Equal(got.Payload, payload) {
			t.Fatalf("got %+v, want %+v", got, e)
		}
		if err := p.Check(got); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	var p Position
	e := p.Next(KindEffects, 7, 1, unit(0, "SET", "k", "v").AppendTo(nil))
	enc := Encode(nil, e)
	for i := range len(enc) * 8 {
		bad := bytes.Clone(enc)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := Decode(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
			t.Fatalf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
	for n := range enc {
		if _, err := Decode(enc[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(enc), err)
		}
	}
}

// A length that no snappy stream of that size can have is refused before memory
// is taken for it.
func TestSnappyLengthIsBounded(t *testing.T) {
	e := Position{}.Next(KindEffects, 1, 1, bytes.Repeat([]byte("a"), 1<<20))
	if enc := Encode(nil, e); len(enc) > 60<<10 {
		t.Fatalf("a megabyte of one letter takes %d bytes", len(enc))
	} else if _, err := Decode(enc); err != nil {
		t.Fatalf("the densest snappy there is: %v", err)
	}
	body := binary.AppendUvarint(nil, MaxPayload)
	bomb := encode(nil, &Entry{Kind: KindEffects}, MaxPayload, body, flagSnappy)
	if n := testing.AllocsPerRun(1, func() { Decode(bomb) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
	if _, err := Decode(bomb); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "claims") {
		t.Errorf("got %v", err)
	}
}

// Invariant 11: what a newer version wrote is refused by name.
func TestNewerFormatIsRefused(t *testing.T) {
	enc := Encode(nil, Position{}.Next(KindEffects, 1, 1, nil))
	enc[3] = formatVersion + 1
	if _, err := Decode(enc); !errors.Is(err, ErrNewerFormat) {
		t.Fatalf("got %v", err)
	}
	enc = Encode(nil, Position{}.Next(Kind(9), 1, 1, nil))
	if _, err := Decode(enc); !errors.Is(err, ErrNewerFormat) {
		t.Fatalf("unknown kind: got %v", err)
	}
}

func TestCheck(t *testing.T) {
	p := Position{Seq: 4, Epoch: 10, Chain: 99}
	good := func() *Entry { return p.Next(KindEffects, 10, 5, []byte("x")) }
	for _, c := range []struct {
		name   string
		change func(*Entry)
		want   error
	}{
		{"as written", func(*Entry) {}, nil},
		{"later seq", func(e *Entry) { e.Seq = 6 }, ErrGap},
		{"earlier seq", func(e *Entry) { e.Seq = 4 }, ErrGap},
		{"older epoch", func(e *Entry) { e.Epoch = 9 }, ErrEpoch},
		{"another history", func(e *Entry) { e.Prev = 98 }, ErrChain},
		{"payload", func(e *Entry) { e.Payload = []byte("y") }, ErrChain},
		{"time", func(e *Entry) { e.Time++ }, ErrChain},
		{"kind", func(e *Entry) { e.Kind = KindEpochOpened }, ErrChain},
		{"newer epoch, same chain", func(e *Entry) { e.Epoch++ }, ErrChain},
		{"not resolved", func(e *Entry) { e.Spill = &Ref{} }, ErrCorrupt},
	} {
		e := good()
		c.change(e)
		if err := p.Check(e); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	u := unit(3, "SET", "a", "")
	u.Add(0, []byte("DEL"), []byte("b"))
	payload := u.AppendTo(nil)
	first := len(payload)
	u.Reset()
	u.Add(1, []byte("FLUSHDB"))
	payload = u.AppendTo(payload)
	got := effects(t, payload)
	if want := []string{"[3 SET a ][0 DEL b]", "[1 FLUSHDB]"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for n := range payload {
		err := EachUnit(payload[:n], func([]Effect) error { return nil })
		if whole := n == 0 || n == first; (err == nil) != whole {
			t.Fatalf("%d of %d bytes (the first unit has %d): %v", n, len(payload), first, err)
		}
	}
}

type objects map[string][]byte

func (o objects) Resolve(_ context.Context, r Ref) ([]byte, error) {
	if b, ok := o[r.Key]; ok {
		return b, nil
	}
	return nil, errors.New("no such object")
}

func TestSpilledEntry(t *testing.T) {
	var p Position
	e := p.Next(KindEffects, 3, 1, unit(0, "SET", "k", "large").AppendTo(nil))
	object := Encode(nil, e)
	ref := NewRef("shards/0000/spills/1", object)
	got, err := Decode(EncodeRef(nil, e, ref))
	if err != nil {
		t.Fatal(err)
	}
	if got.Spill == nil || *got.Spill != ref || got.Payload != nil || got.Position() != e.Position() {
		t.Fatalf("got %+v", got)
	}
	if err := p.Check(got); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("an unresolved entry passed: %v", err)
	}
	full, err := Resolve(t.Context(), got, objects{ref.Key: object})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(full); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(object)
	damaged[60] ^= 1
	if _, err := Resolve(t.Context(), got, objects{ref.Key: damaged}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("damaged object: %v", err)
	}
	other := Encode(nil, full.Position().Next(KindEffects, 3, 1, nil))
	swapped := *got
	r := NewRef(ref.Key, other)
	swapped.Spill = &r
	if _, err := Resolve(t.Context(), &swapped, objects{ref.Key: other}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("another entry's object: %v", err)
	}
	if _, err := Resolve(t.Context(), got, objects{}); err == nil {
		t.Fatal("a missing object gave no error")
	}
}

func FuzzDecode(f *testing.F) {
	e := Position{}.Next(KindEffects, 7, 1, bytes.Repeat([]byte("ab"), 300))
	f.Add(Encode(nil, e))
	f.Add(Encode(nil, e.Position().Next(KindEpochOpened, 8, 2, []byte("node-1"))))
	f.Add(EncodeRef(nil, e, Ref{Key: "shards/0000/spills/1", Size: 9}))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The CRC stops nearly all inputs, so what lies behind it is tried too.
		if len(b) >= headerSize {
			(&Entry{}).decodeBody(b[5], uint32(b[48]), b[headerSize:])
		}
		e, err := Decode(b)
		if err != nil {
			return
		}
		if e.Spill != nil {
			b2 := encode(nil, e, uint32(b[48])|uint32(b[49])<<8|uint32(b[50])<<16|uint32(b[51])<<24, b[headerSize:len(b)-4], flagRef)
			if _, err := Decode(b2); err != nil {
				t.Fatal(err)
			}
			return
		}
		again, err := Decode(Encode(nil, e))
		if err != nil || !bytes.Equal(again.Payload, e.Payload) || again.Position() != e.Position() {
			t.Fatalf("decoded, encoded and decoded again: %v", err)
		}
	})
}

func FuzzEachUnit(f *testing.F) {
	u := unit(0, "SET", "k", "v")
	u.Add(2, []byte("DEL"), []byte("x"))
	f.Add(u.AppendTo(nil))
	f.Add([]byte{1, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		err := EachUnit(b, func(effects []Effect) error {
			var u Unit
			for _, e := range effects {
				u.Add(e.DB, e.Args...)
			}
			again = u.AppendTo(again)
			return nil
		})
		if err == nil && len(again) > len(b) {
			t.Fatalf("%x read as %x", b, again)
		}
	})
}
