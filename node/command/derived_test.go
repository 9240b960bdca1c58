package command_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// TestRowsCanDescribeRedis makes a row of every command and subcommand of Redis from
// the facts that rows state, and checks that what NewTable derives from them
// is what Redis says: no command needs more than a row can express.
func TestRowsCanDescribeRedis(t *testing.T) {
	addr := testenv.StartRedis(t).Addr
	c := commandtest.Dial(t, addr)
	c.Do("HELLO", "3")
	info, err := commandtest.Parse(c.Do("COMMAND"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := commandtest.Parse(c.Do("COMMAND", "DOCS"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []*command.Command
	for _, v := range info.Elems {
		rows = append(rows, rowOf(t, v, docs))
	}
	if len(rows) < 240 {
		t.Fatalf("only %d commands", len(rows))
	}
	commandtest.CompareRows(t, addr, rows)

	// The positions of keys, as well, of commands to come.
	table := command.NewTable(rows)
	for _, request := range []string{
		"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "ZUNION 2 a b", "SINTERCARD 2 a b LIMIT 1", "LMPOP 2 a b LEFT",
		"XREAD COUNT 1 STREAMS a b 0 0", "XREADGROUP GROUP g c STREAMS a >", "BLPOP a b 0", "LMOVE a b LEFT RIGHT",
		"EVAL s 2 a b c", "EVALSHA s 0", "BITOP AND d a b", "MEMORY USAGE k", "OBJECT FREQ k", "XGROUP CREATE k g 0",
		"GEORADIUS k 1 2 3 m", "PFMERGE a b c", "MSETNX a 1 b 2", "DEL a b", "RESTORE-ASKING k 0 v",
	} {
		args := raw(strings.Fields(request)...)
		cmd, err := table.Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		keys, err := cmd.AppendKeys(nil, args)
		if err != nil {
			t.Errorf("keys of %q: %v", request, err)
		}
		for _, k := range keys {
			got += string(args[k.Index]) + " "
		}
		v, err := commandtest.Parse(c.Do(append([]string{"COMMAND", "GETKEYS"}, strings.Fields(request)...)...))
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, e := range v.Elems {
			want += e.Text + " "
		}
		if got != want {
			t.Errorf("keys of %q: %q, in Redis %q", request, got, want)
		}
	}
}

func rowOf(t *testing.T, v, docs commandtest.Value) *command.Command {
	t.Helper()
	full := v.Elems[0].Text
	container, name, isSub := strings.Cut(full, "|")
	if !isSub {
		name = container
	}
	row := &command.Command{Name: name, Handler: func(*command.Ctx) {}, Arity: integer(t, v.Elems[1])}
	for _, f := range v.Elems[2].Elems {
		for bit := command.Write; bit <= command.AllowBusy; bit <<= 1 {
			if bit != command.MovableKeys && bit.Names()[0] == f.Text {
				row.Flags |= bit
			}
		}
	}
	for _, e := range v.Elems[6].Elems {
		cat, ok := command.CatByName([]byte(strings.TrimPrefix(e.Text, "@")))
		if !ok {
			t.Fatalf("%s: category %s", full, e.Text)
		}
		row.Categories |= cat
	}
	row.Categories &^= command.CatRead | command.CatWrite | command.CatPubSub |
		command.CatFast | command.CatSlow | command.CatBlocking
	if row.Flags&command.Admin != 0 {
		row.Categories &^= command.CatAdmin | command.CatDangerous
	}
	for _, e := range v.Elems[7].Elems {
		row.Tips = append(row.Tips, e.Text)
	}
	for _, e := range v.Elems[8].Elems {
		row.KeySpecs = append(row.KeySpecs, specOf(t, e))
	}
	doc := find(docs, full)
	if isSub {
		doc = find(find(find(docs, container), "subcommands"), full)
	}
	row.Since, row.Group = find(doc, "since").Text, find(doc, "group").Text
	if len(v.Elems[9].Elems) > 0 {
		for _, e := range v.Elems[9].Elems {
			row.Sub = append(row.Sub, rowOf(t, e, docs))
		}
	}
	return row
}

func specOf(t *testing.T, v commandtest.Value) command.KeySpec {
	t.Helper()
	s := command.KeySpec{Notes: find(v, "notes").Text}
	for _, f := range find(v, "flags").Elems {
		for bit := command.KeyRO; bit <= command.KeyVariableFlags; bit <<= 1 {
			if bit.Names()[0] == f.Text {
				s.Flags |= bit
			}
		}
	}
	begin, keys := find(v, "begin_search"), find(v, "find_keys")
	spec := find(begin, "spec")
	switch find(begin, "type").Text {
	case "index":
		s.Index = integer(t, find(spec, "index"))
	case "keyword":
		s.Begin, s.Keyword, s.From = command.BeginKeyword, find(spec, "keyword").Text, integer(t, find(spec, "startfrom"))
	default:
		s.Begin = command.BeginUnknown
	}
	spec = find(keys, "spec")
	switch find(keys, "type").Text {
	case "range":
		s.Last, s.Step, s.Limit = integer(t, find(spec, "lastkey")), integer(t, find(spec, "keystep")), integer(t, find(spec, "limit"))
	case "keynum":
		s.Find, s.Num, s.First, s.Step = command.FindKeyNum, integer(t, find(spec, "keynumidx")), integer(t, find(spec, "firstkey")), integer(t, find(spec, "keystep"))
	default:
		s.Find = command.FindUnknown
	}
	return s
}

// find is a value of a map by its key.
func find(v commandtest.Value, key string) commandtest.Value {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if v.Elems[i].Text == key {
			return v.Elems[i+1]
		}
	}
	return commandtest.Value{}
}

func integer(t *testing.T, v commandtest.Value) int {
	t.Helper()
	n, err := strconv.Atoi(v.Text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
