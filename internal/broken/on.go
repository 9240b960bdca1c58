//go:build broken

package broken

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// variable is read once, when the process starts.
const variable = "REDOUBT_BROKEN"

var active atomic.Value // Variant

func init() {
	v := Variant(os.Getenv(variable))
	if err := announce(os.Stderr, v); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	active.Store(v)
}

// announce says what is broken. An unknown variant is an error that lists those
// there are: a typing error must not pass for a promise that was kept.
func announce(w io.Writer, v Variant) error {
	if v == "" {
		fmt.Fprintf(w, "THIS REDOUBT IS BUILT TO BREAK ITS PROMISES; %s is not set and it keeps them\n", variable)
		return nil
	}
	known := ""
	for _, i := range All() {
		if i.Variant == v {
			fmt.Fprintf(w, "THIS REDOUBT IS BROKEN ON PURPOSE, %s=%s: %s (invariant %d)\n", variable, v, i.What, i.Invariant)
			return nil
		}
		known += fmt.Sprintf("\n  %-18s %s", i.Variant, i.What)
	}
	return fmt.Errorf("%s=%s: there is no such variant; there are%s", variable, v, known)
}

// Is reports whether this process is broken in the way that v names.
func Is(v Variant) bool { return active.Load() == v }

// Use breaks this process in the way that v names until restore is called. It is
// for tests, which would otherwise need a process for each variant.
func Use(v Variant) (restore func()) {
	before := active.Swap(v)
	return func() { active.Store(before) }
}
