package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// runGC compares the latency of GET with little and with much data in the server.
func (b *bencher) runGC(ctx context.Context, h *testenv.Program, c config, out io.Writer) error {
	fmt.Fprintf(out, "\n## Garbage collection\n\nGET of random keys, 8 clients, %g s, while one more client sets 2,000 keys a second; %d rounds, and as many with MEMORY PURGE after a quarter, which has Go collect at once.\n\n", b.seconds, b.rounds)
	fmt.Fprintln(out, "| data | server | purged | GET/s | p50 ms | p99 ms | p99.9 ms | longest ms | collections | their longest pause ms | their share of the processor time |")
	fmt.Fprintln(out, "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	return b.withServers(h, func() error {
		servers := []*server{startRedisPlain(h)}
		if !c.redisOnly {
			node := startRedoubtNode(h, c.redoubt, testenv.StartEtcd(h, 1, testenv.EtcdOptions{}), "--head-limit", "1GiB")
			node.name = "redoubt"
			servers = append(servers, node)
		}
		value := []byte(strings.Repeat("v", b.size))
		for _, st := range gcStages(c, value) {
			for _, s := range servers {
				b.say("garbage collection: %s in %s", st.what, s.name)
				if err := pour(ctx, s.addr, st.add, st.command); err != nil {
					return fmt.Errorf("fill %s: %w", s.name, err)
				}
				if err := b.gcRounds(ctx, s, st, value, out); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// gcStage is what the servers hold: what came before and add more commands.
type gcStage struct {
	what    string
	strings int // keys that GET and SET choose from
	add     int
	command func(i int) (string, [][]byte)
}

// gcStages begin with little data. Strings are more of the keys that are read, hashes lie
// beside them.
func gcStages(c config, value []byte) []gcStage {
	const few = 100_000
	set := func(from int) func(i int) (string, [][]byte) {
		return func(i int) (string, [][]byte) { return "SET", [][]byte{keyName(from + i), value} }
	}
	stages := []gcStage{{fmt.Sprintf("%d strings", few), few, few, set(0)}}
	keys := few
	if c.gcKeys > few {
		keys = c.gcKeys
		stages = append(stages, gcStage{fmt.Sprintf("%d strings", keys), keys, keys - few, set(few)})
	}
	if c.gcHashes > 0 {
		const fields = 10
		stages = append(stages, gcStage{fmt.Sprintf("%d strings, %d hashes of %d fields", keys, c.gcHashes, fields), keys, c.gcHashes, func(i int) (string, [][]byte) {
			args := [][]byte{append([]byte("hash:"), keyName(i)...)}
			for f := range fields {
				args = append(args, []byte{byte('a' + f)}, value[:min(len(value), 16)])
			}
			return "HSET", args
		}})
	}
	return stages
}

// gcRounds measures a server at a stage, and prints a row a round.
func (b *bencher) gcRounds(ctx context.Context, s *server, st gcStage, value []byte, out io.Writer) error {
	f, err := footprint(ctx, s)
	if err != nil {
		return err
	}
	for round := range 2 * b.rounds {
		purged := round%2 == 1
		line, err := b.gcRound(ctx, s, st.strings, value, purged)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s, %s | %s | %s | %s |\n", st.what, gib(f.used), s.name, map[bool]string{true: "yes", false: "no"}[purged], line)
	}
	return nil
}

// gcRound is one measurement, with or without MEMORY PURGE within; it returns
// the row from the rate on.
func (b *bencher) gcRound(ctx context.Context, s *server, keys int, value []byte, purged bool) (string, error) {
	before, err := gcStats(ctx, s)
	if err != nil {
		return "", err
	}
	_, cpu, err := s.cpu()
	if err != nil {
		return "", err
	}
	wctx, stop := context.WithCancel(ctx)
	var writes sync.WaitGroup
	var writeErr error
	writes.Go(func() {
		if err := trickle(wctx, s.addr, keys, value); wctx.Err() == nil {
			writeErr = err
		}
	})
	var purgeErr error
	if purged {
		writes.Go(func() { purgeErr = purgeAfter(wctx, s.addr, time.Duration(b.seconds*float64(time.Second)/4)) })
	}
	l := load{addr: s.addr, clients: 8, pipeline: 1, keys: keys, size: b.size, requests: int(b.seconds * 60_000)}
	got, times, err := l.measure(ctx)
	stop()
	writes.Wait()
	if err := errors.Join(err, writeErr, purgeErr); err != nil {
		return "", err
	}
	after, err := gcStats(ctx, s)
	if err != nil {
		return "", err
	}
	_, cpuAfter, err := s.cpu()
	row := fmt.Sprintf("%s | %s | %s | %s | %s", thousands(got.Ops), millis(got.P50), millis(got.P99), millis(times.quantile(0.999)), millis(times.quantile(1)))
	if after.runs == 0 {
		return row + " | - | - | -", err
	}
	share := (after.cpu - before.cpu) / (cpuAfter - cpu).Seconds()
	return fmt.Sprintf("%s | %.0f | %.3f | %.1f %%", row, after.runs-before.runs, 1000*after.longest, 100*share), err
}

// purgeAfter sends MEMORY PURGE when d has passed. That ctx ended before is an
// error: the round had no collection.
func purgeAfter(ctx context.Context, addr string, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return errors.New("the round was over before MEMORY PURGE")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(appendCommand(nil, "MEMORY", []byte("PURGE"))); err != nil {
		return err
	}
	if a, err := readAnswer(bufio.NewReader(conn)); err != nil || a.kind != '+' {
		return fmt.Errorf("MEMORY PURGE: %s, %w", a.text, err)
	}
	return nil
}

// trickle sets random keys, 2,000 a second, until ctx ends, so that there is garbage.
func trickle(ctx context.Context, addr string, keys int, value []byte) error {
	const batch, every = 10, 5 * time.Millisecond
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := bufio.NewReader(conn)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var out []byte
	for ctx.Err() == nil {
		out = out[:0]
		for range batch {
			out = appendCommand(out, "SET", keyName(rand.IntN(keys)), value)
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		for range batch {
			if a, err := readAnswer(r); err != nil || a.kind != '+' {
				return fmt.Errorf("SET: %s, %w", a.text, err)
			}
		}
		<-tick.C
	}
	return nil
}

// gcNumbers are of a Go program; all zero for redis-server.
type gcNumbers struct{ runs, cpu, longest float64 }

func gcStats(ctx context.Context, s *server) (g gcNumbers, err error) {
	if s.metrics == "" {
		return g, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics, nil)
	if err != nil {
		return g, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return g, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return g, err
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		name, value, _ := strings.Cut(string(line), " ")
		to := map[string]*float64{
			"go_gc_duration_seconds_count": &g.runs, `go_gc_duration_seconds{quantile="1"}`: &g.longest,
			"go_cpu_classes_gc_total_cpu_seconds_total": &g.cpu,
		}[name]
		if to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return g, err
			}
		}
	}
	return g, nil
}

func gib(bytes int64) string { return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30)) }
