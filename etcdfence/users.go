package etcdfence

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// User is a user of the cluster, as users/<name> has it.
type User struct {
	Name  string `json:"-"`
	Rules string `json:"rules"` // as ACL SETUSER takes them, with passwords as #<sha256>
	// Err tells why the value could not be read. Such a user must be kept out, and be no
	// reason to do the same to others.
	Err error `json:"-"`
}

// WatchUsers calls fn with all users of the cluster, by name, now and after each change,
// until ctx ends. It survives etcd being away.
func (s *Shard) WatchUsers(ctx context.Context, fn func([]User)) error {
	return s.keepCurrent(ctx, &usersView{s: s, fn: fn}, s.k.users, clientv3.WithPrefix())
}

// usersView is the view behind WatchUsers.
type usersView struct {
	s      *Shard
	fn     func([]User)
	values map[string]string // by name
	told   map[string]string
}

func (v *usersView) Sync(ctx context.Context) (int64, error) {
	resp, err := v.s.read(ctx, clientv3.OpGet(v.s.k.users, clientv3.WithPrefix()))
	if err != nil {
		return 0, fmt.Errorf("list users: %w", err)
	}
	v.values = make(map[string]string)
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		v.values[v.name(kv.Key)] = string(kv.Value)
	}
	v.tell()
	return resp.Header.Revision, nil
}

func (v *usersView) Apply(_ context.Context, events []*clientv3.Event, last bool) error {
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

func (v *usersView) name(key []byte) string { return strings.TrimPrefix(string(key), v.s.k.users) }

// tell calls fn when there is something new.
func (v *usersView) tell() {
	if v.told != nil && maps.Equal(v.values, v.told) {
		return
	}
	v.told = maps.Clone(v.values)
	users := make([]User, 0, len(v.values))
	for _, name := range slices.Sorted(maps.Keys(v.values)) {
		var u User
		if err := json.Unmarshal([]byte(v.values[name]), &u); err != nil {
			u = User{Err: fmt.Errorf("value of user %q: %w", name, err)}
		}
		u.Name = name
		users = append(users, u)
	}
	v.fn(users)
}
