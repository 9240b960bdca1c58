package resp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests ask a real redis-server. It must be installed; its version is 7.0.

// redisServer is a redis-server on a unix socket, for one test.
type redisServer struct {
	t      *testing.T
	socket string
}

func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	dir := t.TempDir()
	s := &redisServer{t, filepath.Join(dir, "s")}
	server := exec.Command("redis-server", append([]string{
		"--port", "0", "--unixsocket", s.socket, "--dir", dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no", "--enable-debug-command", "yes",
	}, args...)...)
	log, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("redis-server 7.0 is needed: %v", err)
	}
	drained := make(chan struct{})
	t.Cleanup(func() {
		if err := server.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-drained
		_ = server.Wait() // killed
	})
	ready := make(chan bool, 1)
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "ready to accept connections") {
				ready <- true
			}
		}
		ready <- false
	}()
	if !<-ready {
		t.Fatal("redis-server did not start")
	}
	return s
}

// exchange is a stream to send on a new connection and what should come back.
type exchange struct {
	proto  int // of HELLO, which is sent first when this is set
	stream string
	size   func() int // of the pieces in which the stream is sent
	want   string     // the replies
	closes bool       // whether the server should close the connection after them
}

// replies sends the stream and returns all that is answered. Where the server
// should not close the connection, the client closes its half of it after the
// wanted replies, and gets what it did not want before the server's end.
func (s *redisServer) replies(e exchange) string {
	s.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.socket, Net: "unix"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if e.proto != 0 {
		s.hello(conn, e.proto)
	}
	sent := make(chan error, 1)
	go func() { sent <- sendPieces(conn, e.stream, e.size) }()
	var reply bytes.Buffer
	if !e.closes {
		// A reply that is too short shows up as a timeout here.
		if _, err := io.CopyN(&reply, conn, int64(len(e.want))); err != nil {
			s.t.Errorf("%.300q: %v after %.300q", e.stream, err, reply.String())
			return reply.String()
		}
		if err := errors.Join(<-sent, conn.CloseWrite()); err != nil {
			s.t.Errorf("%.300q: %v after %.300q", e.stream, err, reply.String())
		}
	}
	// A server that closes before it has read all resets the connection.
	if _, err := io.Copy(&reply, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		s.t.Errorf("%.300q: %v after %.300q", e.stream, err, reply.String())
	}
	if e.closes {
		if err := <-sent; err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			s.t.Errorf("%.300q: %v", e.stream, err)
		}
	}
	return reply.String()
}

func sendPieces(conn io.Writer, stream string, size func() int) error {
	for stream != "" {
		n := min(size(), len(stream))
		if _, err := io.WriteString(conn, stream[:n]); err != nil {
			return err
		}
		stream = stream[n:]
	}
	return nil
}

// hello switches the protocol and reads the answer, which ends with an empty
// list of modules.
func (s *redisServer) hello(conn net.Conn, proto int) {
	s.t.Helper()
	if _, err := fmt.Fprintf(conn, "HELLO %d\r\n", proto); err != nil {
		s.t.Fatal(err)
	}
	var reply []byte
	for !bytes.HasSuffix(reply, []byte("modules\r\n*0\r\n")) {
		var b [1]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			s.t.Fatalf("HELLO: %v after %q", err, reply)
		}
		reply = append(reply, b[0])
	}
}

// answer is what a server built on this package replies to a stream, and whether
// it closes the connection. It knows the commands of the streams below.
func answer(t *testing.T, r *Reader, stream string, size func() int) (reply string, closes bool) {
	t.Helper()
	commands, problem := parse(t, r, stream, size)
	var w Writer
	for _, args := range commands {
		execute(&w, args, r.authenticated)
	}
	if problem != "" {
		w.Error("ERR " + problem)
	}
	return string(w.B), problem != ""
}

func execute(w *Writer, args []string, authenticated bool) {
	name := strings.ToLower(args[0])
	known := name == "ping" || name == "echo" || name == "eval"
	switch {
	case !known:
		w.Error("ERR " + unknownCommand(args))
	case name == "ping" && len(args) > 2, name == "echo" && len(args) != 2, name == "eval" && len(args) < 3:
		w.Errorf("ERR wrong number of arguments for '%s' command", name)
	case !authenticated:
		w.Error("NOAUTH Authentication required.")
	case name == "ping" && len(args) == 1:
		w.SimpleString("PONG")
	case name == "eval" && args[1] == "return ARGV" && args[2] == "0":
		w.Array(len(args) - 3)
		for _, a := range args[3:] {
			w.BulkString(a)
		}
	case name == "eval":
		w.Error("not compared")
	default:
		w.BulkString(args[1])
	}
}

func unknownCommand(args []string) string {
	c := func(s string, most int) string { // C's "%.*s"
		s, _, _ = strings.Cut(s, "\x00")
		return s[:min(len(s), most)]
	}
	rest := ""
	for _, a := range args[1:] {
		if len(rest) >= 128 {
			break
		}
		rest += "'" + c(a, 128-len(rest)) + "' "
	}
	return "unknown command '" + c(args[0], 128) + "', with args beginning with: " + rest
}

// redisLimits are those of redis-server 7.0 with proto-max-bulk-len 1mb.
var redisLimits = Limits{Multibulk: math.MaxInt32, Bulk: 1 << 20}

func compare(t *testing.T, s *redisServer, stream string, authenticated bool) {
	t.Helper()
	for _, size := range []func() int{whole, bytewise} {
		r := NewReader(redisLimits)
		r.SetAuthenticated(authenticated)
		want, closes := answer(t, r, stream, size)
		if strings.Contains(want, "-not compared\r\n") {
			return
		}
		if got := s.replies(exchange{stream: stream, size: size, want: want, closes: closes}); got != want {
			t.Errorf("%.300q\nredis %.300q\nhere  %.300q", stream, got, want)
		}
		if len(stream) > 2000 {
			return // piece by piece would only take long
		}
	}
}

// redisStreams are compared in addition to readerTests.
var redisStreams = []string{
	"*2\r\n$4\r\nECHO\r\n$1048576\r\n" + strings.Repeat("x", 1<<20) + "\r\nPING\r\n",
	"*2\r\n$4\r\nECHO\r\n$1048577\r\n",
	"*2147483647\r\n", "*2147483648\r\n", "*-2147483649\r\nPING\r\n",
	"*1048577\r\n$1\r\na\r\n",
	"*11\r\n", "*1\r\n$16385\r\n", "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10),
	"*2\r\n$4\r\nECHO\r\n$16384\r\n" + strings.Repeat("x", 16384) + "\r\n",
	`eval "return ARGV" 0 a 'b c' "\x00\xff\n" d"e f" g` + "\r\n",
	`eval "return ARGV" 0 '\n' 'it\'s' "" '' "\q\x4" "\"` + "\r\n",
	"eval 'return ARGV' 0 \va\v\fb c\v \x80\xff\r\r\n",
	"*5\r\n$4\r\nEVAL\r\n$11\r\nreturn ARGV\r\n$1\r\n0\r\n$0\r\n\r\n$3\r\n\x00\r\n\r\n",
	"echo \"a\r\nb\"\r\n", "*1\r\n$4\r\na\r\nb\r\n", "*2\r\n$1\r\na\r\n$4\r\nb\n\rc\r\n",
	"*1\r\n$0\r\n\r\n", `""` + "\r\n", "foo " + strings.Repeat("bar ", 100) + "\r\n",
	strings.Repeat("x", 300) + " " + strings.Repeat("y", 300) + "\r\n",
}

// TestRedisStreams: the same bytes in, the same bytes out, closed in the same
// cases.
func TestRedisStreams(t *testing.T) {
	// Those of readerTests use the two as mere names.
	s := startRedis(t, "--proto-max-bulk-len", "1mb", "--rename-command", "SET", "", "--rename-command", "GET", "")
	for _, tt := range readerTests {
		if tt.name != "line ended too late" && tt.name != "count line ended too late" { // see the package comment
			compare(t, s, tt.in, true)
		}
	}
	for _, stream := range redisStreams {
		compare(t, s, stream, true)
	}
}

func TestRedisUnauthenticated(t *testing.T) {
	s := startRedis(t, "--proto-max-bulk-len", "1mb", "--requirepass", "secret")
	for _, stream := range append(redisStreams, "PING\r\n*11\r\n", "PING\r\n*1\r\n$4\r\nPING\r\n*2\r\n$16385\r\n") {
		compare(t, s, stream, false)
	}
}

// TestRedisRandomStreams breaks streams in random places.
func TestRedisRandomStreams(t *testing.T) {
	s := startRedis(t, "--proto-max-bulk-len", "1mb")
	pieces := []string{
		"*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n", "*2\r\n$4\r\nEcho\r\n$12\r\nabc\r\n$1\r\na\r\n\r\n",
		"PING\r\n", "echo 'a b'\n", `eval "return ARGV" 0 "a\x41" 'b\'' c"d"` + "\r\n", "\r\n", "*0\r\n", "*-1\r\n",
		"*5\r\n$4\r\nEVAL\r\n$11\r\nreturn ARGV\r\n$1\r\n0\r\n$0\r\n\r\n$10\r\n0123456789\r\n",
	}
	odd := "*$\r\n\x00\"'\\ 019-+x\xff\v"
	for seed := range uint64(1000) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var stream []byte
		for range 1 + rnd.IntN(4) {
			stream = append(stream, pieces[rnd.IntN(len(pieces))]...)
		}
		for range rnd.IntN(3) {
			i := rnd.IntN(len(stream))
			switch rnd.IntN(3) {
			case 0:
				stream[i] = odd[rnd.IntN(len(odd))]
			case 1:
				stream = append(stream[:i], stream[i+1:]...)
			default:
				stream = append(stream[:i], append([]byte{odd[rnd.IntN(len(odd))]}, stream[i:]...)...)
			}
		}
		if compare(t, s, string(stream), true); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestRedisShapes compares every type of reply in both protocols.
func TestRedisShapes(t *testing.T) {
	s := startRedis(t)
	write := map[string]func(w *Writer){
		"string":  func(w *Writer) { w.BulkString("Hello World") },
		"integer": func(w *Writer) { w.Int(12345) },
		"double":  func(w *Writer) { w.Double(3.141) },
		"bignum":  func(w *Writer) { w.BigNumber("1234567999999999999999999999999999999") },
		"null":    (*Writer).Null,
		"array": func(w *Writer) {
			w.Array(3)
			w.Int(0)
			w.Int(1)
			w.Int(2)
		},
		"set": func(w *Writer) {
			w.Set(3)
			w.Int(0)
			w.Int(1)
			w.Int(2)
		},
		"map": func(w *Writer) {
			w.Map(3)
			for i := range int64(3) {
				w.Int(i)
				w.Bool(i == 1)
			}
		},
		"attrib": func(w *Writer) {
			if w.Attribute(1) {
				w.BulkString("key-popularity")
				w.Array(2)
				w.BulkString("key:123")
				w.Int(90)
			}
			w.BulkString("Some real reply following the attribute")
		},
		"push": func(w *Writer) {
			if w.Proto < 3 {
				w.Error("ERR RESP2 is not supported by this command")
				return
			}
			w.Push(2)
			w.BulkString("server-cpu-usage")
			w.Int(42)
			w.BulkString("Some real reply following the push reply")
		},
		"verbatim": func(w *Writer) { w.Verbatim("txt", "This is a verbatim\nstring") },
		"true":     func(w *Writer) { w.Bool(true) },
		"false":    func(w *Writer) { w.Bool(false) },
	}
	for name, reply := range write {
		for proto := 2; proto <= 3; proto++ {
			w := Writer{Proto: proto}
			reply(&w)
			w.NullArray()
			w.OK()
			stream := "DEBUG PROTOCOL " + name + "\r\nLMPOP 1 nokey LEFT\r\nSET k v\r\n"
			if got := s.replies(exchange{proto: proto, stream: stream, size: whole, want: string(w.B)}); got != string(w.B) {
				t.Errorf("%s: redis %q, here %q", name, got, w.B)
			}
		}
	}
}

// command encodes a command.
func command(args ...string) string {
	var w Writer
	w.Array(len(args))
	for _, a := range args {
		w.BulkString(a)
	}
	return string(w.B)
}

func TestRedisIntegers(t *testing.T) {
	s := startRedis(t)
	texts := append([]string(nil), intTexts...)
	rnd := rand.New(rand.NewPCG(1, 3))
	for range 2000 {
		text := strconv.FormatInt(int64(rnd.Uint64())>>rnd.IntN(64), 10)
		if i := rnd.IntN(len(text) + 1); rnd.IntN(2) == 0 {
			text = text[:i] + string("0123456789-+ x"[rnd.IntN(14)]) + text[i:]
		}
		texts = append(texts, text)
	}
	compareCommands(t, s, 2, texts, func(text string, w *Writer) (stream string) {
		if n, ok := ParseInt([]byte(text)); ok {
			w.Int(n)
			w.Int(1)
		} else {
			w.Error("ERR value is not an integer or out of range")
			w.Int(0)
		}
		return command("INCRBY", "k", text) + command("DEL", "k")
	})
}

func TestRedisDoubles(t *testing.T) {
	// In a listpack, scores are kept as text and -0 is lost.
	s := startRedis(t, "--zset-max-listpack-entries", "0")
	rnd := rand.New(rand.NewPCG(1, 4))
	doubles := []float64{}
	for _, tt := range doubleTexts {
		doubles = append(doubles, tt.f)
	}
	for range 1000 {
		if f := math.Float64frombits(rnd.Uint64()); f == f {
			doubles = append(doubles, f, math.Round(rnd.NormFloat64()*1e4)/1e2, math.Floor(math.Ldexp(rnd.Float64(), rnd.IntN(70))))
		}
	}
	for proto := 2; proto <= 3; proto++ {
		compareCommands(t, s, proto, doubles, func(f float64, w *Writer) (stream string) {
			w.Int(1)
			w.Double(f)
			w.Int(1)
			return command("ZADD", "z", strconv.FormatFloat(f, 'e', -1, 64), "m") + command("ZSCORE", "z", "m") + command("DEL", "z")
		})
	}
}

func TestRedisLongDoubles(t *testing.T) {
	s := startRedis(t)
	type sum struct{ a, b string }
	var sums []sum
	for _, tt := range longDoubleSums {
		sums = append(sums, sum{tt.a, tt.b})
	}
	rnd := rand.New(rand.NewPCG(1, 5))
	number := func() string {
		switch rnd.IntN(6) {
		case 0:
			return strconv.FormatFloat(math.Float64frombits(rnd.Uint64()), 'g', -1, 64)
		case 1:
			return strconv.FormatFloat(math.Round(rnd.NormFloat64()*1e4)/1e2, 'f', -1, 64)
		case 2:
			return strconv.FormatInt(int64(rnd.Uint64()), 10)
		case 3:
			return fmt.Sprintf("%d%d.%d", rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
		case 4:
			return fmt.Sprintf("%d.%de%d", rnd.Uint32(), rnd.Uint64(), rnd.IntN(100)-70)
		default:
			return fmt.Sprintf("-0x%x.%xp%d", rnd.Uint64(), rnd.Uint32(), rnd.IntN(300)-200)
		}
	}
	for range 1000 {
		sums = append(sums, sum{number(), number()})
	}
	for range 100 { // at the borders of the range
		sums = append(sums, sum{fmt.Sprintf("%d.%de%d", 1+rnd.IntN(9), rnd.Uint64(), 4928+rnd.IntN(6)), "0"},
			sum{fmt.Sprintf("%d.%de-%d", 1+rnd.IntN(9), rnd.Uint64(), 4948+rnd.IntN(5)), "0"})
	}
	compareCommands(t, s, 2, sums, func(x sum, w *Writer) (stream string) {
		w.OK()
		_, ok1 := ParseLongDouble([]byte(x.a))
		_, ok2 := ParseLongDouble([]byte(x.b))
		switch text := addText(x.a, x.b); {
		case text != "":
			w.BulkString(text)
		case ok1 && ok2:
			w.Error("ERR increment would produce NaN or Infinity")
		default:
			w.Error("ERR value is not a valid float")
		}
		return command("SET", "k", x.a) + command("INCRBYFLOAT", "k", x.b)
	})
}

// TestRedisScores compares what is a score and what is the end of a range of scores.
func TestRedisScores(t *testing.T) {
	s := startRedis(t)
	texts := slices.Clone(scoreTexts)
	rnd := rand.New(rand.NewPCG(1, 6))
	for range 1000 {
		f := math.Float64frombits(rnd.Uint64())
		texts = append(texts, strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(f, 'x', -1, 64),
			fmt.Sprintf("%d.%de%d", rnd.Uint32(), rnd.Uint64(), rnd.IntN(700)-350),
			fmt.Sprintf("0x%x.%xp%d", rnd.Uint32(), rnd.Uint64(), rnd.IntN(2300)-1150))
	}
	compareCommands(t, s, 2, texts, func(text string, w *Writer) (stream string) {
		f, ok := ParseDouble([]byte(text))
		if f == 0 {
			f = 0 // its sign is lost
		}
		w.OK()
		if ok {
			w.Int(1)
			w.Double(f)
		} else {
			w.Error("ERR value is not a valid float")
			w.Null()
		}
		w.Int(1)
		if low, ok := ParseLooseDouble([]byte(text)); !ok {
			w.Error("ERR min or max is not a float")
		} else if low <= 0.25 {
			w.Int(1)
		} else {
			w.Int(0)
		}
		return command("FLUSHALL") + command("ZADD", "k", text, "m") + command("ZSCORE", "k", "m") +
			command("ZADD", "l", "0.25", "m") + command("ZCOUNT", "l", text, "+inf")
	})
}

// compareCommands compares the replies to the commands of every case. The
// function returns the commands and writes what they should answer.
func compareCommands[T any](t *testing.T, s *redisServer, proto int, cases []T, f func(T, *Writer) (stream string)) {
	t.Helper()
	wrong := 0
	for _, c := range cases {
		w := Writer{Proto: proto}
		stream := f(c, &w)
		if got := s.replies(exchange{proto: proto, stream: stream, size: whole, want: string(w.B)}); got != string(w.B) {
			t.Errorf("%.100v: redis %.100q, here %.100q", c, got, w.B)
			if wrong++; wrong == 10 {
				return
			}
		}
	}
}
