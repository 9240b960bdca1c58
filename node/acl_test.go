package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// expect asks and compares the first line of each reply.
func (c *talker) expect(steps ...[2]string) {
	c.t.Helper()
	for _, s := range steps {
		if got := c.ask(s[0]); got != s[1] {
			c.t.Fatalf("%s: %q, want %q", s[0], got, s[1])
		}
	}
}

// gone checks that the server has closed the connection.
func (c *talker) gone() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("the connection is not closed: %q, %v", rest, err)
	}
}

// bulks is the reply to a request, which is an array of strings.
func (c *talker) bulks(request string) []string {
	c.t.Helper()
	var n int
	if _, err := fmt.Sscanf(c.ask(request), "*%d", &n); err != nil {
		c.t.Fatalf("%s: %v", request, err)
	}
	all := make([]string, n)
	for i := range all {
		c.line()
		all[i] = c.line()
	}
	return all
}

const (
	noKey     = "-NOPERM No permissions to access a key"
	wrongPass = "-WRONGPASS invalid username-password pair or user is disabled."
	notRun    = "-NOPERM User u has no permissions to run the '%s' command"
)

// TestUsersRemoved: connections of a user that is removed end; what they have blocked on is
// nobody's any more.
func TestUsersRemoved(t *testing.T) {
	n := startNode(t, nil)
	admin, user, waiting, self, other := talk(t, n), talk(t, n), talk(t, n), talk(t, n), talk(t, n)
	admin.expect([2]string{"ACL SETUSER u on nopass ~* &* +@all", "+OK"}, [2]string{"ACL SETUSER v on nopass ~* +@all", "+OK"})
	for _, c := range []*talker{user, waiting, self} {
		c.expect([2]string{"AUTH u x", "+OK"})
	}
	other.expect([2]string{"AUTH v x", "+OK"})
	waiting.send("BLPOP list 0")
	waiting.blocks(admin)
	// The one that asks is answered first, and runs nothing more.
	self.send("ACL DELUSER u\r\nSET after 1")
	if got := self.line(); got != ":1" {
		t.Fatalf("got %q", got)
	}
	for _, c := range []*talker{self, user, waiting} {
		c.gone()
	}
	other.expect([2]string{"PING", "+PONG"}, [2]string{"EXISTS after", ":0"}, [2]string{"AUTH u x", wrongPass},
		[2]string{"RPUSH list a", ":1"}, [2]string{"LLEN list", ":1"})
	// A user of the same name is another user.
	admin.expect([2]string{"ACL SETUSER u on nopass +ping", "+OK"}, [2]string{"PING", "+PONG"})
	other.expect([2]string{"AUTH u x", "+OK"}, [2]string{"CLIENT ID", fmt.Sprintf(notRun, "client|id")})
	admin.expect([2]string{"CLIENT KILL USER u", ":1"})
	other.gone()
}

// blocks waits until c is listed as a client that waits.
func (c *talker) blocks(admin *talker) {
	c.t.Helper()
	testenv.Eventually(c.t, 10*time.Second, "a client to wait", func(context.Context) error {
		admin.send("CLIENT LIST ID " + c.id)
		admin.line()
		line := admin.line()
		admin.line()
		if !strings.Contains(line, " flags=b ") {
			return errors.New(line)
		}
		return nil
	})
}

// TestBlockedClientsAreCheckedAgain: who waits for a key and may not have it any more when
// it comes gets an error, and the key is left as it is.
func TestBlockedClientsAreCheckedAgain(t *testing.T) {
	n := startNode(t, nil)
	admin := talk(t, n)
	for _, tt := range [][3]string{
		{"~* +@all", "resetkeys ~other", noKey},
		{"~* +@all", "%R~* resetkeys", noKey},
		{"~* +@all", "-blpop", fmt.Sprintf(notRun, "blpop")},
		{"~* +@all", "-@blocking", fmt.Sprintf(notRun, "blpop")},
		{"~* +@all", "off", "*2"}, // is no reason, as in Redis
		{"~other (~list +@all)", "clearselectors", fmt.Sprintf(notRun, "blpop")},
	} {
		user := talk(t, n)
		admin.expect([2]string{"ACL SETUSER u reset on nopass " + tt[0], "+OK"})
		user.expect([2]string{"AUTH u x", "+OK"})
		user.send("BLPOP list 0")
		user.blocks(admin)
		admin.send("ACL SETUSER u " + strings.TrimPrefix(tt[1], "%R~* "))
		admin.line()
		admin.ask("RPUSH list a")
		if got := user.line(); got != tt[2] {
			t.Errorf("%s: %q, want %q", tt[1], got, tt[2])
		}
		want := ":1"
		if tt[2] == "*2" {
			want = ":0"
		}
		admin.expect([2]string{"LLEN list", want})
		admin.ask("DEL list")
		admin.expect([2]string{"ACL DELUSER u", ":1"})
	}
}

// TestPausedClientsAreCheckedAgain: a command that CLIENT PAUSE holds up is judged when it
// runs.
func TestPausedClientsAreCheckedAgain(t *testing.T) {
	n := startNode(t, nil)
	admin, user := talk(t, n), talk(t, n)
	admin.expect([2]string{"ACL SETUSER u on nopass ~* +@all", "+OK"})
	user.expect([2]string{"AUTH u x", "+OK"})
	admin.expect([2]string{"CLIENT PAUSE 100000 WRITE", "+OK"})
	user.send("SET k v")
	user.blocks(admin)
	admin.expect([2]string{"ACL SETUSER u -set", "+OK"}, [2]string{"CLIENT UNPAUSE", "+OK"})
	if got := user.line(); got != fmt.Sprintf(notRun, "set") {
		t.Fatalf("got %q", got)
	}
	admin.expect([2]string{"EXISTS k", ":0"})
}

// TestDeniedHasNoEffect: not in the data, not in the log, not for who watches.
func TestDeniedHasNoEffect(t *testing.T) {
	n := startNode(t, nil)
	admin, user, watcher := talk(t, n), talk(t, n), talk(t, n)
	admin.expect([2]string{"ACL SETUSER u on nopass ~mine +@all", "+OK"}, [2]string{"SET k v", "+OK"})
	user.expect([2]string{"AUTH u x", "+OK"})
	watcher.expect([2]string{"WATCH k mine", "+OK"}, [2]string{"MULTI", "+OK"}, [2]string{"PING", "+QUEUED"})
	before := n.engine.position().Seq
	for _, r := range []string{"SET k w", "DEL k", "MSET mine 1 k 2", "RENAME k mine", "COPY mine k", "SORT mine STORE k", "EXPIRE k 1", "BITOP NOT k mine"} {
		user.expect([2]string{r, noKey})
	}
	user.expect([2]string{"MULTI", "+OK"}, [2]string{"SET mine 1", "+QUEUED"}, [2]string{"SET k 1", noKey},
		[2]string{"EXEC", "-EXECABORT Transaction discarded because of previous errors."})
	if after := n.engine.position().Seq; after != before {
		t.Errorf("the log went on from %d to %d", before, after)
	}
	watcher.expect([2]string{"EXEC", "*1"})
	watcher.line()
	admin.expect([2]string{"EXISTS mine", ":0"})
	// What is denied at EXEC leaves the rest of the transaction as it is.
	user.expect([2]string{"MULTI", "+OK"}, [2]string{"SET mine 1", "+QUEUED"}, [2]string{"APPEND mine 2", "+QUEUED"}, [2]string{"STRLEN mine", "+QUEUED"})
	admin.expect([2]string{"ACL SETUSER u -append", "+OK"})
	user.send("EXEC")
	var got []string
	for range 4 {
		got = append(got, user.line())
	}
	const changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand"
	if want := "*3 +OK " + changed + " :1"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}

// TestACLLogOfRedis72: entries have ids and times, which 7.0 has not, and INFO counts.
func TestACLLogOfRedis72(t *testing.T) {
	n := startNode(t, nil)
	c := talk(t, n)
	began := time.Now().UnixMilli()
	c.expect([2]string{"AUTH nosuch x", wrongPass}, [2]string{"MULTI", "+OK"}, [2]string{"AUTH nosuch x", "+QUEUED"}, [2]string{"EXEC", "*1"})
	c.line()
	c.expect([2]string{"CLIENT SETNAME me", "+OK"}, [2]string{"AUTH nosuch x", wrongPass})
	c.send("ACL LOG\r\nINFO stats\r\nPING end")
	var lines []string
	for line := ""; line != "$3"; line = c.line() {
		lines = append(lines, line)
	}
	got := strings.Join(lines, " ")
	var at []int64
	for _, m := range regexp.MustCompile(`timestamp-(?:created|last-updated) :(\d+)`).FindAllStringSubmatch(got, -1) {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || ms < began || ms > time.Now().UnixMilli() {
			t.Errorf("got %q", m)
		}
		at = append(at, ms)
	}
	if len(at) != 4 || at[0] > at[1] || at[0] > at[2] {
		t.Errorf("times %v of %s", at, got)
	}
	for _, want := range []string{
		"*2 *20 $5 count :2 $6 reason $4 auth $7 context $8 toplevel $6 object $4 AUTH $8 username $6 nosuch $11 age-seconds",
		" name=me ", " user=default ", " entry-id :0 ", " entry-id :1 ", "$7 context $5 multi",
		"acl_access_denied_auth:3 acl_access_denied_cmd:0 acl_access_denied_key:0 acl_access_denied_channel:0",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// TestACLFile: users are loaded at start and by ACL LOAD, and kept by ACL SAVE.
func TestACLFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.acl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("user u on >p ~a +@all\n")
	change := func(c *Config) { c.ACLFile, c.RequirePass, c.ACLPubSubDefault = file, "secret", "allchannels" }
	n := startNode(t, change)
	admin, u, v := dial(t, n), dial(t, n), dial(t, n)
	admin.expect([2]string{"PING", "-NOAUTH Authentication required."}, [2]string{"AUTH secret", "+OK"},
		[2]string{"ACL SETUSER v on nopass +@all", "+OK"})
	u.expect([2]string{"AUTH u p", "+OK"}, [2]string{"GET a", "$-1"})
	v.expect([2]string{"AUTH v p", "+OK"}, [2]string{"ACL SAVE", "+OK"})
	saved := strings.Split(strings.TrimSpace(readFile(t, file)), "\n")
	if listed := admin.bulks("ACL LIST"); strings.Join(saved, ";") != strings.Join(listed, ";") || len(saved) != 3 {
		t.Fatalf("saved %q, listed %q", saved, listed)
	}
	if !strings.Contains(saved[1], " ~a &* +@all") {
		t.Fatalf("acl-pubsub-default is not heeded: %q", saved[1])
	}
	if strings.Contains(strings.Join(saved, ""), "secret") {
		t.Fatal("a password is in the file")
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Fatalf("files left: %v, %v", left, err)
	}
	// A file with an error changes nothing.
	write("user u on nopass +@all\nuser w +nosuch\n")
	if got := admin.ask("ACL LOAD"); !strings.Contains(got, ":2: Error in applying operation '+nosuch'") {
		t.Fatalf("got %q", got)
	}
	u.expect([2]string{"GET b", noKey})
	v.expect([2]string{"PING", "+PONG"})
	// Those whose user is still there go on as what it is now; the others end. Without a line
	// of its own the default user is again what the node began with.
	write("user u on >p ~b +@all\n")
	admin.expect([2]string{"ACL SETUSER default nopass", "+OK"}, [2]string{"ACL LOAD", "+OK"})
	u.expect([2]string{"GET b", "$-1"}, [2]string{"GET a", noKey})
	v.gone()
	admin.expect([2]string{"PING", "+PONG"}, [2]string{"RESET", "+RESET"}, [2]string{"PING", "-NOAUTH Authentication required."}, [2]string{"AUTH secret", "+OK"})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	admin.expect([2]string{"ACL LOAD", "-ERR Error loading ACLs, opening file '" + file + "': no such file or directory"})
	cfg := n.cfg
	cfg.Listen, cfg.Metrics = "127.0.0.1:0", nil
	if n, err := New(cfg); err == nil {
		n.Close()
		t.Fatal("a node starts without the file of its users")
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	admin.expect([2]string{"ACL SAVE", "-ERR There was an error trying to save the ACLs. Please check the server logs for more information"})
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestProtectedMode compares with redis-server who is let in, by the machine's own
// address.
func TestProtectedMode(t *testing.T) {
	host := ownAddress(t)
	redis := testenv.StartRedis(t, "--bind", "0.0.0.0", "--protected-mode", "yes")
	_, port, err := net.SplitHostPort(redis.Addr)
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, func(c *Config) { c.Listen = "0.0.0.0:0" })
	_, ourPort, err := net.SplitHostPort(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	admin := talkTo(t, net.JoinHostPort("127.0.0.1", ourPort))
	theirs := talkTo(t, net.JoinHostPort("127.0.0.1", port))
	refused := func(port string) string {
		t.Helper()
		c := talkTo(t, net.JoinHostPort(host, port))
		b, err := io.ReadAll(c.r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got, want := refused(ourPort), refused(port); got != want || !strings.HasPrefix(got, "-DENIED ") {
		t.Fatalf("got %q\nwant %q", got, want)
	}
	letIn := func(want string) {
		t.Helper()
		for _, p := range []string{ourPort, port} {
			talkTo(t, net.JoinHostPort(host, p)).expect([2]string{"PING", want})
		}
	}
	both := func(request string) {
		t.Helper()
		admin.expect([2]string{request, "+OK"})
		theirs.expect([2]string{request, "+OK"})
	}
	both("CONFIG SET requirepass secret")
	letIn("-NOAUTH Authentication required.")
	both("CONFIG SET requirepass \"\"")
	if got, want := refused(ourPort), refused(port); got != want {
		t.Fatalf("got %q\nwant %q", got, want)
	}
	both("CONFIG SET protected-mode no")
	letIn("+PONG")
}

// ownAddress is an address of this machine that is not loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// TestPasswordsAreNotShown in what a node tells of commands.
func TestPasswordsAreNotShown(t *testing.T) {
	n := startNode(t, func(c *Config) { c.RequirePass = "p4ss-one" })
	c := dial(t, n)
	c.expect([2]string{"AUTH p4ss-one", "+OK"}, [2]string{"CONFIG SET slowlog-log-slower-than 0", "+OK"},
		[2]string{"ACL SETUSER u on >p4ss-two", "+OK"}, [2]string{"AUTH u p4ss-three", wrongPass},
		[2]string{"ACL SETUSER u <p4ss-two >p4ss-four", "+OK"}, [2]string{"CONFIG SET requirepass p4ss-five", "+OK"}, [2]string{"CONFIG SET slowlog-log-slower-than -1", "+OK"})
	c.send("SLOWLOG GET 100\r\nACL LOG\r\nACL LIST\r\nCONFIG GET *\r\nCLIENT LIST\r\nINFO everything\r\nPING end")
	for line := ""; line != "end"; line = c.line() {
		if regexp.MustCompile(`p4ss-`).MatchString(line) {
			t.Errorf("shown: %s", line)
		}
	}
}
