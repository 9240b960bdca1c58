package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// etcd is the embedded member and a client that calls it without a network.
type etcd struct {
	server *embed.Etcd
	client *clientv3.Client

	closeOnce sync.Once
	closeErr  error
}

// etcdConfig is an etcd member that keeps its data in dir. Its settings keep
// memory and file small under a log that is written and trimmed all the time:
// few raft entries in memory, two WAL files, and large backend batches, which
// halve the p99 of appends. The quota leaves room for many times a full head.
func etcdConfig(dir string, log *slog.Logger) *embed.Config {
	any127 := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c := embed.NewConfig()
	c.Name = "dev"
	c.Dir = dir
	c.ListenPeerUrls, c.AdvertisePeerUrls = any127, any127
	c.ListenClientUrls, c.AdvertiseClientUrls = any127, any127
	c.InitialCluster = c.Name + "=" + any127[0].String()
	c.SnapshotCount = 1000
	c.SnapshotCatchUpEntries = 500
	c.MaxWalFiles = 2
	c.BackendBatchInterval = time.Second
	c.BackendBatchLimit = 100_000
	c.QuotaBackendBytes = 8 << 30
	c.ElectionMs = 500
	c.TickMs = 50
	c.EnableGRPCGateway = false
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(etcdLog{log}))
	return c
}

// startEtcd runs etcd on the directory and waits until it answers.
func startEtcd(ctx context.Context, dir string, log *slog.Logger) (*etcd, error) {
	server, err := embed.StartEtcd(etcdConfig(filepath.Join(dir, "etcd"), log))
	if err != nil {
		return nil, fmt.Errorf("dev: start etcd: %w", err)
	}
	e := &etcd{server: server}
	select {
	case <-server.Server.ReadyNotify():
	case err = <-server.Err():
	case <-server.Server.StopNotify():
		err = errors.New("it stopped")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dev: start etcd: %w", err), e.close())
	}
	e.client = v3client.New(server.Server)
	return e, nil
}

// url is where etcd listens for clients.
func (e *etcd) url() string { return "http://" + e.server.Clients[0].Addr().String() }

// close ends the client and the member. Its Close must not run twice.
func (e *etcd) close() error {
	e.closeOnce.Do(func() {
		if e.client != nil {
			e.closeErr = e.client.Close()
			if errors.Is(e.closeErr, context.Canceled) { // what a client without a connection answers
				e.closeErr = nil
			}
		}
		e.server.Close()
	})
	return e.closeErr
}

// etcdLog is a zapcore.Core that passes on what etcd logs as an error. What it
// logs as fatal ends the process, so that must not go unheard; its other errors
// include what is said on every start and stop, so they are for debugging.
type etcdLog struct{ log *slog.Logger }

// Enabled implements zapcore.LevelEnabler.
func (l etcdLog) Enabled(level zapcore.Level) bool { return level >= zapcore.ErrorLevel }

// With implements zapcore.Core.
func (l etcdLog) With(fields []zapcore.Field) zapcore.Core {
	return etcdLog{l.log.With(attributes(fields)...)}
}

// Check implements zapcore.Core.
func (l etcdLog) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.Enabled(e.Level) {
		return c.AddCore(e, l)
	}
	return c
}

// Write implements zapcore.Core.
func (l etcdLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelDebug
	if e.Level > zapcore.ErrorLevel {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "etcd: "+e.Message, attributes(fields)...)
	return nil
}

// Sync implements zapcore.Core.
func (etcdLog) Sync() error { return nil }

// attributes are a zap entry's fields for slog.
func attributes(fields []zapcore.Field) []any {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	attrs := make([]any, 0, len(m.Fields))
	for _, k := range slices.Sorted(maps.Keys(m.Fields)) {
		attrs = append(attrs, slog.Any(k, m.Fields[k]))
	}
	return attrs
}
