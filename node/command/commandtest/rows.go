package commandtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
)

// CompareRows compares every row with what the redis-server at addr says of that
// command in COMMAND INFO, and with version and group in COMMAND DOCS. Each
// difference fails the test, as does a command that Redis does not have.
func CompareRows(t testenv.TB, addr string, rows []*command.Command) {
	t.Helper()
	table := command.NewTable(rows)
	about := command.NewTable(command.Introspection(func() *command.Table { return table }))
	c := Dial(t, addr)
	c.Do("HELLO", "3")
	for _, cmd := range rows {
		want := c.Do("COMMAND", "INFO", cmd.Name)
		got := ask(t, about, "COMMAND", "INFO", cmd.Name)
		compare(t, cmd.Name, "COMMAND INFO", want, got, func(v Value) Value { return v })

		want = c.Do("COMMAND", "DOCS", cmd.Name)
		got = ask(t, about, "COMMAND", "DOCS", cmd.Name)
		compare(t, cmd.Name, "COMMAND DOCS", want, got, versionAndGroup)
	}
}

// ask runs a command that needs no data, in RESP3.
func ask(t testenv.TB, table *command.Table, args ...string) []byte {
	t.Helper()
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	cmd, err := table.Lookup(raw)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	out := &resp.Writer{Proto: 3}
	cmd.Handler(&command.Ctx{Args: raw, Cmd: cmd, Out: out})
	return out.B
}

func compare(t testenv.TB, name, what string, want, got []byte, part func(Value) Value) {
	t.Helper()
	w, err := Parse(want)
	if err != nil {
		t.Fatalf("%s of %s from redis: %v", what, name, err)
	}
	g, err := Parse(got)
	if err != nil {
		t.Fatalf("%s of %s: %v", what, name, err)
	}
	if w, g := describe(part(w)), describe(part(g)); w != g {
		t.Errorf("%s of %s differs\nredis:   %s\nredoubt: %s", what, name, w, g)
	}
}

// versionAndGroup keeps, of COMMAND DOCS, what rows have.
func versionAndGroup(v Value) Value {
	out := Value{Type: v.Type}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		switch key, val := v.Elems[i], v.Elems[i+1]; {
		case val.Type == '%':
			out.Elems = append(out.Elems, key, versionAndGroup(val))
		case key.Text == "since" || key.Text == "group":
			out.Elems = append(out.Elems, key, val)
		}
	}
	return out
}

// describe writes a value down so that equal ones are equal strings: sets, maps
// and lists of subcommands have no order.
func describe(v Value) string {
	if v.Null {
		return "null"
	}
	switch v.Type {
	case '*', '~', '%':
	default:
		return fmt.Sprintf("%c%q", v.Type, v.Text)
	}
	step := 1
	if v.Type == '%' {
		step = 2
	}
	var items []string
	for i := 0; i < len(v.Elems); i += step {
		item := describe(v.Elems[i])
		if step == 2 {
			item += "=" + describe(v.Elems[i+1])
		}
		items = append(items, item)
	}
	if v.Type != '*' || listOfCommands(v) {
		slices.Sort(items)
	}
	return string(v.Type) + "{" + strings.Join(items, " ") + "}"
}

func listOfCommands(v Value) bool {
	return len(v.Elems) > 0 && v.Elems[0].Type == '*' && len(v.Elems[0].Elems) == 10
}
