//go:build unix && !linux

package arena

import "golang.org/x/sys/unix"

// adviceFree lets the system take the pages when it needs them: elsewhere
// MADV_DONTNEED keeps what is in them.
const adviceFree = unix.MADV_FREE
