package rdb

import (
	"bytes"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// TestStreamThatWentBack: XSETID may go back to the last entry that is left, behind
// entries that were deleted; lower IDs than theirs then follow in their block.
func TestStreamThatWentBack(t *testing.T) {
	id := func(ms uint64) keyspace.StreamID { return keyspace.StreamID{MS: ms} }
	for _, blockEntries := range []int{100, 3} { // new entries in the same block, and in another
		ks := keyspace.New(keyspace.Config{StreamNodeMaxEntries: blockEntries})
		s := ks.NewStream()
		ks.DB(0).SetObject([]byte("s"), s)
		add := func(ms uint64) {
			if err := s.Add(id(ms), [][]byte{[]byte("f"), []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
		add(19)
		add(22)
		add(23)
		s.Delete(id(22))
		s.Delete(id(23))
		s.SetLastID(id(20))
		check := func(want ...uint64) {
			t.Helper()
			var up, down []uint64
			s.Range(id(0), keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool { up = append(up, e.ID.MS); return true })
			s.RangeDown(keyspace.MaxStreamID, id(0), func(e *keyspace.StreamEntry) bool { down = append([]uint64{e.ID.MS}, down...); return true })
			for i, ms := range want {
				if len(up) != len(want) || len(down) != len(want) || up[i] != ms || down[i] != ms || !s.Has(id(ms)) {
					t.Fatalf("up %v, down %v, want %v", up, down, want)
				}
			}
			back := keyspace.New(keyspace.Config{})
			if _, err := Load(bytes.NewReader(save(t, ks)), back, LoadOptions{Size: -1}); err != nil || back.Digest() != ks.Digest() {
				t.Fatalf("saved and loaded: %v, %v", back.Digest() == ks.Digest(), err)
			}
		}
		check(19)
		add(21)
		add(22)
		check(19, 21, 22)
		if !s.Delete(id(21)) {
			t.Error("21 cannot be deleted")
		}
		check(19, 22)
		add(24)
		check(19, 22, 24)
	}
}
