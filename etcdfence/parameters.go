package etcdfence

import (
	"context"
	"encoding/json"
	"fmt"
)

// Parameter is a setting of the cluster, as parameters/<name> has it.
type Parameter struct {
	Value string `json:"value"` // as CONFIG SET takes it
	// Err tells why the key's value could not be read.
	Err error `json:"-"`
}

// WatchParameters calls fn with all parameters of the cluster, by name, now and after each
// change, until ctx ends. It survives etcd being away.
func (s *Shard) WatchParameters(ctx context.Context, fn func(map[string]Parameter)) error {
	return s.watchFolder(ctx, s.k.parameters, func(values map[string]string) {
		all := make(map[string]Parameter, len(values))
		for name, value := range values {
			var p Parameter
			if err := json.Unmarshal([]byte(value), &p); err != nil {
				p = Parameter{Err: fmt.Errorf("value of parameter %q: %w", name, err)}
			}
			all[name] = p
		}
		fn(all)
	})
}
