//go:build broken

package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/broken"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/wal"
)

// The same effects, applied at another time, give another state.
func TestBrokenRelativeExpiry(t *testing.T) {
	t.Cleanup(broken.Use(broken.RelativeExpiry))
	s := newSubject(t, 1, testNow, 2)
	var log []byte
	for _, c := range []struct{ request, effects string }{
		{"SET k v PX 5000", "SET k v PX 5000"},
		{"SETEX l 5 v", "SET l v PX 5000"},
		{"EXPIRE k 7", "PEXPIRE k 7000"},
		{"GETEX l EX 9", "PEXPIRE l 9000"},
	} {
		s.do(raw(strings.Fields(c.request)...))
		if got := s.effects(); got != c.effects {
			t.Errorf("%s: effects %q, want %q", c.request, got, c.effects)
		}
		log = s.unit.AppendTo(log)
	}
	replay := func() keyspace.Digest {
		ks := keyspace.New(limits)
		if err := wal.EachUnit(log, command.NewReplayer(s.table, ks, nil).Apply); err != nil {
			t.Fatal(err)
		}
		if ref, ok := ks.DB(0).Lookup([]byte("k")); !ok || ref.ExpireAt() < time.Now().UnixMilli() {
			t.Fatal("the expiry is not counted from the replay")
		}
		return ks.Digest()
	}
	first, start := replay(), time.Now().UnixMilli()
	for time.Now().UnixMilli() == start {
	}
	if second := replay(); second == first {
		t.Fatal("a later replay gives the same state")
	}
}
