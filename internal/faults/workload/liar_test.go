package workload

import (
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/redcon"
)

// liar stands before a real server and passes on other commands than it was
// sent, so that a test sees what a workload makes of a server that breaks its
// promises. Replies pass as they are.
type liar struct {
	ln     net.Listener
	target string
	lie    lie
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
}

// lie returns what to send in place of a command. It is called by one goroutine
// a connection; said is of that connection: the names of the commands it has
// sent so far.
type lie func(said map[string]int, command []string) []string

// newLiar starts one and returns its address.
func newLiar(t *testing.T, target string, l lie) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &liar{ln: ln, target: target, lie: l, conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return ln.Addr().String()
}

func (s *liar) accept() {
	for {
		client, err := s.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", s.target)
		if err != nil {
			client.Close()
			continue
		}
		if !s.add(client, server) {
			return
		}
		s.wg.Go(func() {
			defer s.remove(client, server)
			io.Copy(client, server)
		})
		s.wg.Go(func() {
			defer s.remove(client, server)
			s.pass(client, server)
		})
	}
}

func (s *liar) pass(client io.Reader, server io.Writer) {
	said := map[string]int{}
	commands := redcon.NewReader(client)
	for {
		cmd, err := commands.ReadCommand()
		if err != nil {
			return
		}
		args := make([]string, len(cmd.Args))
		for i, a := range cmd.Args {
			args[i] = string(a)
		}
		args[0] = strings.ToUpper(args[0])
		send := s.lie(said, args)
		said[args[0]]++
		out := redcon.AppendArray(nil, len(send))
		for _, a := range send {
			out = redcon.AppendBulkString(out, a)
		}
		if _, err := server.Write(out); err != nil {
			return
		}
	}
}

func (s *liar) add(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		if s.conns == nil {
			c.Close()
			continue
		}
		s.conns[c] = struct{}{}
	}
	return s.conns != nil
}

func (s *liar) remove(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(s.conns, c)
	}
}

func (s *liar) close() {
	s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

// every changes each nth command of a connection that match picks.
func every(n int, match func(command []string) bool, change func(command []string) []string) lie {
	return func(said map[string]int, command []string) []string {
		if !match(command) {
			return command
		}
		said["matched"]++
		if said["matched"]%n != 0 {
			return command
		}
		return change(command)
	}
}

func named(name string) func([]string) bool {
	return func(command []string) bool { return command[0] == name }
}

func instead(send ...string) func([]string) []string {
	return func([]string) []string { return send }
}

// Commands whose replies look like another's.
var (
	sayOK    = []string{"EVAL", "return redis.status_reply('OK')", "0"}
	sayMoved = []string{"EVAL", "return redis.error_reply('MOVED 0 elsewhere')", "0"}
)

// say is a command that is answered with a list of strings, or, for "", nils.
func say(values ...string) []string {
	lua := "return {"
	for _, v := range values {
		if v == "" {
			lua += "false,"
		} else {
			lua += strconv.Quote(v) + ","
		}
	}
	return []string{"EVAL", lua + "}", "0"}
}

// then is a lie on top of another.
func (l lie) then(next lie) lie {
	return func(said map[string]int, command []string) []string {
		return next(said, l(said, command))
	}
}

// asPrimary and asReplica make redis-server, which does not know READONLY
// outside of its own cluster mode, answer as Redoubt's nodes do.
func asPrimary(_ map[string]int, command []string) []string {
	if command[0] == "READONLY" {
		return sayOK
	}
	return command
}

func asReplica(said map[string]int, command []string) []string {
	switch {
	case command[0] == "READONLY":
		return sayOK
	case command[0] == "GET" || command[0] == "HGET" || command[0] == "MGET" || command[0] == "PTTL" || command[0] == "MULTI":
		if said["READONLY"] == 0 {
			return sayMoved
		}
	}
	return command
}
