package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// cut delivers a stream in reads of at most size() bytes.
type cut struct {
	data string
	size func() int
}

func (c *cut) Read(p []byte) (int, error) {
	if c.data == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size())], c.data)
	c.data = c.data[n:]
	return n, nil
}

func whole() int    { return 1 << 30 }
func bytewise() int { return 1 }

func randomCuts(seed uint64) func() int {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return func() int {
		if rnd.IntN(4) == 0 {
			return 1 + rnd.IntN(2000)
		}
		return 1 + rnd.IntN(12)
	}
}

// parse reads a whole stream. After every Fill it takes all commands and only
// then looks at their arguments, which must be valid until the next Fill.
func parse(t testing.TB, r *Reader, data string, size func() int) (commands [][]string, problem string) {
	t.Helper()
	src := &cut{data, size}
	for {
		if err := r.Fill(src); err == io.EOF {
			return commands, ""
		} else if err != nil {
			t.Fatalf("Fill: %v", err)
		}
		checkMemory(t, r)
		var batch [][][]byte
		var err error
		for {
			var args [][]byte
			var ok bool
			if args, ok, err = r.Next(); !ok {
				break
			}
			batch = append(batch, append([][]byte(nil), args...))
		}
		for _, args := range batch {
			var command []string
			for _, a := range args {
				command = append(command, string(a))
			}
			commands = append(commands, command)
		}
		if err != nil {
			checkFinal(t, r, err)
			return commands, err.Error()
		}
	}
}

func checkFinal(t testing.TB, r *Reader, err error) {
	t.Helper()
	if perr := new(ProtocolError); !errors.As(err, &perr) {
		t.Fatalf("%v is no ProtocolError", err)
	}
	if args, ok, again := r.Next(); args != nil || ok || again != err {
		t.Fatalf("Next after %v: %q %v %v", err, args, ok, again)
	}
	if again := r.Fill(strings.NewReader("PING\r\n")); again != err {
		t.Fatalf("Fill after %v: %v", err, again)
	}
}

// checkMemory: after a Fill, what a Reader holds is in proportion to what waits.
func checkMemory(t testing.TB, r *Reader) {
	t.Helper()
	if limit := max(keepBuffer, 4*r.Buffered()); r.Size() > limit {
		t.Fatalf("a buffer of %d bytes for %d", r.Size(), r.Buffered())
	}
	// The shortest argument, "$0\r\n\r\n", has 6 bytes.
	if limit := 2 * (keepArgs + r.Buffered()/6); cap(r.spans) > limit || cap(r.args) > limit {
		t.Fatalf("room for %d arguments in %d bytes", cap(r.spans), r.Buffered())
	}
}

func cmds(commands ...[]string) [][]string { return commands }
func cmd(args ...string) []string          { return args }

var readerTests = []struct {
	name    string
	in      string
	want    [][]string
	problem string
}{
	{"nothing", "", nil, ""},
	{"multibulk", "*1\r\n$4\r\nPING\r\n", cmds(cmd("PING")), ""},
	{"arguments", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\x00\r\n\r\n", cmds(cmd("SET", "k", "\x00\r\n")), ""},
	{"empty argument", "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", cmds(cmd("ECHO", "")), ""},
	{"pipeline", "*1\r\n$1\r\na\r\nb\r\n*1\r\n$1\r\nc\r\n", cmds(cmd("a"), cmd("b"), cmd("c")), ""},
	{"no arguments", "*0\r\n*-1\r\n*-9223372036854775808\r\nPING\r\n", cmds(cmd("PING")), ""},
	{"empty lines", "\r\n\n \t\r\n\r\r\nPING\r\n", cmds(cmd("PING")), ""},
	{"any byte ends a header", "*1\rX$4\rYPINGZZ*1\r\n$1\r\na\r\n", cmds(cmd("PING"), cmd("a")), ""},
	{"leading zero in the rest", "*2\r\n$4\r\nECHO\r\n$12\r\nabcdefghijkl\r\n", cmds(cmd("ECHO", "abcdefghijkl")), ""},

	{"part of a count", "*1", nil, ""},
	{"no byte after a count", "*1\r", nil, ""},
	{"part of a length", "*1\r\n$", nil, ""},
	{"no byte after a length", "*1\r\n$4\r", nil, ""},
	{"part of an argument", "*1\r\n$4\r\nPIN", nil, ""},
	{"part of the end", "*1\r\n$4\r\nPING\r", nil, ""},
	{"type unknown before the line ends", "*1\r\nfoo", nil, ""},
	{"inline without end", "PING\r", nil, ""},
	{"NUL in a count", "*1\x00\r\n$4\r\nPING\r\n", nil, ""},
	{"NUL in a length", "*1\r\n$4\x00\r\nPING\r\n", nil, ""},
	{"NUL in a line", "PING \x00\r\nPING\r\n", nil, ""},

	{"count missing", "*\r\n", nil, "invalid multibulk length"},
	{"count no number", "*x\r\n", nil, "invalid multibulk length"},
	{"count with plus", "*+1\r\n", nil, "invalid multibulk length"},
	{"count with zero", "*01\r\n", nil, "invalid multibulk length"},
	{"count negative zero", "*-0\r\n", nil, "invalid multibulk length"},
	{"count with blank", "*1 \r\n", nil, "invalid multibulk length"},
	{"count beyond int64", "*9223372036854775808\r\n", nil, "invalid multibulk length"},
	{"count beyond uint64", "*99999999999999999999\r\n", nil, "invalid multibulk length"},
	{"count long", "*000000000000000000000000000001\r\n", nil, "invalid multibulk length"},
	{"count at the limit", "*1048576\r\n", nil, ""},
	{"count above the limit", "*1048577\r\n", nil, "invalid multibulk length"},
	{"count at 2^31", "*2147483647\r\n", nil, "invalid multibulk length"},
	{"length missing", "*1\r\n$\r\n", nil, "invalid bulk length"},
	{"length no number", "*1\r\n$1x\r\n", nil, "invalid bulk length"},
	{"length negative", "*1\r\n$-1\r\n", nil, "invalid bulk length"},
	{"length very negative", "*1\r\n$-1000\r\n", nil, "invalid bulk length"},
	{"length with zero", "*1\r\n$00\r\n", nil, "invalid bulk length"},
	{"length at the limit", "*1\r\n$536870912\r\n", nil, ""},
	{"length above the limit", "*1\r\n$536870913\r\n", nil, "invalid bulk length"},
	{"length near 2^63", "*1\r\n$9223372036854775807\r\n", nil, "invalid bulk length"},
	{"length below 2^63", "*1\r\n$9223372036854775805\r\n", nil, "invalid bulk length"},
	{"no length", "*1\r\nPING\r\n", nil, "expected '$', got 'P'"},
	{"empty length", "*1\r\n\r\n", nil, "expected '$', got '\r'"},
	{"byte above 127", "*1\r\n\xff\r\n", nil, "expected '$', got '\xff'"},
	{"array in array", "*1\r\n*1\r\n", nil, "expected '$', got '*'"},
	{"commands before an error", "PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n", cmds(cmd("PING"), cmd("PING")), "invalid multibulk length"},

	{"count line at the limit", "*" + strings.Repeat("1", 64<<10-1), nil, ""},
	{"count line above the limit", "*" + strings.Repeat("1", 64<<10), nil, "too big mbulk count string"},
	{"count line ended at the limit", "*" + strings.Repeat("1", 64<<10-1) + "\r\n", nil, "invalid multibulk length"},
	{"count line ended too late", "*" + strings.Repeat("1", 64<<10) + "\r\n", nil, "too big mbulk count string"},
	{"length line at the limit", "*1\r\n" + strings.Repeat("x", 64<<10), nil, ""},
	{"length line above the limit", "*1\r\n" + strings.Repeat("x", 64<<10+1), nil, "too big bulk count string"},
	{"line at the limit", strings.Repeat("x", 64<<10), nil, ""},
	{"line ended at the limit", strings.Repeat("x", 64<<10) + "\n", cmds(cmd(strings.Repeat("x", 64<<10))), ""},
	{"line above the limit", strings.Repeat("x", 64<<10+1), nil, "too big inline request"},
	{"line ended too late", strings.Repeat("x", 64<<10+1) + "\n", nil, "too big inline request"},
	{"NUL in a line above the limit", "\x00" + strings.Repeat("\n", 64<<10), nil, "too big inline request"},
	{"NUL in a count line above the limit", "*\x00" + strings.Repeat("\r\n", 32<<10), nil, "too big mbulk count string"},

	{"inline", "SET  k\tv\r\n", cmds(cmd("SET", "k", "v")), ""},
	{"inline with LF", "GET k\n", cmds(cmd("GET", "k")), ""},
	{"inline with blanks around", "  GET k \v\f\r\n", cmds(cmd("GET", "k")), ""},
	{"blanks that do not end", "GET\vk\f\r\n", cmds(cmd("GET\vk\f")), ""},
	{"CR inside", "GET\rk\r\r\n", cmds(cmd("GET", "k")), ""},
	{"looks like RESP", "$4\r\nPING\r\n", cmds(cmd("$4"), cmd("PING")), ""},
	{"double quotes", `SET "a b" ""` + "\r\n", cmds(cmd("SET", "a b", "")), ""},
	{"escapes", `ECHO "\n\r\t\b\a\\\"\'\z\x41\xfF"` + "\r\n", cmds(cmd("ECHO", "\n\r\t\b\a\\\"'z\x41\xff")), ""},
	{"half escapes", `ECHO "\x4\xg1\x"` + "\r\n", cmds(cmd("ECHO", "x4xg1x")), ""},
	{"NUL by escape", `ECHO "\x00"` + "\r\n", cmds(cmd("ECHO", "\x00")), ""},
	{"single quotes", `SET 'a "b' 'it\'s' '\n\\ '` + "\r\n", cmds(cmd("SET", `a "b`, `it's`, `\n\\ `)), ""},
	{"quotes inside", `ECHO a"b c" a'b c'` + "\r\n", cmds(cmd("ECHO", "ab c", "ab c")), ""},
	{"quotes then blank", "ECHO \"a\"\v'b'\n", cmds(cmd("ECHO", "a", "b")), ""},
	{"text after quotes", `ECHO "a"b` + "\r\n", nil, "unbalanced quotes in request"},
	{"quote after quotes", `ECHO "a"'b'` + "\r\n", nil, "unbalanced quotes in request"},
	{"open double quote", `ECHO "a` + "\r\n", nil, "unbalanced quotes in request"},
	{"open single quote", `ECHO 'a` + "\r\n", nil, "unbalanced quotes in request"},
	{"backslash at the end", `ECHO "a\` + "\r\n", nil, "unbalanced quotes in request"},
	{"escaped closing quote", `ECHO 'a\'` + "\r\n", nil, "unbalanced quotes in request"},
}

func TestReader(t *testing.T) {
	for _, tt := range readerTests {
		t.Run(tt.name, func(t *testing.T) {
			problem := tt.problem
			if problem != "" {
				problem = "Protocol error: " + problem
			}
			for name, size := range map[string]func() int{
				"whole": whole, "bytewise": bytewise, "random": randomCuts(1),
			} {
				r := NewReader(Limits{})
				r.SetAuthenticated(true)
				got, gotProblem := parse(t, r, tt.in, size)
				if !reflect.DeepEqual(got, tt.want) || gotProblem != problem {
					t.Errorf("%s: %.200q %q, want %.200q %q", name, got, gotProblem, tt.want, problem)
				}
			}
			if got, p := refParse(tt.in, Limits{}, true); !reflect.DeepEqual(got, tt.want) || p != problem {
				t.Errorf("reference: %.200q %q, want %.200q %q", got, p, tt.want, problem)
			}
		})
	}
}

func TestUnauthenticated(t *testing.T) {
	arg := func(n int) string { return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("a", n)) }
	for _, tt := range []struct {
		in       string
		commands int
		problem  string
	}{
		{"*10\r\n" + strings.Repeat(arg(1), 10), 1, ""},
		{"*11\r\n", 0, "Protocol error: unauthenticated multibulk length"},
		{"*1048577\r\n", 0, "Protocol error: invalid multibulk length"},
		{"*1\r\n" + arg(16384), 1, ""},
		{"*1\r\n$16385\r\n", 0, "Protocol error: unauthenticated bulk length"},
		{"*2\r\n" + arg(1) + "$16385\r\n", 0, "Protocol error: unauthenticated bulk length"},
		{"*1\r\n$536870913\r\n", 0, "Protocol error: invalid bulk length"},
		{"a b c d e f g h i j k l m\r\n", 1, ""},
	} {
		for name, size := range map[string]func() int{"whole": whole, "bytewise": bytewise} {
			commands, problem := parse(t, NewReader(Limits{}), tt.in, size)
			if len(commands) != tt.commands || problem != tt.problem {
				t.Errorf("%.30q %s: %d commands, %q", tt.in, name, len(commands), problem)
			}
		}
	}
}

// TestAuthenticating: what a pipeline may hold after AUTH is decided after AUTH
// was executed.
func TestAuthenticating(t *testing.T) {
	r := NewReader(Limits{})
	if err := r.Fill(strings.NewReader("AUTH x\r\n*11\r\n" + strings.Repeat("$1\r\na\r\n", 11))); err != nil {
		t.Fatal(err)
	}
	if args, ok, err := r.Next(); !ok || string(args[0]) != "AUTH" {
		t.Fatal(args, ok, err)
	}
	r.SetAuthenticated(true)
	if args, ok, err := r.Next(); !ok || len(args) != 11 {
		t.Fatal(args, ok, err)
	}
}

func TestSetLimits(t *testing.T) {
	const mb = 1 << 20
	r := NewReader(Limits{Bulk: mb})
	r.SetAuthenticated(true)
	if err := r.Fill(strings.NewReader("*2\r\n$4\r\nECHO\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); ok || err != nil {
		t.Fatal(ok, err)
	}
	r.SetLimits(Limits{Bulk: 2 * mb})
	if err := r.Fill(strings.NewReader("$1048577\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); ok || err != nil {
		t.Fatal(ok, err)
	}
	r.SetLimits(Limits{Multibulk: -1, Bulk: -1, Inline: -1, QueryBuffer: -1})
	if r.limits != (Limits{}).withDefaults() {
		t.Fatalf("limits %+v", r.limits)
	}
}

// TestHugeLimits: limits that leave no room above them must not overflow.
func TestHugeLimits(t *testing.T) {
	const most = int(^uint(0) >> 1)
	for _, in := range []string{
		"*1\r\n$9223372036854775807\r\nabc", "*1\r\n$2305843009213693951\r\nabc", "*9223372036854775807\r\n$1\r\na\r\n", "PING",
	} {
		r := NewReader(Limits{most, most, most, most})
		r.SetAuthenticated(true)
		if commands, _ := parse(t, r, in, bytewise); commands != nil {
			t.Errorf("%q: %q", in, commands)
		}
	}
}

func TestQueryBufferLimit(t *testing.T) {
	for _, in := range []string{
		"*2\r\n$4\r\nECHO\r\n$200000\r\n" + strings.Repeat("x", 200000),
		strings.Repeat("PING\r\n", 50000), // never taken
	} {
		r := NewReader(Limits{QueryBuffer: 100000})
		r.SetAuthenticated(true)
		src := &cut{in, func() int { return 1000 }}
		var err error
		for err == nil {
			if err = r.Fill(src); r.Size() > 100001 {
				t.Fatalf("a buffer of %d bytes", r.Size())
			}
		}
		if err != ErrQueryBufferLimit || r.Buffered() != 100001 {
			t.Errorf("%v with %d bytes", err, r.Buffered())
		}
		if _, ok, err := r.Next(); ok || err != ErrQueryBufferLimit {
			t.Errorf("Next: %v %v", ok, err)
		}
	}
}

// TestAnnouncedLengths: numbers that are sent reserve no memory.
func TestAnnouncedLengths(t *testing.T) {
	for _, in := range []string{
		"*1048576\r\n", "*1048576\r\n$536870912\r\n", "*1048576\r\n$536870912\r\nabc", "*2\r\n$1\r\na\r\n$536870912\r\nabc",
	} {
		r := NewReader(Limits{})
		r.SetAuthenticated(true)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parse(t, r, in, bytewise)
		runtime.ReadMemStats(&after)
		if r.Size() != minBuffer || cap(r.spans) > 8 || cap(r.args) > 8 {
			t.Errorf("%q: buffer %d, room for %d and %d arguments", in, r.Size(), cap(r.spans), cap(r.args))
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<10 {
			t.Errorf("%q: allocated %d bytes", in, n)
		}
	}
}

// TestNoRescan: a line without an end is searched once, however it is cut.
func TestNoRescan(t *testing.T) {
	for _, begin := range []string{"x", "*", "*1\r\n", "\x00", "*\x00"} {
		r := NewReader(Limits{})
		r.SetAuthenticated(true)
		src := &cut{begin + strings.Repeat("1", 64<<10-len(begin)), bytewise}
		for r.Fill(src) == nil {
			if _, ok, err := r.Next(); ok || err != nil {
				t.Fatal(ok, err)
			}
			if r.left > 0 && r.Buffered() == r.pos {
				continue
			}
			if r.scanned < r.Buffered()-1 && !r.hidden { // the byte after \r is waited for
				t.Fatalf("%q: %d of %d bytes searched", begin, r.scanned, r.Buffered())
			}
		}
	}
}

func bigCommand(size int) string {
	return fmt.Sprintf("*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", size, strings.Repeat("x", size))
}

func TestBufferGrowsWithBytes(t *testing.T) {
	for _, chunk := range []int{1, 100, 10000, 1 << 20} {
		r := NewReader(Limits{})
		r.SetAuthenticated(true)
		in := bigCommand(1<<20) + "*20000\r\n" + strings.Repeat("$1\r\na\r\n", 20000)
		got, problem := parse(t, r, in, func() int { return chunk }) // parse checks the memory
		if problem != "" || len(got) != 2 || len(got[0][1]) != 1<<20 || len(got[1]) != 20000 {
			t.Fatalf("%d commands, %q", len(got), problem)
		}
	}
}

// TestBufferSize follows the size of a connection's buffer through its life.
func TestBufferSize(t *testing.T) {
	r := NewReader(Limits{})
	r.SetAuthenticated(true)
	send := func(in string) {
		t.Helper()
		src := &cut{in, whole}
		for src.data != "" {
			if err := r.Fill(src); err != nil {
				t.Fatal(err)
			}
			for {
				_, ok, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
			}
		}
	}
	size := func(what string, want int) {
		t.Helper()
		if r.Size() != want || r.Buffered() != 0 {
			t.Fatalf("%s: buffer of %d bytes, want %d; %d buffered", what, r.Size(), want, r.Buffered())
		}
	}
	size("new", 0)
	for range 100 {
		send("PING\r\n")
	}
	size("requests", minBuffer)
	send(strings.Repeat("PING\r\n", 10000))
	size("pipeline", busyBuffer)
	send("*10000\r\n" + strings.Repeat("$1\r\na\r\n", 10000))
	send("PING\r\n")
	if cap(r.args) > keepArgs || cap(r.spans) > keepArgs {
		t.Fatalf("room for %d arguments kept", cap(r.args))
	}
	send(bigCommand(keepBuffer))
	if r.Size() <= keepBuffer {
		t.Fatalf("buffer of %d bytes holds more", r.Size())
	}
	old := r.args[:cap(r.args)]
	send("PING\r\n")
	size("after a large command", busyBuffer)
	for _, a := range old {
		if len(a) > keepBuffer/2 {
			t.Fatal("the large buffer is still referred to")
		}
	}
	for range 2 * slackFills {
		send("PING\r\n")
	}
	size("requests again", minBuffer)
	half := strings.Repeat("x", 3000)
	send(bigCommand(1<<20) + half)
	for range 3 {
		send(half)
	}
	if r.Size() > keepBuffer || r.Buffered() != 12000 {
		t.Fatalf("buffer of %d bytes for %d", r.Size(), r.Buffered())
	}
	send("\n" + bigCommand(20000))
	r.Release()
	size("released", 0)
	send("PING\r\n")
	size("after release", minBuffer)
}

func TestReleaseKeepsWhatWaits(t *testing.T) {
	r := NewReader(Limits{})
	if err := r.Fill(strings.NewReader("PING\r\n*1\r\n$4\r\nPI")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r.Release()
	if err := r.Fill(strings.NewReader("NG\r\n")); err != nil {
		t.Fatal(err)
	}
	if args, ok, err := r.Next(); !ok || err != nil || string(args[0]) != "PING" {
		t.Fatal(args, ok, err)
	}
	r.SetAuthenticated(true)
	r.Release()
	if !r.authenticated || r.limits != (Limits{}).withDefaults() {
		t.Fatal("Release forgot the settings")
	}
}

// TestFillErrors: bytes that come with an error count, and errors of the source
// are not the stream's.
func TestFillErrors(t *testing.T) {
	r := NewReader(Limits{})
	if err := r.Fill(iotest.DataErrReader(strings.NewReader("PING\r\n"))); err != io.EOF {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	broken := errors.New("broken")
	if err := r.Fill(iotest.ErrReader(broken)); err != broken {
		t.Fatal(err)
	}
	if err := r.Fill(strings.NewReader("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestArgumentsDoNotOverlap: appending to one argument must not change another.
func TestArgumentsDoNotOverlap(t *testing.T) {
	r := NewReader(Limits{})
	if err := r.Fill(strings.NewReader("*2\r\n$1\r\na\r\n$1\r\nb\r\nc 'd' e\r\n")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a b", "c d e"} {
		args, _, _ := r.Next()
		for _, a := range args {
			_ = append(a, "xxxxxxxxxxxxxxxxxxxx"...)
		}
		if got := string(bytes.Join(args, []byte(" "))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, tt := range readerTests {
		if len(tt.in) < 100 {
			f.Add([]byte(tt.in), uint64(7), true)
		}
	}
	f.Add([]byte("*11\r\n"), uint64(1), false)
	f.Add([]byte("*1\r\n$16385\r\n"), uint64(1), false)
	f.Add([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), uint64(3), true)
	f.Add([]byte("ECHO \"\\x41\" 'b' c\r\n*12\r\n$101\r\n"), uint64(2), true)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, authenticated bool) {
		// Limits that a short input reaches.
		limits := Limits{Multibulk: 40, Bulk: 20000, Inline: 60}
		want, problem := refParse(string(in), limits, authenticated)
		for _, size := range []func() int{whole, bytewise, randomCuts(seed)} {
			r := NewReader(limits)
			r.SetAuthenticated(authenticated)
			got, gotProblem := parse(t, r, string(in), size)
			if !reflect.DeepEqual(got, want) || gotProblem != problem {
				t.Fatalf("%q %q, want %q %q", got, gotProblem, want, problem)
			}
		}
	})
}

// Memory tells of lists of arguments, which outgrow the arguments where those
// are short.
func TestReaderMemory(t *testing.T) {
	r := NewReader(Limits{})
	r.SetAuthenticated(true)
	src := strings.NewReader("*100001\r\n" + strings.Repeat("$0\r\n\r\n", 100_000))
	for src.Len() > 0 {
		if err := r.Fill(src); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := r.Next(); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if got, want := r.Memory(), r.Size()+100_000*16; got < want {
		t.Errorf("a command of 100,000 empty arguments takes %d bytes, want at least %d", got, want)
	}
}

// The list of an inline command's arguments is not kept for long either.
func TestReaderForgetsManyInlineArguments(t *testing.T) {
	r := NewReader(Limits{})
	src := strings.NewReader(strings.Repeat("a ", 30_000) + "\n" + strings.Repeat("PING\n", 100))
	for src.Len() > 0 {
		if err := r.Fill(src); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; {
			var err error
			if _, ok, err = r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Fill(iotest.ErrReader(io.EOF))
	if got := r.Memory(); got > keepBuffer+keepArgs*24 {
		t.Errorf("%d bytes are held after small commands", got)
	}
}

// The buffer for a large argument grows with what came of it, by a factor that
// is smaller the larger it is.
func TestReaderGrowsWithWhatCame(t *testing.T) {
	r := NewReader(Limits{})
	r.SetAuthenticated(true)
	src := io.MultiReader(strings.NewReader("*1\r\n$536870912\r\n"), io.LimitReader(zeros{}, 8<<20))
	for {
		err := r.Fill(src)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Next()
		most := 4 * r.Buffered()
		if r.Buffered() > 2<<20 {
			most = 2 * r.Buffered()
		}
		if r.Size() > max(most, keepBuffer) {
			t.Fatalf("the buffer has %d bytes for %d that came", r.Size(), r.Buffered())
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	b = b[:min(len(b), 1<<15)]
	clear(b)
	return len(b), nil
}
