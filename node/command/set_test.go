package command

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

// setOf makes a keyspace with one set, under the key s.
func setOf(t *testing.T, n int) (*keyspace.Keyspace, *keyspace.Set) {
	t.Helper()
	ks := keyspace.New(keyspace.Config{})
	s, err := ks.DB(0).SetForWrite([]byte("s"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s.Add(fmt.Appendf(nil, "member:%d", i))
	}
	return ks, s
}

func TestEndlessDraw(t *testing.T) {
	ks, s := setOf(t, 1)
	for count, want := range map[int64]string{
		-2:             "*2\r\n$8\r\nmember:0\r\n$8\r\nmember:0\r\n",
		-math.MaxInt64: "-" + string(ErrReplyTooBig) + "\r\n",
	} {
		c := Ctx{KS: ks, Out: &resp.Writer{B: []byte("+before\r\n")}}
		randomMembers(&c, s, count, 1000)
		if got := string(c.Out.B); got != "+before\r\n"+want {
			t.Errorf("%d members: %q", count, got)
		}
	}
}

// TestPopsThatCannotBeAnswered: what the client cannot get stays in the set.
func TestPopsThatCannotBeAnswered(t *testing.T) {
	for _, n := range []int{50, 1000} {
		for _, count := range []int64{40, int64(n) - 1, int64(n)} {
			for name, limits := range map[string]struct{ pop, reply int }{"of itself": {100, 0}, "for the client": {MaxString, 300}} {
				if name == "of itself" && count == int64(n) {
					continue // its effect is a DEL, of any size
				}
				ks, s := setOf(t, n)
				before := ks.Digest()
				c := Ctx{KS: ks, Args: bytesOf("SPOP s x"), Out: &resp.Writer{Limit: limits.reply}, Unit: &wal.Unit{}}
				popMembers(&c, s, count, limits.pop)
				if !c.Unit.Empty() || ks.Digest() != before {
					t.Errorf("%d of %d, too many %s: the set has %d", count, n, name, s.Len())
				}
				if refused := string(c.Out.B) == "-"+string(ErrReplyTooBig)+"\r\n"; refused != (name == "of itself") || c.Out.Over == refused {
					t.Errorf("%d of %d, too many %s: answered %.100q", count, n, name, c.Out.B)
				}
			}
		}
	}
}

// TestPopEffects: the effects of SPOP with a count are bounded each, and name what was
// answered.
func TestPopEffects(t *testing.T) {
	for _, count := range []int{1, popBatch - 1, popBatch, popBatch + 1, 2999} {
		ks, s := setOf(t, 3000)
		c := Ctx{KS: ks, Args: bytesOf("SPOP s x"), Out: &resp.Writer{}, Unit: &wal.Unit{}, Rand: rand.New(rand.NewPCG(1, 2))}
		popMembers(&c, s, int64(count), MaxString)
		var answer resp.Writer
		answer.Set(count)
		err := wal.EachUnit(c.Unit.AppendTo(nil), func(effects []wal.Effect) error {
			for _, e := range effects {
				if string(e.Args[0]) != "SREM" || string(e.Args[1]) != "s" || len(e.Args) > 2+popBatch {
					t.Errorf("%d popped: effect %.50q", count, e.Args)
				}
				for _, m := range e.Args[2:] {
					answer.Bulk(m)
				}
			}
			if want := (count + popBatch - 1) / popBatch; len(effects) != want {
				t.Errorf("%d popped: %d effects, want %d", count, len(effects), want)
			}
			return nil
		})
		if err != nil || string(answer.B) != string(c.Out.B) || s.Len() != 3000-count {
			t.Errorf("%d popped: the effects are not the reply's members; %d left, error %v", count, s.Len(), err)
		}
	}
}

func TestSetReplies(t *testing.T) {
	for request, want := range map[string]string{
		"SMEMBERS s":      "~2 a b",
		"SMEMBERS none":   "~0",
		"SINTER s":        "~2 a b",
		"SINTER s none":   "~0",
		"SUNION s none":   "~2 a b",
		"SDIFF s s":       "~0",
		"SPOP none 1":     "~0",
		"SPOP s 2":        "~2 a b",
		"SPOP none":       "_",
		"SRANDMEMBER s 2": "*2 a b",
		"SMISMEMBER s a":  "*1 :1",
	} {
		ks := keyspace.New(keyspace.Config{})
		s, err := ks.DB(0).SetForWrite([]byte("s"))
		if err != nil {
			t.Fatal(err)
		}
		s.AddAll(bytesOf("a b"))
		args := bytesOf(request)
		cmd, err := NewTable(setRows()).Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		out := &resp.Writer{Proto: 3}
		cmd.Handler(&Ctx{KS: ks, Args: args, Cmd: cmd, Out: out, Unit: &wal.Unit{}})
		got := strings.NewReplacer("\r\n$1\r\n", " ", "\r\n:", " :", "\r\n", "").Replace(string(out.B))
		if got != want {
			t.Errorf("%q answers %q, want %q", request, got, want)
		}
	}
}
