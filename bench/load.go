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
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is a closed-loop load of GET and SET: each client sends a batch of
// pipelined requests, waits for all answers, and sends the next. It does what
// redis-benchmark cannot: a mix of commands, and WAIT behind writes.
type load struct {
	addr     string
	clients  int
	pipeline int  // requests in a batch
	requests int  // in total, rounded up to whole batches
	writes   int  // of every 5 requests, how many are SET
	keys     int  // key:%012d below this, as redis-benchmark -r names them
	size     int  // of a value, in bytes
	wait     int  // > 0: one WAIT for so many replicas ends each batch that writes
	fill     bool // take the keys one after the other, not at random
}

const (
	mixParts    = 5 // a mix is counted in fifths
	allWrites   = mixParts
	dialTimeout = 5 * time.Second
)

// run puts the load on its server. Latency is that of a batch.
func (l load) run(ctx context.Context) (sample, error) {
	s, _, err := l.measure(ctx)
	return s, err
}

// measure is run that also returns the times of all batches.
func (l load) measure(ctx context.Context) (sample, *histogram, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]net.Conn, l.clients)
	for i := range conns {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", l.addr)
		if err != nil {
			return sample{}, nil, fmt.Errorf("load on %s: %w", l.addr, err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	// A cancelled run must not wait for a server that does not answer.
	defer context.AfterFunc(ctx, func() {
		for _, conn := range conns {
			conn.Close()
		}
	})()

	var taken atomic.Int64 // requests handed to clients
	var wg sync.WaitGroup
	times := make([]histogram, l.clients)
	start := time.Now()
	for i, conn := range conns {
		wg.Go(func() {
			c := &loadClient{load: l, conn: conn, r: bufio.NewReaderSize(conn, 64<<10), rng: rand.New(rand.NewPCG(1, uint64(i)))}
			for ctx.Err() == nil {
				first := int(taken.Add(int64(l.pipeline))) - l.pipeline
				if first >= l.requests {
					return
				}
				sent := time.Now()
				if err := c.batch(first); err != nil {
					cancel(err)
					return
				}
				times[i].add(time.Since(sent))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if err := context.Cause(ctx); err != nil {
		return sample{}, nil, fmt.Errorf("load on %s: %w", l.addr, err)
	}
	all := histogram{}
	for i := range times {
		all.merge(&times[i])
	}
	return sample{
		Requests: all.count() * l.pipeline,
		Ops:      float64(all.count()*l.pipeline) / took.Seconds(),
		P50:      all.quantile(0.50),
		P99:      all.quantile(0.99),
	}, &all, nil
}

type loadClient struct {
	load
	conn  net.Conn
	r     *bufio.Reader
	rng   *rand.Rand
	out   []byte
	value []byte
	kinds []byte // what each answer of a batch must be: see expect
}

// batch sends the requests from number first on and reads their answers.
func (c *loadClient) batch(first int) error {
	if c.value == nil {
		c.value = bytes.Repeat([]byte("x"), c.size)
	}
	c.out, c.kinds = c.out[:0], c.kinds[:0]
	wrote := false
	for n := first; n < first+c.pipeline; n++ {
		key := n % c.keys
		if !c.fill {
			key = c.rng.IntN(c.keys)
		}
		if n%mixParts < c.writes {
			c.out = appendCommand(c.out, "SET", keyName(key), c.value)
			c.kinds = append(c.kinds, '+')
			wrote = true
		} else {
			c.out = appendCommand(c.out, "GET", keyName(key))
			c.kinds = append(c.kinds, '$')
		}
	}
	if wrote && c.wait > 0 {
		c.out = appendCommand(c.out, "WAIT", []byte(strconv.Itoa(c.wait)), []byte("0"))
		c.kinds = append(c.kinds, ':')
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	for _, kind := range c.kinds {
		if err := c.expect(kind); err != nil {
			return err
		}
	}
	return nil
}

// expect reads one answer: '+' OK, '$' a value that is there, ':' the replicas
// that a WAIT reached.
func (c *loadClient) expect(kind byte) error {
	a, err := readAnswer(c.r)
	if err != nil {
		return err
	}
	switch {
	case a.kind == '-':
		return fmt.Errorf("the server answered %s", a.text)
	case a.kind != kind:
		return fmt.Errorf("an answer of kind %q, want %q", a.kind, kind)
	case kind == '$' && a.n < 0:
		return errors.New("a key of the load is not there")
	case kind == ':' && a.n < c.wait:
		return fmt.Errorf("WAIT reached %d replicas, want %d", a.n, c.wait)
	}
	return nil
}

func keyName(n int) []byte { return fmt.Appendf(nil, "key:%012d", n) }

// appendCommand encodes a command as a RESP array of bulk strings.
func appendCommand(b []byte, name string, args ...[]byte) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(1+len(args)), 10)
	b = append(b, "\r\n"...)
	b = appendBulk(b, []byte(name))
	for _, arg := range args {
		b = appendBulk(b, arg)
	}
	return b
}

func appendBulk(b, s []byte) []byte {
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, "\r\n"...)
	b = append(b, s...)
	return append(b, "\r\n"...)
}

// answer is a RESP answer that is no array.
type answer struct {
	kind byte   // its first byte
	n    int    // of ':' the number, of '$' the length, -1: null
	text string // of '+' and '-' the line
}

// readAnswer reads one answer and discards a bulk string's bytes.
func readAnswer(r *bufio.Reader) (answer, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return answer{}, fmt.Errorf("read an answer: %w", err)
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		return answer{}, errors.New("read an answer: an empty line")
	}
	a := answer{kind: line[0]}
	switch a.kind {
	case '+', '-':
		a.text = string(line[1:])
	case ':', '$':
		if a.n, err = strconv.Atoi(string(line[1:])); err != nil {
			return answer{}, fmt.Errorf("read an answer: %w", err)
		}
		if a.kind == '$' && a.n >= 0 {
			if _, err := io.CopyN(io.Discard, r, int64(a.n)+2); err != nil {
				return answer{}, fmt.Errorf("read an answer: %w", err)
			}
		}
	default:
		return answer{}, fmt.Errorf("read an answer: kind %q is not one the load asks for", a.kind)
	}
	return a, nil
}
