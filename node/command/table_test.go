package command

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

func nothing(*Ctx) {}

// bytesOf splits a request at spaces.
func bytesOf(request string) [][]byte {
	var out [][]byte
	for _, w := range strings.Fields(request) {
		out = append(out, []byte(w))
	}
	return out
}

func TestLookup(t *testing.T) {
	table := NewTable([]*Command{
		{Name: "get", Arity: 2, Handler: nothing},
		{Name: "del", Arity: -2, Handler: nothing},
		{Name: "config", Arity: -2, Sub: []*Command{
			{Name: "get", Arity: -3, Handler: nothing},
			{Name: "help", Arity: 2, Handler: nothing},
		}},
		{Name: "command", Arity: -1, Handler: nothing, Sub: []*Command{{Name: "count", Arity: 2, Handler: nothing}}},
	})
	long := strings.Repeat("x", 130)
	tests := []struct {
		args []string
		want string // full name, or the error
	}{
		{[]string{"get", "k"}, "get"},
		{[]string{"GeT", "k"}, "get"},
		{[]string{"del", "a", "b", "c"}, "del"},
		{[]string{"CONFIG", "Get", "x"}, "config|get"},
		{[]string{"command"}, "command"},
		{[]string{"command", "COUNT"}, "command|count"},
		{[]string{"get"}, "ERR wrong number of arguments for 'get' command"},
		{[]string{"get", "a", "b"}, "ERR wrong number of arguments for 'get' command"},
		{[]string{"del"}, "ERR wrong number of arguments for 'del' command"},
		{[]string{"config"}, "ERR wrong number of arguments for 'config' command"},
		{[]string{"config", "get"}, "ERR wrong number of arguments for 'config|get' command"},
		{[]string{"config", "x"}, "ERR unknown subcommand 'x'. Try CONFIG HELP."},
		{[]string{"foo", "a", "b"}, "ERR unknown command 'foo', with args beginning with: 'a' 'b' "},
		{[]string{"FOO"}, "ERR unknown command 'FOO', with args beginning with: "},
		{[]string{""}, "ERR unknown command '', with args beginning with: "},
		{[]string{"f\x00oo", "a\x00b"}, "ERR unknown command 'f', with args beginning with: 'a' "},
		{[]string{long, long, "tail"}, "ERR unknown command '" + long[:128] + "', with args beginning with: '" + long[:128] + "' "},
		{[]string{"config|get", "x"}, "ERR unknown command 'config|get', with args beginning with: 'x' "},
	}
	for _, tt := range tests {
		var args [][]byte
		for _, a := range tt.args {
			args = append(args, []byte(a))
		}
		cmd, err := table.Lookup(args)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = cmd.FullName()
		}
		if got != tt.want {
			t.Errorf("Lookup(%.60q)\n got %q\nwant %q", tt.args, got, tt.want)
		}
	}
	for name, want := range map[string]string{"GET": "get", "config|GET": "config|get", "config": "config"} {
		if c := table.Find([]byte(name)); c == nil || c.FullName() != want {
			t.Errorf("Find(%q) = %v", name, c)
		}
	}
	for _, name := range []string{"nope", "get|x", "config|nope", "nope|get", "|", ""} {
		if c := table.Find([]byte(name)); c != nil {
			t.Errorf("Find(%q) = %v", name, c.FullName())
		}
	}
}

func TestNewTableRefuses(t *testing.T) {
	ok := Command{Name: "a", Arity: 1, Handler: nothing}
	tests := map[string][]*Command{
		"duplicate":    {{Name: "a", Arity: 1, Handler: nothing}, {Name: "a", Arity: 1, Handler: nothing}},
		"upper case":   {{Name: "A", Arity: 1, Handler: nothing}},
		"no name":      {{Arity: 1, Handler: nothing}},
		"no arity":     {{Name: "a", Handler: nothing}},
		"no handler":   {{Name: "a", Arity: 1}},
		"bad sub":      {{Name: "a", Arity: -2, Sub: []*Command{{Name: "b", Arity: 1}}}},
		"sub twice":    {{Name: "a", Arity: -2, Sub: []*Command{{Name: "b", Arity: 2, Handler: nothing}, {Name: "b", Arity: 2, Handler: nothing}}}},
		"name too big": {{Name: strings.Repeat("a", maxName+1), Arity: 1, Handler: nothing}},
	}
	for name, rows := range tests {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			NewTable(rows)
		}()
	}
	if NewTable([]*Command{&ok}).Find([]byte("a")) != &ok {
		t.Error("a good row is not found")
	}
}

func TestAppendKeys(t *testing.T) {
	variable := func(dst []KeyPos, args [][]byte) ([]KeyPos, error) {
		if len(args) < 3 {
			return nil, ErrInvalidKeys
		}
		return append(dst, KeyPos{2, KeyOW}), nil
	}
	table := NewTable([]*Command{
		{Name: "none", Arity: -1, Handler: nothing},
		{Name: "one", Arity: -2, Handler: nothing, KeySpecs: []KeySpec{Key(1, KeyRO)}},
		{Name: "all", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Keys(1, -1, 1, KeyRO)}},
		{Name: "pairs", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Keys(1, -1, 2, KeyOW)}},
		{Name: "two", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Key(1, KeyRW), Key(2, KeyOW)}},
		{Name: "union", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Key(1, KeyOW),
			{Flags: KeyRO, Index: 2, Find: FindKeyNum, First: 1, Step: 1}}},
		{Name: "streams", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{
			{Flags: KeyRO, Begin: BeginKeyword, Keyword: "STREAMS", From: 1, Last: -1, Step: 1, Limit: 2}}},
		{Name: "last", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{
			{Flags: KeyRW, Begin: BeginKeyword, Keyword: "KEYS", From: -2, Last: -1, Step: 1}}},
		{Name: "eval", Arity: -1, Flags: NoMandatoryKeys, Handler: nothing, KeySpecs: []KeySpec{
			{Flags: KeyRW, Index: 2, Find: FindKeyNum, First: 1, Step: 1}}},
		{Name: "unknown", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Key(1, KeyRO), {Begin: BeginUnknown, Find: FindUnknown}}},
		{Name: "movable", Arity: -1, Handler: nothing, KeySpecs: []KeySpec{Key(1, KeyRW|KeyVariableFlags)}, GetKeys: variable},
	})
	tests := []struct {
		request string
		want    []KeyPos // nil: ErrInvalidKeys
	}{
		{"none a", []KeyPos{}},
		{"one a b", []KeyPos{{1, KeyRO}}},
		{"all", nil},
		{"all a b c", []KeyPos{{1, KeyRO}, {2, KeyRO}, {3, KeyRO}}},
		{"pairs a 1 b 2", []KeyPos{{1, KeyOW}, {3, KeyOW}}},
		{"two a b", []KeyPos{{1, KeyRW}, {2, KeyOW}}},
		{"two a", nil},
		{"union d 2 a b WEIGHTS 1 2", []KeyPos{{1, KeyOW}, {3, KeyRO}, {4, KeyRO}}},
		{"union d 3 a b", nil},
		{"union d x a", nil},
		{"union d -1 a", nil},
		{"union d 0 a", nil},
		{"union d 9223372036854775807 a", nil},
		{"union d", nil},
		{"streams COUNT 2 streams a b 0 0", []KeyPos{{4, KeyRO}, {5, KeyRO}}},
		{"streams COUNT 2", []KeyPos{}},
		{"streams STREAMS", []KeyPos{}},
		{"last h p KEYS a b", []KeyPos{{4, KeyRW}, {5, KeyRW}}},
		{"last h p", []KeyPos{}},
		{"eval s 1 a", []KeyPos{{3, KeyRW}}},
		{"eval s 0 a", []KeyPos{}},
		{"eval s 5 a", []KeyPos{}},
		{"unknown a", nil},
		{"movable a b", []KeyPos{{2, KeyOW}}},
		{"movable a", nil},
	}
	for _, tt := range tests {
		args := bytesOf(tt.request)
		cmd, err := table.Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cmd.AppendKeys([]KeyPos{}, args)
		if tt.want == nil {
			if !errors.Is(err, ErrInvalidKeys) {
				t.Errorf("%q: keys %v, error %v", tt.request, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: keys %v, error %v; want %v", tt.request, got, err, tt.want)
		}
	}
}

func TestAtoi(t *testing.T) {
	for text, want := range map[string]int32{
		"": 0, "-": 0, "+": 0, "a": 0, "1": 1, " 1": 1, "\t\v1 2": 1, "1a": 1, "+5": 5, "-7x": -7, "--1": 0, "1-1": 1,
		"2147483648": math.MinInt32, "4294967297": 1, "9223372036854775807": -1, "9223372036854775808": -1, "-9223372036854775809": 0,
	} {
		if got := atoi([]byte(text)); got != want {
			t.Errorf("atoi(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestClampRange(t *testing.T) {
	tests := []struct {
		start, end int64
		n          int
		want       string
	}{
		{0, -1, 5, "01234"},
		{0, 4, 5, "01234"},
		{0, 9223372036854775807, 5, "01234"},
		{-9223372036854775808, 9223372036854775807, 5, "01234"},
		{1, 3, 5, "123"},
		{-3, -2, 5, "23"},
		{3, 1, 5, ""},
		{-1, -3, 5, ""},
		{5, 10, 5, ""},
		{0, -100, 5, "0"}, // Redis's own
		{-100, -50, 5, "0"},
		{-50, -100, 5, ""},
		{0, -1, 0, ""},
		{0, 0, 0, ""},
	}
	for _, tt := range tests {
		from, to := clampRange(tt.start, tt.end, tt.n)
		if got := "01234"[from:to]; got != tt.want {
			t.Errorf("clampRange(%d, %d, %d) = %q, want %q", tt.start, tt.end, tt.n, got, tt.want)
		}
	}
}

func TestCategories(t *testing.T) {
	for i, name := range CatNames() {
		if c, ok := CatByName([]byte(strings.ToUpper(name))); !ok || c != 1<<i || !reflect.DeepEqual(c.Names(), []string{name}) {
			t.Errorf("CatByName(%q) = %v %v", name, c, ok)
		}
	}
	if _, ok := CatByName([]byte("nope")); ok {
		t.Error("there is no category nope")
	}
}

func TestParseCursor(t *testing.T) {
	tests := map[string]uint64{
		"0": 0, "": 0, "+0": 0, "007": 7, "17": 17, "+5": 5, "-1": 1<<64 - 1,
		"18446744073709551615": 1<<64 - 1, "9223372036854775808": 1 << 63,
	}
	for text, want := range tests {
		c := Ctx{Args: [][]byte{[]byte(text)}, Out: &resp.Writer{}}
		if got, ok := c.parseCursor(0); !ok || got != want {
			t.Errorf("parseCursor(%q) = %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"-", "+", "a", "1a", " 1", "1 ", "0x1", "1_0", "18446744073709551616", "--1", "\x00"} {
		c := Ctx{Args: [][]byte{[]byte(text)}, Out: &resp.Writer{}}
		if _, ok := c.parseCursor(0); ok || string(c.Out.B) != "-ERR invalid cursor\r\n" {
			t.Errorf("parseCursor(%q): %v, answered %q", text, ok, c.Out.B)
		}
	}
}

// TestEndlessReply: a short request must not ask for all of the node's memory.
func TestEndlessReply(t *testing.T) {
	h := keyspace.New(keyspace.Config{}).NewHash()
	h.Set([]byte("field"), []byte("value"))
	for count, want := range map[int64]string{
		-2:                 "*4\r\n$5\r\nfield\r\n$5\r\nvalue\r\n$5\r\nfield\r\n$5\r\nvalue\r\n",
		-math.MaxInt64 / 2: "-ERR reply exceeds maximum allowed size (proto-max-bulk-len)\r\n",
	} {
		c := Ctx{Out: &resp.Writer{B: []byte("+before\r\n")}}
		randomElements(&c, h, count, true, c.Out.Bulk, 1000)
		if got := string(c.Out.B); got != "+before\r\n"+want {
			t.Errorf("%d fields: %q", count, got)
		}
	}
	// What cannot be within the limit of all replies is not even begun.
	c := Ctx{Out: &resp.Writer{Limit: 1 << 20}}
	randomElements(&c, h, -math.MaxInt32, false, c.Out.Bulk, MaxString)
	if !c.Out.Over || cap(c.Out.B) > 1<<10 {
		t.Errorf("over: %v, after %d bytes", c.Out.Over, cap(c.Out.B))
	}
}
