package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Bounds of pour.
const (
	pourClients  = 4
	pourPipeline = 256
)

// pour sends n commands, pipelined, and expects no error.
func pour(ctx context.Context, addr string, n int, command func(i int) (string, [][]byte)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range pourClients {
		wg.Go(func() {
			if err := pourOne(ctx, addr, n, &next, command); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func pourOne(ctx context.Context, addr string, n int, next *atomic.Int64, command func(i int) (string, [][]byte)) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := bufio.NewReaderSize(conn, 64<<10)
	var out []byte
	for ctx.Err() == nil {
		first := int(next.Add(pourPipeline)) - pourPipeline
		last := min(first+pourPipeline, n)
		if first >= n {
			return nil
		}
		out = out[:0]
		for i := first; i < last; i++ {
			name, args := command(i)
			out = appendCommand(out, name, args...)
		}
		sent := make(chan error, 1)
		go func() {
			_, err := conn.Write(out)
			sent <- err
		}()
		for range last - first {
			a, err := readAnswer(r)
			if err == nil && a.kind == '-' {
				err = fmt.Errorf("the server answered %s", a.text)
			}
			if err != nil {
				conn.Close()
				<-sent
				return err
			}
		}
		if err := <-sent; err != nil {
			return err
		}
	}
	return nil
}
