package rdb

import (
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// TestLoadLeavesNoGarbage: what was loaded takes no more memory outside of Go's heap than
// what was written key by key.
func TestLoadLeavesNoGarbage(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	for i := range 100_000 {
		ks.DB(0).SetStringExpireAt(fmt.Append(nil, i), []byte("v"), int64(i), keyspace.FormAuto)
		ks.Reclaim()
	}
	loaded, _, err := load(save(t, ks))
	if err != nil {
		t.Fatal(err)
	}
	was, is := ks.ArenaStats(), loaded.ArenaStats()
	if is.Active > was.Active+was.Active/50 {
		t.Errorf("loaded: %+v, written: %+v", is, was)
	}
	if loaded.DB(0).Expires() != 100_000 {
		t.Errorf("%d keys of 100000 expire", loaded.DB(0).Expires())
	}
}
