package agent

import (
	"log/slog"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/wal"
)

// Only the lease of the process that has ended is ended: it has the node's name and
// its address.
func TestSettle(t *testing.T) {
	cli := testenv.StartEtcd(t, 1, testenv.EtcdOptions{}).Client(t)
	shard := etcdfence.Open(cli, "c", 1, etcdfence.Options{LeaseTTL: time.Minute})
	must(t, shard.Initialize(t.Context(), etcdfence.Sealed{}))
	term, err := shard.Campaign(t.Context(), etcdfence.Candidate{NodeID: "n1", Address: "10.0.0.7:6379", AZ: "a"}, wal.Position{})
	must(t, err)
	defer term.Close()
	settle := func(address string, a fleet.Assignment) bool {
		t.Helper()
		must(t, leaders{cli: cli, site: site{Address: address}, log: slog.New(slog.DiscardHandler)}.Settle(t.Context(), a))
		st, err := shard.State(t.Context())
		must(t, err)
		return st.Leader == nil
	}
	dead := fleet.Assignment{Cluster: "c", Shard: 1, Node: "n1", Port: 6379}
	for name, change := range map[string]func(*fleet.Assignment){
		"another node":    func(a *fleet.Assignment) { a.Node = "n2" },
		"another port":    func(a *fleet.Assignment) { a.Port = 6380 },
		"another shard":   func(a *fleet.Assignment) { a.Shard = 2 },
		"another cluster": func(a *fleet.Assignment) { a.Cluster = "d" },
		"unknown":         func(a *fleet.Assignment) { *a = fleet.Assignment{} },
	} {
		a := dead
		change(&a)
		if settle("10.0.0.7", a) {
			t.Fatalf("%s has ended, and the leader's lease with it", name)
		}
	}
	if settle("10.0.0.8", dead) {
		t.Fatal("a node of this name has ended on another host, and the leader's lease with it")
	}
	if !settle("10.0.0.7", dead) {
		t.Fatal("the lease is left")
	}
}
