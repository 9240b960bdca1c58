package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// recordSize is about what a SET of the default size takes in the log.
const recordSize = 256

// Names of the probes in the report.
const (
	rawPrefix = "raw "
	rawSync   = rawPrefix + "write and fdatasync"
	rawPut    = rawPrefix + "etcd put"
	rawTxn    = rawPrefix + "etcd transaction"
)

// probe measures the parts that a durable write is made of, one after the other
// with nothing else in flight.
type probe struct {
	name string
	once func(ctx context.Context, n int) error // the n-th write, n from 0 without gaps
	next int
}

func (p *probe) run(ctx context.Context, requests int) (sample, error) {
	var h histogram
	start := time.Now()
	for range requests {
		sent := time.Now()
		if err := p.once(ctx, p.next); err != nil {
			return sample{}, fmt.Errorf("%s: %w", p.name, err)
		}
		h.add(time.Since(sent))
		p.next++
	}
	return sample{
		Requests:  requests,
		Ops:       float64(requests) / time.Since(start).Seconds(),
		P50:       h.quantile(0.50),
		P99:       h.quantile(0.99),
		ServerCPU: unknown,
		AllCPU:    unknown,
	}, nil
}

// syncProbe appends to a file and waits until the disk has it.
func syncProbe(dir string) (*probe, func() error, error) {
	f, err := os.OpenFile(filepath.Join(dir, "sync-probe"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	record := make([]byte, recordSize)
	return &probe{name: rawSync, once: func(context.Context, int) error {
		if _, err := f.Write(record); err != nil {
			return err
		}
		return fdatasync(f)
	}}, f.Close, nil
}

// putProbe puts keys of the form and size of log entries, without a condition.
func putProbe(cli *clientv3.Client) *probe {
	value := strings.Repeat("x", recordSize)
	return &probe{name: rawPut, once: func(ctx context.Context, n int) error {
		_, err := cli.Put(ctx, fmt.Sprintf("/probe/put/%020d", n), value)
		return err
	}}
}

// txnProbe appends as Redoubt's log does: the entry is put if the leader key is
// still the one it was and the place in the log is free.
func txnProbe(ctx context.Context, cli *clientv3.Client) (*probe, error) {
	const leader = "/probe/leader"
	resp, err := cli.Get(ctx, leader)
	if err == nil && len(resp.Kvs) == 0 {
		if _, err = cli.Put(ctx, leader, "x"); err == nil {
			resp, err = cli.Get(ctx, leader)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("raw etcd transaction: %w", err)
	}
	epoch := resp.Kvs[0].CreateRevision
	value := strings.Repeat("x", recordSize)
	return &probe{name: rawTxn, once: func(ctx context.Context, n int) error {
		key := fmt.Sprintf("/probe/log/%020d", n)
		resp, err := cli.Txn(ctx).If(
			clientv3.Compare(clientv3.CreateRevision(leader), "=", epoch),
			clientv3.Compare(clientv3.CreateRevision(key), "=", 0),
		).Then(clientv3.OpPut(key, value)).Commit()
		if err == nil && !resp.Succeeded {
			err = fmt.Errorf("the condition of %s did not hold", key)
		}
		return err
	}}, nil
}
