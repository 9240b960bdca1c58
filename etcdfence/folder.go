package etcdfence

import (
	"context"
	"fmt"
	"maps"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// watchFolder calls fn with the values of all keys of a cluster that begin with prefix, by
// what follows it, now and after each change, until ctx ends. It survives etcd being
// away. fn must not keep the map.
func (s *Shard) watchFolder(ctx context.Context, prefix string, fn func(map[string]string)) error {
	return s.keepCurrent(ctx, &folderView{s: s, prefix: prefix, fn: fn}, prefix, clientv3.WithPrefix())
}

// folderView is the view behind watchFolder.
type folderView struct {
	s      *Shard
	prefix string
	fn     func(map[string]string)
	values map[string]string
	told   map[string]string
}

func (v *folderView) Sync(ctx context.Context) (int64, error) {
	resp, err := v.s.read(ctx, clientv3.OpGet(v.prefix, clientv3.WithPrefix()))
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", v.prefix, err)
	}
	v.values = make(map[string]string)
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		v.values[v.name(kv.Key)] = string(kv.Value)
	}
	v.tell()
	return resp.Header.Revision, nil
}

func (v *folderView) Apply(_ context.Context, events []*clientv3.Event, last bool) error {
	for _, ev := range events {
		if ev.Type == clientv3.EventTypePut {
			v.values[v.name(ev.Kv.Key)] = string(ev.Kv.Value)
		} else {
			delete(v.values, v.name(ev.Kv.Key))
		}
	}
	if last {
		v.tell()
	}
	return nil
}

func (v *folderView) name(key []byte) string { return strings.TrimPrefix(string(key), v.prefix) }

// tell calls fn when there is something new.
func (v *folderView) tell() {
	if v.told != nil && maps.Equal(v.values, v.told) {
		return
	}
	v.told = maps.Clone(v.values)
	v.fn(v.values)
}
