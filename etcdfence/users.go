package etcdfence

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	return s.watchFolder(ctx, s.k.users, func(values map[string]string) {
		users := make([]User, 0, len(values))
		for _, name := range slices.Sorted(maps.Keys(values)) {
			var u User
			if err := json.Unmarshal([]byte(values[name]), &u); err != nil {
				u = User{Err: fmt.Errorf("value of user %q: %w", name, err)}
			}
			u.Name = name
			users = append(users, u)
		}
		fn(users)
	})
}
