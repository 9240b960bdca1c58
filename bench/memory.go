package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// memoryKind is one kind of value, of which many are stored.
type memoryKind struct {
	name string
	// parts is how many keys of the plain number one key stands for: large values are
	// fewer.
	parts int
	// write is the command that makes the i-th key.
	write func(i int) (command string, args [][]byte)
}

// elements is how many fields, members or entries the aggregates have.
const elements = 10

// memoryKinds are what the report is about. Values are short words that do not
// compress and are no integers unless the name says so.
func memoryKinds() []memoryKind {
	many := func(command string, parts, n int, element func(i, j int) []string) func(int) (string, [][]byte) {
		return func(i int) (string, [][]byte) {
			args := [][]byte{keyName(i)}
			for j := range n {
				for _, s := range element(i, j) {
					args = append(args, []byte(s))
				}
			}
			return command, args
		}
	}
	word := func(i, j int) string { return fmt.Sprintf("w%07x%x", uint32(i*31+j)*2654435761>>4, j) }
	pair := func(i, j int) []string { return []string{fmt.Sprintf("field%d", j), word(i, j)} }
	const large = 1000
	return []memoryKind{
		{"string of 64 bytes", 1, func(i int) (string, [][]byte) {
			return "SET", [][]byte{keyName(i), []byte(strings.Repeat(word(i, 0), 8)[:64])}
		}},
		{"string, an integer", 1, func(i int) (string, [][]byte) { return "SET", [][]byte{keyName(i), []byte(strconv.Itoa(i * 7))} }},
		{"string of 64 bytes with an expiry", 1, func(i int) (string, [][]byte) {
			return "SET", [][]byte{keyName(i), []byte(strings.Repeat(word(i, 0), 8)[:64]), []byte("EX"), []byte("1000000")}
		}},
		{"hash of 10 fields", 1, many("HSET", 1, elements, pair)},
		{"list of 10 words", 1, many("RPUSH", 1, elements, func(i, j int) []string { return []string{word(i, j)} })},
		{"set of 10 integers", 1, many("SADD", 1, elements, func(i, j int) []string { return []string{strconv.Itoa(i + j*1000)} })},
		{"set of 10 words", 1, many("SADD", 1, elements, func(i, j int) []string { return []string{word(i, j)} })},
		{"sorted set of 10 words", 1, many("ZADD", 1, elements, func(i, j int) []string { return []string{strconv.Itoa(i + j), word(i, j)} })},
		{"stream of 10 entries", 10, func(i int) (string, [][]byte) {
			return "XADD", [][]byte{keyName(i / 10), []byte("*"), []byte("field"), []byte(word(i, 1))}
		}},
		{"hash of 1000 fields", large, many("HSET", large, large, pair)},
		{"list of 1000 words", large, many("RPUSH", large, large, func(i, j int) []string { return []string{word(i, j)} })},
		{"set of 1000 words", large, many("SADD", large, large, func(i, j int) []string { return []string{word(i, j)} })},
		{"sorted set of 1000 words", large, many("ZADD", large, large, func(i, j int) []string { return []string{strconv.Itoa(i + j), word(i, j)} })},
	}
}

// footprintOf is what a server says of its memory, in bytes.
type footprintOf struct{ used, dataset, rss int64 }

func (f footprintOf) less(g footprintOf) footprintOf {
	return footprintOf{f.used - g.used, f.dataset - g.dataset, f.rss - g.rss}
}

// runMemory stores keys of every kind in fresh servers and prints what a key takes.
func (b *bencher) runMemory(ctx context.Context, h *testenv.Program, c config, out io.Writer) error {
	fmt.Fprintf(out, "\n## Memory\n\nBytes a key, of %d keys (of the large ones a thousandth, of streams a tenth), less what the empty server has.\n"+
		"used: redis-server's used_memory; Redoubt's records and its Go heap after a collection, and what it accounts for as data.\n\n", b.keys)
	fmt.Fprintln(out, "| a key | redis used | redis RSS | redoubt used | redoubt data | redoubt RSS | used of used | RSS of RSS |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, k := range memoryKinds() {
		var of [2]footprintOf
		err := b.withServers(h, func() error {
			servers := []*server{startRedisPlain(h)}
			if !c.redisOnly {
				servers = append(servers, startRedoubtNode(h, c.redoubt, testenv.StartEtcd(h, 1, testenv.EtcdOptions{})))
			}
			for i, s := range servers {
				b.say("memory: %s in %s", k.name, s.name)
				f, err := b.weigh(ctx, s, k)
				if err != nil {
					return fmt.Errorf("%s in %s: %w", k.name, s.name, err)
				}
				of[i] = f
			}
			return nil
		})
		if err != nil {
			return err
		}
		n := max(1, int64(b.keys/k.parts))
		r, o := of[0], of[1]
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %d | %s | %s |\n", k.name, r.used/n, r.rss/n, o.used/n, o.dataset/n, o.rss/n,
			times(float64(o.used)/float64(r.used)), times(float64(o.rss)/float64(r.rss)))
	}
	return nil
}

// weigh stores keys of a kind in an empty server and returns what they take.
func (b *bencher) weigh(ctx context.Context, s *server, k memoryKind) (footprintOf, error) {
	before, err := footprint(ctx, s)
	if err != nil {
		return footprintOf{}, err
	}
	commands := b.keys / k.parts
	if k.parts == elements { // one command an entry
		commands = b.keys
	}
	if err := pour(ctx, s.addr, commands, k.write); err != nil {
		return footprintOf{}, err
	}
	after, err := footprint(ctx, s)
	return after.less(before), err
}

const (
	// settleTime bounds the wait until a server has nothing in flight any more.
	settleTime = 2 * time.Minute
	// settlePause is the time between two looks, steadyReads how many of them have to
	// find the memory as it was.
	settlePause = 200 * time.Millisecond
	steadyReads = 5
)

// footprint reads a server's memory when nothing is in flight: Redoubt's log is sealed
// and its garbage collected.
func footprint(ctx context.Context, s *server) (f footprintOf, err error) {
	deadline := time.Now().Add(settleTime)
	for {
		info, err := infoOf(ctx, s.addr)
		if err != nil {
			return f, err
		}
		if info["seq_sealed"] == info["seq_committed"] { // neither in redis-server
			break
		}
		if time.Now().After(deadline) {
			return f, fmt.Errorf("entries up to %s of %s are sealed after %v", info["seq_sealed"], info["seq_committed"], settleTime)
		}
		select {
		case <-ctx.Done():
			return f, context.Cause(ctx)
		case <-time.After(settlePause):
		}
	}
	if a, err := do(ctx, s.addr, "MEMORY", "PURGE"); err != nil || a.kind == '-' {
		return f, fmt.Errorf("MEMORY PURGE: %s, %w", a.text, err)
	}
	// It is done in the background: wait until it has brought all that it will.
	for steady := 0; steady < steadyReads; steady++ {
		select {
		case <-ctx.Done():
			return f, context.Cause(ctx)
		case <-time.After(settlePause):
		}
		now, err := memoryOf(ctx, s)
		if err != nil {
			return f, err
		}
		if f.used == 0 || now.used < f.used-f.used/200 || now.rss < f.rss-f.rss/200 {
			steady = -1
		}
		f = now
	}
	return f, nil
}

// memoryOf reads a server's memory.
func memoryOf(ctx context.Context, s *server) (f footprintOf, err error) {
	info, err := infoOf(ctx, s.addr)
	for name, to := range map[string]*int64{"used_memory": &f.used, "used_memory_dataset": &f.dataset, "used_memory_rss": &f.rss} {
		if err == nil {
			*to, err = strconv.ParseInt(info[name], 10, 64)
		}
	}
	return f, err
}

// infoOf is INFO everything as fields.
func infoOf(ctx context.Context, addr string) (map[string]string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(appendCommand(nil, "INFO", []byte("everything"))); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil || line[0] != '$' {
		return nil, fmt.Errorf("INFO: %q, %w", line, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for _, l := range strings.Split(string(body), "\r\n") {
		if name, value, ok := strings.Cut(l, ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}
