package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout bounds the search for an order of one key's operations.
const checkTimeout = 30 * time.Second

// checkKeys has porcupine judge the history of each key against model. A key
// whose search does not end in time is an error: nothing is known of it.
func (o *operations) checkKeys(ctx context.Context, env *Env, workload string, model porcupine.Model) error {
	keys := o.keys()
	o.mu.Lock()
	defer o.mu.Unlock()
	var undecided []string
	for _, k := range keys {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch porcupine.CheckOperationsTimeout(model, o.byKey[k], checkTimeout) {
		case porcupine.Illegal:
			// Only a picture needs the longest orders there are, which cost more.
			_, info := porcupine.CheckOperationsVerbose(model, o.byKey[k], checkTimeout)
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
