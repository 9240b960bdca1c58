package workload

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout bounds the search for an order of one key's operations.
const checkTimeout = 30 * time.Second

// checkKeys has porcupine judge the history of each key against model. A key
// whose search does not end in time is an error: nothing is known of it.
func (o *operations) checkKeys(ctx context.Context, env *Env, workload string, model porcupine.Model) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	keys := make([]string, 0, len(o.byKey))
	for k := range o.byKey {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var undecided []string
	for _, k := range keys {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result, info := porcupine.CheckOperationsVerbose(model, o.byKey[k], checkTimeout)
		switch result {
		case porcupine.Illegal:
			env.Add(Violation{
				At: env.Clock.Now(), Workload: workload,
				What:    fmt.Sprintf("no order of the %d operations on %s explains what their clients were answered", len(o.byKey[k]), k),
				Picture: func(path string) error { return porcupine.VisualizePath(model, info, path) },
			})
		case porcupine.Unknown:
			undecided = append(undecided, k)
		}
	}
	if len(undecided) > 0 {
		return fmt.Errorf("%s: not decided within %v: %v", workload, checkTimeout, undecided)
	}
	return nil
}

func (o *operations) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, ops := range o.byKey {
		n += len(ops)
	}
	return n
}
