//go:build !broken

package broken

// Is reports whether this process is broken in the way that v names: never.
func Is(Variant) bool { return false }
