package arena

import "golang.org/x/sys/unix"

// adviceFree takes the pages away at once; they read as zeros afterwards.
const adviceFree = unix.MADV_DONTNEED
