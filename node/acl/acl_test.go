package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
)

// testGrammar reads rules about the commands on data and a few others.
func testGrammar() Grammar {
	nothing := func(*command.Ctx) {}
	sub := func(name string, f command.Flags) *command.Command {
		return &command.Command{Name: name, Arity: -2, Flags: f, Handler: nothing}
	}
	return Grammar{Table: command.NewTable(command.Data(), []*command.Command{
		{Name: "select", Arity: 2, Flags: command.Fast, Categories: command.CatConnection, Handler: nothing},
		{Name: "auth", Arity: -2, Flags: command.Fast | command.NoAuth, Categories: command.CatConnection, Handler: nothing},
		{Name: "debug", Arity: -2, Flags: command.Admin, Handler: nothing},
		{Name: "client", Arity: -2, Sub: []*command.Command{sub("id", 0), sub("kill", command.Admin), sub("setname", 0)}},
		{Name: "config", Arity: -2, Sub: []*command.Command{sub("get", command.Admin), sub("set", command.Admin)}},
		{Name: "publish", Arity: 3, Flags: command.PubSub, Channels: &command.Channels{First: 1, Last: 1}, Handler: nothing},
		{Name: "subscribe", Arity: -2, Flags: command.PubSub, Channels: &command.Channels{First: 1, Last: -1}, Handler: nothing},
		{Name: "psubscribe", Arity: -2, Flags: command.PubSub, Channels: &command.Channels{First: 1, Last: -1, Patterns: true}, Handler: nothing},
	})}
}

func sha(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

func TestDescribe(t *testing.T) {
	g := testGrammar()
	for rules, want := range map[string]string{
		"":                                       "off sanitize-payload resetchannels -@all",
		"on":                                     "on sanitize-payload resetchannels -@all",
		"ON OFF":                                 "off sanitize-payload resetchannels -@all",
		"on nopass skip-sanitize-payload":        "on nopass skip-sanitize-payload resetchannels -@all",
		"skip-sanitize-payload Sanitize-Payload": "off sanitize-payload resetchannels -@all",
		">a >b >a":                               "off sanitize-payload #" + sha("a") + " #" + sha("b") + " resetchannels -@all",
		">a nopass":                              "off nopass sanitize-payload resetchannels -@all",
		"nopass >a":                              "off sanitize-payload #" + sha("a") + " resetchannels -@all",
		">a <a":                                  "off sanitize-payload resetchannels -@all",
		">a !" + sha("a"):                        "off sanitize-payload resetchannels -@all",
		">a resetpass":                           "off sanitize-payload resetchannels -@all",
		"~*":                                     "off sanitize-payload ~* resetchannels -@all",
		"AllKeys allchannels allcommands":        "off sanitize-payload ~* &* +@all",
		"~a %R~b %W~c %rw~d ~a":                  "off sanitize-payload ~a %R~b %W~c ~d resetchannels -@all",
		"%R~a %W~a":                              "off sanitize-payload ~a resetchannels -@all",
		"%RW~* ~a":                               "off sanitize-payload %RW~* ~a resetchannels -@all",
		"%R":                                     "off sanitize-payload %R~ resetchannels -@all",
		"~a resetkeys ~b":                        "off sanitize-payload ~b resetchannels -@all",
		"&a &b &a":                               "off sanitize-payload resetchannels &a &b -@all",
		"allchannels resetchannels &c":           "off sanitize-payload resetchannels &c -@all",
		"+get +SET":                              "off sanitize-payload resetchannels -@all +get +set",
		"+get -get":                              "off sanitize-payload resetchannels -@all -get",
		"+@all -client +client|id +client|kill":  "off sanitize-payload resetchannels +@all -client +client|id +client|kill",
		"+client|id +client":                     "off sanitize-payload resetchannels -@all +client",
		"+client -client|id -client":             "off sanitize-payload resetchannels -@all -client",
		"+@READ -@string +@read":                 "off sanitize-payload resetchannels -@all -@string +@read",
		"+get +@all":                             "off sanitize-payload resetchannels +@all",
		"+get nocommands +set":                   "off sanitize-payload resetchannels -@all +set",
		"+select|0 +SELECT|One":                  "off sanitize-payload resetchannels -@all +select|0 +select|one",
		"+select|0 +select":                      "off sanitize-payload resetchannels -@all +select",
		"+debug|object +debug|digest":            "off sanitize-payload resetchannels -@all +debug|object +debug|digest",
		"on ~a +get (~b +set) (%R~c &d +@read)":  "on sanitize-payload ~a resetchannels -@all +get (~b resetchannels -@all +set) (%R~c resetchannels &d -@all +@read)",
		"( ~b +set )":                            "off sanitize-payload resetchannels -@all (~b resetchannels -@all +set)",
		"()":                                     "off sanitize-payload resetchannels -@all (resetchannels -@all)",
		`(~"x" +get)`:                            "off sanitize-payload resetchannels -@all (~x resetchannels -@all +get)",
		`(~"x +get)`:                             "off sanitize-payload resetchannels -@all (resetchannels -@all)",
		"(~a) clearselectors (~b)":               "off sanitize-payload resetchannels -@all (~b resetchannels -@all)",
		"on >a ~a &a +@all (~b) reset":           "off sanitize-payload resetchannels -@all",
	} {
		u, err := g.Apply(g.New("u"), strings.Fields(rules)...)
		if err != nil {
			t.Errorf("%q: %v", rules, err)
			continue
		}
		if got := u.Describe(); got != want {
			t.Errorf("%q\n got %s\nwant %s", rules, got, want)
		}
	}
	g.AllChannels = true
	u, err := g.Apply(g.New("u"), "resetchannels", "reset", "(~a)")
	if want := "off sanitize-payload &* -@all (~a &* -@all)"; err != nil || u.Describe() != want {
		t.Errorf("with allchannels as the default: %v, %v", u.Describe(), err)
	}
	if got, want := g.NewDefault().Describe(), "on nopass sanitize-payload ~* &* +@all"; got != want {
		t.Errorf("default user: %s", got)
	}
}

func TestRulesRefused(t *testing.T) {
	g := testGrammar()
	for rules, want := range map[string]error{
		"nosuch": ErrSyntax, "*": ErrSyntax,
		"%~a": ErrSyntax, "%RR~a": ErrSyntax, "%X~a": ErrSyntax, "%": ErrSyntax,
		"~* ~a": ErrAllKeys, "allkeys %R~a": ErrAllKeys, "&* &a": ErrAllChannels,
		"+nosuch": ErrUnknownCommand, "-nosuch": ErrUnknownCommand, "+@nosuch": ErrUnknownCommand, "+": ErrUnknownCommand,
		"+client|nosuch": ErrUnknownCommand, "-client|nosuch": ErrUnknownCommand, "-select|0": ErrUnknownCommand,
		"+get|a|b": ErrUnknownCommand, "+client|id|x": ErrFirstArg, "+select|": ErrSyntax, "+nosuch|x": ErrUnknownCommand,
		"<nosuch": ErrNoSuchPassword, "#abc": ErrHash, "#" + strings.Repeat("A", 64): ErrHash, "#" + strings.Repeat("g", 64): ErrHash,
		"!abc": ErrHash, "!" + sha("x"): ErrNoSuchPassword,
		"(on)": ErrSyntax, "(>a)": ErrSyntax, "((~a))": ErrSyntax, "(+nosuch)": ErrUnknownCommand, `("")`: ErrSyntax, "(~* ~a)": ErrAllKeys,
		"ſet": ErrSyntax, "+ſet": ErrUnknownCommand,
	} {
		before := g.New("u")
		_, err := g.Apply(before, append([]string{"on", "+get"}, strings.Fields(rules)...)...)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", rules, err, want)
		}
		if before.Enabled() || before.Describe() != g.New("u").Describe() {
			t.Fatalf("%q changed the user it was applied to", rules)
		}
	}
	for _, r := range []string{"~a b", "~a\x00", "&a\tb"} {
		if _, err := g.Apply(g.New("u"), r); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", r, err)
		}
	}
	_, err := g.Apply(g.New("u"), "on", "bad")
	if want := "Error in ACL SETUSER modifier 'bad': Syntax error"; err.Error() != want {
		t.Errorf("got %q", err)
	}
	_, err = g.Apply(g.New("u"), "on", "(~a", "+get")
	var unmatched *UnmatchedError
	if want := "Unmatched parenthesis in acl selector starting at '(~a'."; !errors.As(err, &unmatched) || err.Error() != want {
		t.Errorf("got %q", err)
	}
}

// TestApplyCopies: what a connection has of a user does not change with the user.
func TestApplyCopies(t *testing.T) {
	g := testGrammar()
	old, err := g.Apply(g.New("u"), "on", ">a", "~a", "&a", "+get", "+select|0", "(~b)")
	if err != nil {
		t.Fatal(err)
	}
	before := old.Describe()
	for _, r := range []string{"off", ">b", "<a", "~b", "%W~a", "&b", "+set", "-get", "+select|1", "+@all", "(~c)", "clearselectors", "reset", "nopass"} {
		if _, err := g.Apply(old, r); err != nil {
			t.Fatal(err)
		}
		if old.Describe() != before || !allows(old, "select 0") || allows(old, "select 1") {
			t.Fatalf("%s: changed the old user to %s", r, old.Describe())
		}
	}
}

func request(g Grammar, text string) *Request {
	var args [][]byte
	for _, w := range strings.Fields(text) {
		args = append(args, []byte(w))
	}
	cmd, err := g.Table.Lookup(args)
	if err != nil {
		panic(text + ": " + err.Error())
	}
	r := &Request{}
	r.Set(cmd, args)
	return r
}

var grammar = testGrammar()

func allows(u *User, text string) bool { return u.Check(request(grammar, text)).Reason == Allowed }

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ rules, request, want string }{
		{"", "get a", "command"},
		{"", "auth x", ""},
		{"+get", "get a", "key 1"},
		{"+get ~a*", "get abc", ""},
		{"+get ~a*", "get b", "key 1"},
		{"+get %W~a", "get a", "key 1"},
		{"+set %R~a", "set a 1", "key 1"},
		{"+set %W~a", "set a 1", ""},
		{"+set %W~a", "set a 1 GET", "key 1"},
		{"+set ~a", "set a 1 GET", ""},
		{"+set %R~a %W~*", "set a 1 GET", "key 1"},
		{"+append %W~a", "append a 1", ""},
		{"+incr %W~a", "incr a", "key 1"},
		{"+exists ~x", "exists a", "key 1"},
		{"+exists %W~a", "exists a", ""},
		{"+strlen %W~a", "strlen a", ""},
		{"+copy %R~a %W~b", "copy a b", ""},
		{"+copy %R~b %W~a", "copy a b", "key 1"},
		{"+copy %R~a %R~b", "copy a b", "key 2"},
		{"+mset ~a ~b", "mset a 1 c 2 b 3", "key 3"},
		{"+zunionstore ~a ~b", "zunionstore a 2 b c", "key 4"},
		{"+zunionstore ~a ~b ~c", "zunionstore a 2 b c WEIGHTS 1 2", ""},
		{"+sort ~a", "sort a STORE b", "key 3"},
		{"+sort ~a ~b", "sort a STORE b", ""},
		{"+xread ~a", "xread COUNT 1 STREAMS a b 0 0", "key 5"},
		{"+del ~a (+del ~b)", "del a b", "key 2"},
		{"+del ~a (+del ~b)", "del b", ""},
		{"+del ~a (+get ~b)", "get b", ""},
		{"+del ~a (+get ~b)", "get a", "key 1"},
		{"+@all -get", "get a", "command"},
		{"+@read ~*", "get a", ""},
		{"+@read ~*", "set a 1", "command"},
		{"+@all -@dangerous ~*", "keys *", "command"},
		{"+@all -@dangerous ~*", "flushall", "command"},
		{"+client", "client id", ""},
		{"+client -client|kill", "client kill x", "command"},
		{"+client|id", "client kill x", "command"},
		{"+client|id", "client id", ""},
		{"-@all +config|get", "config set a", "command"},
		{"+select|0", "select 0", ""},
		{"+select|ab", "select AB", ""},
		{"+select|0", "select 1", "command"},
		{"+select|0 -@connection", "select 0", "command"},
		{"+@pubsub", "publish c m", "channel 1"},
		{"+@pubsub &c", "publish c m", ""},
		{"+@pubsub &c*", "subscribe c1 d c2", "channel 2"},
		{"+@pubsub &c*", "psubscribe c*", ""},
		{"+@pubsub &c*", "psubscribe c1", "channel 1"},
		{"+@pubsub allchannels", "psubscribe *", ""},
		{"+@all ~* &*", "flushall", ""},
	} {
		u, err := grammar.Apply(grammar.New("u"), strings.Fields(tt.rules)...)
		if err != nil {
			t.Fatal(err)
		}
		v := u.Check(request(grammar, tt.request))
		got := v.Reason.String()
		if v.Arg > 0 {
			got = fmt.Sprintf("%s %d", got, v.Arg)
		}
		if got != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.rules, tt.request, got, tt.want)
		}
		if u.Unrestricted() != (tt.rules == "+@all ~* &*") {
			t.Errorf("%s: unrestricted %v", tt.rules, u.Unrestricted())
		}
	}
}

func TestCheckAnyKey(t *testing.T) {
	for rules, want := range map[string]bool{
		"+sort ~a": false, "+sort ~*": true, "+sort allkeys": true, "+sort ~a %R~*": true, "+sort ~a %W~*": false,
		"+sort ~a (~*)": false, "+sort ~a (~* +sort)": true, "~*": false,
	} {
		u, err := grammar.Apply(grammar.New("u"), strings.Fields(rules)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.CheckAnyKey(request(grammar, "sort a BY w_*"), command.KeyAccess); got != want {
			t.Errorf("%s: %v", rules, got)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	for rules, want := range map[string]string{
		"on": "", "on >a": "a", "on >a >b": "a b", ">a": "", "on nopass": "a b c", "nopass": "", "on >a off": "", "on #" + sha("c"): "c",
	} {
		u, err := grammar.Apply(grammar.New("u"), strings.Fields(rules)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"a", "b", "c"} {
			if got := u.Authenticate([]byte(p)); got != slices.Contains(strings.Fields(want), p) {
				t.Errorf("%s: password %s: %v", rules, p, got)
			}
		}
	}
	if (*User)(nil).Authenticate(nil) {
		t.Error("nobody can log in as a user that does not exist")
	}
}

func TestParseFile(t *testing.T) {
	users, err := grammar.ParseFile("f", "user a on >p ~x +get (~y +set)\r\n\n  user default on nopass +@all\nuser b")
	if err != nil || len(users) != 3 {
		t.Fatalf("%v, %v", users, err)
	}
	if got := users["a"].Describe(); got != "on sanitize-payload #"+sha("p")+" ~x resetchannels -@all +get (~y resetchannels -@all +set)" {
		t.Errorf("got %s", got)
	}
	const end = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
	for text, want := range map[string]string{
		"a on":                    "f:1 should start with user keyword followed by the username. ",
		"user":                    "f:1 should start with user keyword followed by the username. ",
		"user a\tb":               "'f:1: username 'a\tb' contains invalid characters. ",
		"user a\nuser a":          "WARNING: Duplicate user 'a' found on line 2. ",
		"user a (~b":              "f:1: Unmatched parenthesis in selector definition.",
		"user a +nosuch >p bad x": "f:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. f:1: Syntax error. ",
	} {
		if users, err := grammar.ParseFile("f", text); err == nil || err.Error() != want+end || users != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLog(t *testing.T) {
	var l Log
	l.Add(Entry{Reason: DeniedKey})
	if len(l.Newest(10)) != 0 || l.Denied(DeniedKey) != 1 {
		t.Fatal("a log of no entries keeps some, or does not count")
	}
	l.SetMax(12)
	at := int64(1000)
	add := func(object string) {
		l.Add(Entry{Reason: DeniedKey, Object: object, Client: fmt.Sprint(at), Updated: at})
	}
	show := func() string {
		var b strings.Builder
		for _, e := range l.Newest(100) {
			fmt.Fprintf(&b, " %d:%s*%d@%d-%d/%s", e.ID, e.Object, e.Count, e.Created, e.Updated, e.Client)
		}
		return b.String()
	}
	add("a")
	at++
	add("b")
	at++
	add("a")
	if got, want := show(), " 0:a*2@1000-1002/1002 1:b*1@1001-1001/1001"; got != want {
		t.Errorf("got %s", got)
	}
	at += mergeWithin + 1
	add("a")
	if got, want := show(), " 2:a*1@61003-61003/61003 0:a*2@1000-1002/1002 1:b*1@1001-1001/1001"; got != want {
		t.Errorf("got %s", got)
	}
	for i := range 20 {
		add(fmt.Sprint(i))
	}
	if got := l.Newest(100); len(got) != 12 || got[0].Object != "19" || got[11].Object != "8" {
		t.Errorf("%d entries: %s", len(got), show())
	}
	add("9") // the eleventh: too far behind to be found
	if got := l.Newest(1)[0]; got.Count != 1 {
		t.Errorf("got %+v", got)
	}
	for _, e := range []Entry{{Reason: DeniedCommand}, {Reason: DeniedKey, Context: InMulti}, {Reason: DeniedKey, User: "u"}} {
		e.Object, e.Updated = "9", at
		l.Add(e)
		if l.Newest(1)[0].Count != 1 {
			t.Errorf("merged %+v", e)
		}
	}
	l.SetMax(2)
	add("9")
	if len(l.Newest(100)) != 12 {
		t.Errorf("a denial that is merged drops nothing: %s", show())
	}
	add("new")
	if len(l.Newest(100)) != 2 || len(l.Newest(-1)) != 0 {
		t.Errorf("got %s", show())
	}
	l.Reset()
	add("new")
	if e := l.Newest(1)[0]; e.ID == 0 || e.Count != 1 {
		t.Errorf("after a reset: %+v", e)
	}
}
