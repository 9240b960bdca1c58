package commandtest

import (
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
)

// CompareSubcommands compares the subcommands of a container one by one with what
// the redis-server at addr says of them in COMMAND INFO, for containers that have
// not all of Redis's subcommands. Those in newer are of a later Redis than the
// server and are not compared.
func CompareSubcommands(t testenv.TB, addr string, container *command.Command, newer ...string) {
	t.Helper()
	table := command.NewTable([]*command.Command{container})
	about := command.NewTable(command.Introspection(func() *command.Table { return table }))
	c := Dial(t, addr)
	c.Do("HELLO", "3")
	skip := map[string]bool{}
	for _, name := range newer {
		skip[name] = true
	}
	for _, sub := range container.Sub {
		if skip[sub.Name] {
			continue
		}
		want := c.Do("COMMAND", "INFO", sub.FullName())
		got := ask(t, about, "COMMAND", "INFO", sub.FullName())
		compare(t, sub.FullName(), "COMMAND INFO", want, got, func(v Value) Value { return v })
	}
}
