package command_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

// execute runs a request in a context of its own.
func execute(t testing.TB, table *command.Table, c *command.Ctx, args ...[]byte) string {
	t.Helper()
	cmd, err := table.Lookup(args)
	if err != nil {
		t.Fatal(err)
	}
	c.Out = &resp.Writer{}
	c.Args, c.Cmd = args, cmd
	cmd.Handler(c)
	return string(c.Out.B)
}

// FuzzRestore: no dump makes RESTORE panic, take memory out of proportion or leave
// anything behind that it did not accept; what it accepts can be dumped and restored
// again, and its effect does the same.
func FuzzRestore(f *testing.F) {
	f.Add([]byte("\x00\x05value"))
	f.Add([]byte("\x00\xc3\x04\x15\x01aa\xe0\x0a\x00"))
	f.Add([]byte("\x04\x02\x01f\x01v\x01g\xc1\x00\x01"))
	f.Add([]byte("\x10\x0d\x0d\x00\x00\x00\x02\x00\x81f\x02\x01\x01\xff"))
	f.Add([]byte("\x0d\x10\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01f\x03\xf2\xff"))
	f.Add([]byte("\x09\x07\x01\x01f\x01\x00v\xff"))
	f.Add([]byte("\x04\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x0b\x0a\x02\x00\x00\x00\x01\x00\x00\x00\x07\x00"))
	f.Add([]byte("\x12\x01\x02\x0b\x0b\x00\x00\x00\x01\x00\x81a\x02\xff"))
	f.Add([]byte("\x11\x0e\x0e\x00\x00\x00\x02\x00\x81m\x02\x01\x01\xff"))
	table := newTable()
	f.Fuzz(func(t *testing.T, body []byte) {
		dump := footed(10, string(body))
		c := &command.Ctx{KS: keyspace.New(limits), Now: testNow, Unit: &wal.Unit{}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reply := execute(t, table, c, []byte("RESTORE"), []byte("k"), []byte("0"), dump)
		runtime.ReadMemStats(&after)
		// A copy of three bytes unpacks to 264.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+300*len(body)); used > most {
			t.Fatalf("%d bytes allocated for a dump of %d", used, len(body))
		}
		if reply != "+OK\r\n" {
			if reply != "-ERR Bad data format\r\n" && reply != "-ERR DUMP payload version or checksum are wrong\r\n" {
				t.Fatalf("reply %q", reply)
			}
			if c.KS.Len() != 0 || !c.Unit.Empty() || c.KS.MemoryUsed() != keyspace.New(limits).MemoryUsed() {
				t.Fatalf("%q left something behind", reply)
			}
			return
		}
		again, _ := strings.CutPrefix(execute(t, table, c, []byte("DUMP"), []byte("k")), "$")
		_, again, _ = strings.Cut(again, "\r\n")
		digest := c.KS.Digest()
		replica := keyspace.New(limits)
		if err := wal.EachUnit(c.Unit.AppendTo(nil), command.NewReplayer(table, replica, nil).Apply); err != nil {
			t.Fatal(err)
		}
		if replica.Digest() != digest {
			t.Fatal("the effect makes something else")
		}
		reply = execute(t, table, c, []byte("RESTORE"), []byte("k"), []byte("0"), []byte(again[:len(again)-2]), []byte("REPLACE"))
		if reply != "+OK\r\n" || c.KS.Digest() != digest {
			t.Fatalf("its own dump %q makes something else: %q", again, reply)
		}
	})
}

func TestRestoreChangesNothingInVain(t *testing.T) {
	good, bad := string(footed(10, "\x00\x05value")), string(footed(10, "\x00\x3fvalue"))
	for _, r := range [][]string{
		{"RESTORE", "k", "0", good},
		{"RESTORE", "k", "0", bad, "REPLACE"},
		{"RESTORE", "k", "-1", good, "REPLACE"},
		{"RESTORE", "k", "0", good[1:], "REPLACE"},
		{"RESTORE", "k", "0", good, "REPLACE", "IDLETIME", "1", "FREQ", "1"},
		{"RESTORE", "k", "0", good, "REPLACE", "FREQ", "256"},
	} {
		s := newSubject(t, 1, testNow, 2)
		s.do(raw("SET", "k", "old"))
		before := s.ks.Digest()
		reply, _ := s.do(raw(r...))
		if reply[0] != '-' || s.ks.Digest() != before || !s.unit.Empty() {
			t.Errorf("%q: reply %q, effects %q", r, reply, s.effects())
		}
	}
}

func TestRestoreEffects(t *testing.T) {
	dump := string(footed(10, "\x00\x05value"))
	for _, c := range []struct {
		setup, request []string
		want           string
	}{
		{nil, []string{"RESTORE", "k", "0", dump}, "0"},
		{nil, []string{"RESTORE", "k", "5", dump}, "1700000000005"},
		{nil, []string{"RESTORE", "k", "1800000000000", dump, "ABSTTL", "IDLETIME", "5"}, "1800000000000"},
		{[]string{"SET", "k", "v"}, []string{"RESTORE", "k", "5", dump, "REPLACE"}, "1700000000005"},
		{[]string{"SET", "k", "v"}, []string{"RESTORE", "k", "1", dump, "REPLACE", "ABSTTL"}, "DEL k"},
		{nil, []string{"RESTORE", "k", "1", dump, "ABSTTL"}, ""},
		{nil, []string{"RESTORE", "k", "9223372036854775807", dump}, ""},
	} {
		s := newSubject(t, 1, testNow, 2)
		s.strict = true
		if c.setup != nil {
			s.do(raw(c.setup...))
		}
		reply, _ := s.do(raw(c.request...))
		want := c.want
		if want != "" && want != "DEL k" {
			var unit wal.Unit
			unit.Add(0, raw("RESTORE", "k", want, dump, "ABSTTL", "REPLACE")...)
			if string(unit.AppendTo(nil)) != string(s.unit.AppendTo(nil)) {
				t.Errorf("%q: effects %q", c.request, s.effects())
			}
		} else if s.effects() != want {
			t.Errorf("%q: effects %q, want %q", c.request, s.effects(), want)
		}
		if string(reply) != "+OK\r\n" {
			t.Errorf("%q: reply %q", c.request, reply)
		}
	}
}
