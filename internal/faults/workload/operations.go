package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/anishathalye/porcupine"
)

// maxUnknown bounds the operations of unknown outcome on one key. The search for
// an order may have to try every subset of them.
const maxUnknown = 8

// fewUnknown is for keys whose state any of them can change so that no later write
// covers it: there the search has more to try.
const fewUnknown = 4

// operations is a history by key, of one workload.
type operations struct {
	limit   int // of operations of unknown outcome on a key; 0: maxUnknown
	mu      sync.Mutex
	byKey   map[string][]porcupine.Operation
	unknown map[string]int
}

// addRead notes a read; one without an answer tells nothing.
func (o *operations) addRead(key string, r Result, input, output any) {
	if (r.Outcome == Done || r.Outcome == Aborted) && r.Err == nil {
		o.addWrite(key, r, input, output)
	}
}

// addWrite notes an operation that may have changed key. When its outcome is
// unknown its output is nil and it may take effect at any later time, or at the
// end of time, which is as good as never. What a server has done before it
// answered with an error is not known either.
func (o *operations) addWrite(key string, r Result, input, output any) {
	op := porcupine.Operation{ClientId: r.Process, Input: input, Output: output, Call: r.Call, Return: r.Return}
	unknown := r.Outcome == Unknown || r.Err != nil
	switch {
	case r.Outcome == Refused:
		return
	case unknown:
		op.Return, op.Output = Never, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKey == nil {
		o.byKey, o.unknown = map[string][]porcupine.Operation{}, map[string]int{}
	}
	o.byKey[key] = append(o.byKey[key], op)
	if unknown {
		o.unknown[key]++
	}
}

// crowded reports whether key has as many operations of unknown outcome as can
// be judged: it is only read from then on.
func (o *operations) crowded(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unknown[key] >= cmp.Or(o.limit, maxUnknown)
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

// keys returns the keys that have a history, in order.
func (o *operations) keys() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	keys := make([]string, 0, len(o.byKey))
	for k := range o.byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// readBack has read note what every key holds in the end: what was lost after
// the last client looked would else go unnoticed.
func (o *operations) readBack(ctx context.Context, c *Client, read func(key string) Result) error {
	for _, key := range o.keys() {
		for r := read(key); r.Outcome != Done; r = read(key) {
			if !c.Connect(ctx) || !c.Think(ctx) {
				return fmt.Errorf("read %s back: %w (last: %v)", key, ctx.Err(), r.Err)
			}
		}
	}
	return nil
}
