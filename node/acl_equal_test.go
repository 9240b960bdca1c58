package node

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// as72 puts what Redis 7.0 says of access control in the words of 7.2.
var as72 = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^-(.*)NOPERM this user has no permissions to run the '(.*)' command\r\n$`), "-${1}NOPERM User <u> has no permissions to run the '$2' command\r\n"},
	{regexp.MustCompile(`^-NOPERM this user has no permissions to access one of the keys used as arguments\r\n$`), "-NOPERM No permissions to access a key\r\n"},
	{regexp.MustCompile(`^\$\d+\r\nThis user has no permissions to run the '(.*)' command\r\n$`), "User <u> has no permissions to run the '$1' command"},
	{regexp.MustCompile(`(?s)^\$\d+\r\nThis user has no permissions to access the '(.*)' key\r\n$`), "User <u> has no permissions to access the '$1' key"},
}

// in72 is a reply of Redis 7.0 as 7.2 says it; of ours only the user's name is taken out.
func in72(reply []byte) string {
	for _, a := range as72 {
		if a.from.Match(reply) {
			return a.from.ReplaceAllString(string(reply), a.to)
		}
	}
	s := regexp.MustCompile(`User \S+ has no permissions`).ReplaceAllString(string(reply), "User <u> has no permissions")
	return regexp.MustCompile(`(?s)^\$\d+\r\n(User <u> has.*)\r\n$`).ReplaceAllString(s, "$1")
}

// generator makes rules and requests from what both servers know.
type aclGenerator struct {
	*rand.Rand
	commands []*command.Command // that both have
}

func (g *aclGenerator) pick(from ...string) string { return from[g.IntN(len(from))] }

// key is one of a few, so that patterns meet keys.
func (g *aclGenerator) key() string { return g.pick("a", "b", "ab", "foo:1", "foo:2", "bar:1") }

func (g *aclGenerator) pattern() string {
	return g.pick("a", "b", "a*", "foo:*", "*:1", "?", "[ab]", "foo:[12]", "*", "x")
}

func (g *aclGenerator) rule(inSelector bool) string {
	for {
		switch g.IntN(26) {
		case 0:
			return g.pick("allkeys", "ALLKEYS", "~*")
		case 1:
			return g.pick("resetkeys", "resetchannels", "allchannels", "&*")
		case 2:
			return g.pick("allcommands", "nocommands", "+@all", "-@all", "+@ALL")
		case 3, 4, 5:
			return "~" + g.pattern()
		case 6, 7, 8:
			return g.pick("%R~", "%W~", "%RW~", "%r~", "%WR~", "%X~", "%RR~", "%~", "%") + g.pattern()
		case 9:
			return "&" + g.pattern()
		case 10, 11, 12, 13:
			return g.pick("+@", "-@", "+@") + g.pick(append(command.CatNames(), "nosuch", "READ")...)
		case 14, 15, 16, 17, 18:
			c := g.commands[g.IntN(len(g.commands))]
			return g.pick("+", "+", "-") + c.FullName()
		case 19:
			return g.pick("+select|0", "+select|1", "+debug|object", "-select|0", "+config|get|x", "+get|", "+nosuch", "+nosuch|x", "+config|nosuch", "+", "-")
		case 20:
			return g.pick("", "nosuch", "~with space", "&with\ttab", "*")
		}
		if inSelector {
			continue
		}
		switch g.IntN(9) {
		case 0:
			return g.pick("on", "off", "ON", "nopass", "resetpass", "reset", "clearselectors")
		case 1:
			return g.pick(">", "<") + g.pick("one", "two", "")
		case 2:
			return g.pick("#", "!") + g.pick("7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3", "abc", "")
		case 3, 4, 5, 6:
			return g.selector()
		}
	}
}

func (g *aclGenerator) selector() string {
	rules := []string{}
	for range g.IntN(5) {
		if r := g.rule(true); !strings.ContainsAny(r, " \t") && r != "" {
			rules = append(rules, r)
		}
	}
	return "(" + strings.Join(rules, " ") + ")"
}

// request is some request of some command, by its key specs.
func (g *aclGenerator) request() []string {
	fixed := []string{
		"sort %k", "sort %k by w_*", "sort %k get x_*", "sort %k store %k", "sort %k by nosort get # store %k", "sort_ro %k by w_*", "sort %k alpha limit 0 1 store %k get",
		"copy %k %k", "copy %k %k db 1 replace", "move %k 1", "swapdb 0 1", "rename %k %k", "renamenx %k %k",
		"set %k v get", "set %k v nx", "set %k v keepttl get", "getex %k", "getdel %k", "bitfield %k get u8 0", "bitfield %k set u8 0 1", "bitfield_ro %k get u8 0",
		"mset %k 1 %k 2", "mget %k %k %k", "msetnx %k 1 %k 2", "del %k %k", "unlink %k", "touch %k %k", "exists %k %k",
		"zunionstore %k 2 %k %k weights 1 2", "zinterstore %k 1 %k", "zunion 2 %k %k", "zinter 1 %k withscores", "zdiff 2 %k %k", "zintercard 2 %k %k limit 1", "zrangestore %k %k 0 -1", "zmpop 2 %k %k min", "zdiffstore %k 2 %k %k",
		"sunionstore %k %k %k", "sintercard 2 %k %k", "smove %k %k m", "sinterstore %k %k", "lmove %k %k left right", "rpoplpush %k %k", "lmpop 2 %k %k left", "blpop %k %k 0.01", "blmove %k %k left right 0.01", "blmpop 0.01 2 %k %k left", "bzpopmin %k %k 0.01", "bzmpop 0.01 1 %k min", "brpoplpush %k %k 0.01",
		"xread count 1 streams %k %k 0 0", "xread block 1 streams %k $", "xadd %k * f v", "xgroup create %k g $ mkstream", "xgroup destroy %k g", "xreadgroup group g c streams %k >", "xinfo stream %k", "xinfo help", "xlen %k", "xack %k g 1-1", "xautoclaim %k g c 0 0",
		"georadius %k 0 0 1 m store %k", "georadius %k 0 0 1 m", "georadius_ro %k 0 0 1 m", "geosearchstore %k %k frommember m byradius 1 m", "geoadd %k 0 0 m", "georadiusbymember %k m 1 m storedist %k",
		"pfcount %k %k", "pfmerge %k %k %k", "pfadd %k e", "pfdebug encoding %k", "bitop and %k %k %k", "lcs %k %k", "object encoding %k", "object help", "memory usage %k", "debug object %k", "debug sleep 0", "dump %k", "restore %k 0 x",
		"setrange %k 0 v", "append %k v", "incr %k", "incrbyfloat %k 1", "getset %k v", "strlen %k", "getrange %k 0 1", "substr %k 0 1", "expire %k 100", "persist %k", "type %k", "ttl %k", "randomkey", "keys %k", "scan 0", "dbsize", "flushdb", "flushall",
		"hset %k f v", "hgetall %k", "hdel %k f", "hrandfield %k", "hscan %k 0", "lpush %k v", "linsert %k before a b", "lpos %k v", "lrange %k 0 1", "sadd %k m", "spop %k", "zadd %k 1 m", "zpopmin %k", "zscore %k m", "zrem %k m",
		"watch %k", "unwatch", "discard", "select 0", "select 1", "ping", "echo x", "config get maxclients", "config set maxclients 10000", "client id", "client getname", "client kill id 999999", "client list", "command count", "command getkeys get %k", "command", "acl whoami", "acl cat", "acl users", "info server", "time", "lolwut", "slowlog len", "latency latest", "readonly", "wait 0 0", "auth nosuch nosuch",
		"zunionstore %k x %k", "zunion 0 %k", "zunion 5 %k", "sintercard x %k", "xread streams %k", "lmpop 2x %k %k left", "zmpop 9 %k min", "blmpop 0.01 2x %k %k left", "bzmpop 0.01 1x %k min", "zunionstore %k 1x %k", "zdiff 1x %k", "sintercard 1x %k",
	}
	words := strings.Fields(fixed[g.IntN(len(fixed))])
	for i, w := range words {
		if w == "%k" {
			words[i] = g.key()
		}
	}
	return words
}

// both are a node and a redis-server that are asked the same.
type bothServers struct {
	t            *testing.T
	ours, theirs *commandtest.Client
}

func (b *bothServers) same(args ...string) string {
	b.t.Helper()
	got, want := in72(b.ours.Do(args...)), in72(b.theirs.Do(args...))
	if got != want {
		b.t.Errorf("%q\n got %q\nwant %q", args, got, want)
	}
	return got
}

// ourRules are the rules of a user as the node describes it, without the word that 7.0
// does not say of new users.
func ourRules(c *commandtest.Client, user string) []string {
	for line := range strings.Lines(string(c.Do("ACL", "LIST"))) {
		if rules, ok := strings.CutPrefix(line, "user "+user+" "); ok {
			return strings.Split(strings.TrimRight(rules, "\r\n"), " ")
		}
	}
	return nil
}

// TestACLEqualsRedis generates users and asks a node and redis-server 7.0 what they make of
// them and what they let them do. How 7.0 describes which commands are allowed differs
// from 7.2, which keeps the rules: there our description, given to the other server,
// has to make a user that it describes like the first.
func TestACLEqualsRedis(t *testing.T) {
	redis := testenv.StartRedis(t, "--enable-debug-command", "local")
	n := startNode(t, nil)
	admin := &bothServers{t, commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)}
	first := testenv.Seed(t, 0)
	for seed := range uint64(testenv.Rounds(t, 40)) {
		seed += first
		g := &aclGenerator{rand.New(rand.NewPCG(seed, 1)), commandsOfBoth(t, admin.theirs)}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			admin := &bothServers{t, admin.ours, admin.theirs}
			for range 30 {
				args := []string{"ACL", "SETUSER", "u"}
				for range 1 + g.IntN(6) {
					args = append(args, g.rule(false))
				}
				admin.same(args...)
			}
			compareUser(t, admin)
			admin.same("ACL", "USERS")
			for range 150 {
				admin.same(append([]string{"ACL", "DRYRUN", "u"}, g.request()...)...)
			}
			admin.same("ACL", "SETUSER", "u", "on", "nopass")
			user := &bothServers{t, commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)}
			user.same("AUTH", "u", "x")
			for range 150 {
				deniedAlike(t, user, g.request())
			}
			user.ours.Close()
			user.theirs.Close()
			admin.same("FLUSHALL")
			admin.same("ACL", "DELUSER", "u")
		})
	}
}

// deniedAlike compares whether a request is denied, and the words. What an allowed one
// answers is for other tests, since the two do not have the same state.
func deniedAlike(t *testing.T, user *bothServers, args []string) {
	t.Helper()
	got, want := in72(user.ours.Do(args...)), in72(user.theirs.Do(args...))
	denied := func(s string) string {
		if strings.HasPrefix(s, "-NOPERM") || strings.Contains(s, "insufficient ACL") || strings.HasPrefix(s, "-WRONGPASS") {
			return s
		}
		return ""
	}
	if denied(got) != denied(want) {
		t.Errorf("%q\n got %q\nwant %q", args, got, want)
	}
}

// compareUser compares what both say of user u.
func compareUser(t *testing.T, admin *bothServers) {
	t.Helper()
	rules := ourRules(admin.ours, "u")
	before := string(admin.theirs.Do("ACL", "GETUSER", "u"))
	reply := string(admin.theirs.Do(append([]string{"ACL", "SETUSER", "copy", "reset"}, slices.DeleteFunc(slices.Clone(rules), func(r string) bool { return r == "sanitize-payload" })...)...))
	if reply != "+OK\r\n" {
		t.Fatalf("redis refuses %q: %q", rules, reply)
	}
	sanitized := regexp.MustCompile(`\$16\r\nsanitize-payload\r\n`)
	flags := regexp.MustCompile(`\$5\r\nflags\r\n\*\d`)
	plain := func(s string) string {
		return flags.ReplaceAllString(sanitized.ReplaceAllString(s, ""), "flags")
	}
	if copied := string(admin.theirs.Do("ACL", "GETUSER", "copy")); plain(copied) != plain(before) {
		t.Errorf("described as %q\nthat is %q\nand not %q", rules, copied, before)
	}
	admin.theirs.Do("ACL", "DELUSER", "copy")
	commands := regexp.MustCompile(`\$8\r\ncommands\r\n\$\d+\r\n[^\r]*\r\n`)
	got := commands.ReplaceAllString(plain(string(admin.ours.Do("ACL", "GETUSER", "u"))), "")
	if strings.Contains(got, "%RW~*") { // which the other writes so that it could not read it
		keys := regexp.MustCompile(`(\$4\r\nkeys\r\n)\$\d+(\r\n)`)
		got = keys.ReplaceAllString(strings.ReplaceAll(got, "%RW~*", "~*"), "$1$2")
		before = keys.ReplaceAllString(before, "$1$2")
	}
	want := commands.ReplaceAllString(plain(before), "")
	if got != want {
		t.Errorf("GETUSER\n got %q\nwant %q", got, want)
	}
}

// commandsOfBoth are the commands and subcommands that the node and the other have.
func commandsOfBoth(t *testing.T, theirs *commandtest.Client) []*command.Command {
	t.Helper()
	known := strings.Fields(string(theirs.Do("COMMAND", "LIST")))
	var both []*command.Command
	for _, c := range Table().All() {
		for _, c := range append([]*command.Command{c}, c.Sub...) {
			if slices.Contains(known, c.FullName()) {
				both = append(both, c)
			}
		}
	}
	if len(both) < 200 {
		t.Fatalf("only %d commands are known to both", len(both))
	}
	return both
}

// TestACLConversationsEqualRedis are whole conversations; "u>" in front sends a request on a
// connection that is to be somebody else's.
func TestACLConversationsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t, "--enable-debug-command", "local")
	n := startNode(t, nil)
	for name, script := range map[string]string{
		"errors": `
			acl
			acl nosuch
			acl whoami x
			acl help
			acl cat nosuch
			acl cat read x
			acl cat
			acl setuser
			acl getuser
			acl getuser nosuch
			acl list x
			acl users x
			acl load
			acl save
			acl log x
			acl log -1
			acl log 0
			acl log reset x
			acl genpass 0
			acl genpass -1
			acl genpass 4097
			acl genpass x
			acl genpass 1 2
			acl deluser default
			acl deluser nosuch default
			acl deluser nosuch
			acl dryrun
			acl dryrun default
			acl dryrun nosuch get a
			acl dryrun default nosuch
			acl dryrun default get
			acl dryrun default config
			acl dryrun default config nosuch
			acl dryrun default get a
			acl dryrun default quit
			acl setuser u (~a
			acl setuser u (~a +get
			acl setuser u ~a b
			acl setuser u +@all ~* ~a
			acl users
			config set acllog-max-len -1
			config set acllog-max-len x
			config get acllog-max-len
			config set acl-pubsub-default x
			config get acl-pubsub-default
			config set aclfile x
			config get aclfile
			config set protected-mode x
			config set protected-mode no
			config get protected-mode
			config set protected-mode yes`,
		"default user": `
			acl whoami
			auth x
			auth default x
			config set requirepass secret
			acl whoami
			u> acl whoami
			u> hello 3
			u> auth wrong
			u> auth secret
			u> acl whoami
			u> reset
			u> ping
			auth default x
			acl setuser default nopass
			u> ping
			auth x
			acl setuser default off
			u> ping
			u> auth default x
			ping
			acl whoami
			u> reset
			u> ping
			u> quit`,
		"denied": `
			acl setuser u on >p ~a +get +multi +exec +discard +acl|whoami
			u> auth u wrong
			u> auth u p
			u> acl whoami
			u> get a
			u> get b
			u> set a 1
			u> acl list
			u> nosuch
			u> get
			u> multi
			u> get b
			u> exec
			u> multi
			u> get a
			u> set a 1
			u> exec
			u> multi
			u> get a
			u> get a
			acl setuser u resetkeys
			u> exec
			acl setuser u ~a
			u> multi
			u> get a
			acl setuser u -get
			u> exec
			acl setuser u +get
			u> multi
			acl setuser u -exec
			u> exec
			u> discard
			u> multi
			u> discard
			acl setuser u off
			u> get a
			u> auth u p
			u> hello 2 auth u p
			u> reset
			u> acl whoami
			u> auth u p
			acl setuser u on
			u> hello 3 auth u p
			u> acl whoami
			client kill user nosuch
			client kill user u
			acl deluser u`,
		"sort": `
			rpush a 1 2
			acl setuser u on nopass ~a ~w_* +sort +sort_ro
			u> auth u x
			u> sort a
			u> sort a by w_*
			u> sort a get w_*
			u> sort_ro a get #
			u> sort a by nosort
			u> sort a by nosort get w_*
			u> sort a by w_* nosuch
			u> sort a store b
			u> sort a store a
			acl setuser u %R~*
			u> sort a by w_* get # get w_*
			acl deluser u
			del a`,
		"selectors": `
			acl setuser u on nopass ~a* +get (%W~b* +set) (%R~c* +@read)
			u> auth u x
			u> get a1
			u> get b1
			u> get c1
			u> set b1 x
			u> set b1 x get
			u> set a1 x
			u> mget c1 c2
			u> mget c1 a1
			u> copy b1 c1
			acl setuser u clearselectors
			u> set b1 x
			acl deluser u
			flushall`,
	} {
		t.Run(name, func(t *testing.T) {
			admin := &bothServers{t, commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)}
			user := &bothServers{t, commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)}
			for line := range strings.Lines(script) {
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				who := admin
				request, isUsers := strings.CutPrefix(line, "u>")
				if isUsers {
					who = user
				}
				args := words(request)
				got, want := in72(impersonal(who.ours.Do(args...))), in72(impersonal(who.theirs.Do(args...)))
				if got != want {
					t.Errorf("%s\n got %q\nwant %q", line, got, want)
				}
			}
			admin.ours.Do("ACL", "SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "+@all")
			admin.theirs.Do("ACL", "SETUSER", "default", "reset", "on", "nopass", "~*", "&*", "+@all")
			compareLogs(t, admin)
		})
	}
}

// compareLogs compares what both keep for ACL LOG, but for times, clients and what is new
// in 7.2.
func compareLogs(t *testing.T, admin *bothServers) {
	t.Helper()
	vary := regexp.MustCompile(`(\$11\r\nage-seconds\r\n)\$\d+\r\n\S+\r\n(\$11\r\nclient-info\r\n)\$\d+\r\n[^\r]*\r\n`)
	ids := regexp.MustCompile(`\$8\r\nentry-id\r\n:\d+\r\n\$17\r\ntimestamp-created\r\n:\d+\r\n\$22\r\ntimestamp-last-updated\r\n:\d+\r\n`)
	plain := func(b []byte) string {
		s := ids.ReplaceAllString(vary.ReplaceAllString(string(b), "$1$2"), "")
		return strings.ReplaceAll(s, "*20\r\n", "*14\r\n")
	}
	if got, want := plain(admin.ours.Do("ACL", "LOG", "100")), plain(admin.theirs.Do("ACL", "LOG", "100")); got != want {
		t.Errorf("ACL LOG\n got %q\nwant %q", got, want)
	}
	admin.same("ACL", "LOG", "RESET")
}

// TestCategoriesEqualRedis compares ACL CAT, as far as both have the commands.
func TestCategoriesEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	n := startNode(t, nil)
	admin := &bothServers{t, commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)}
	admin.same("ACL", "CAT")
	both := map[string]bool{}
	for _, c := range commandsOfBoth(t, admin.theirs) {
		both[c.FullName()] = true
	}
	inCategory := func(c *commandtest.Client, cat string) string {
		var names []string
		for _, w := range strings.Fields(string(c.Do("ACL", "CAT", cat))) {
			if both[w] {
				names = append(names, w)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	for _, cat := range command.CatNames() {
		if got, want := inCategory(admin.ours, cat), inCategory(admin.theirs, cat); got != want {
			t.Errorf("@%s\n got %s\nwant %s", cat, got, want)
		}
	}
}
