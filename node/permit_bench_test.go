package node

import (
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// BenchmarkPermit is what access control adds to a command: nothing to speak of for a user
// that may do everything.
func BenchmarkPermit(b *testing.B) {
	e := newEngine(Table(), keyspace.New(keyspace.Config{}))
	args := [][]byte{[]byte("GET"), []byte("user:1000")}
	cmd, err := e.table.Lookup(args)
	if err != nil {
		b.Fatal(err)
	}
	for _, rules := range []string{"~* &* +@all", "~user:* &* +@all", "~a:* ~b:* (~user:* +@read)"} {
		b.Run(rules, func(b *testing.B) {
			u, err := e.users.grammar.ParseRules("u", "on nopass "+rules)
			if err != nil {
				b.Fatal(err)
			}
			e.users.put(u)
			c := &conn{srv: &server{engine: e}}
			c.account = e.users.all["u"]
			b.ReportAllocs()
			for b.Loop() {
				if err := c.permit(cmd, args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
