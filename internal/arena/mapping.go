package arena

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped is the size of all regions of this process that are in a pool.
var mapped atomic.Int64

// Mapped is how many bytes of regions all pools of this process have. Any goroutine may
// ask.
func Mapped() int64 { return mapped.Load() }

// spare is address space of regions that no pool has. Nearly no memory is in it.
var spare struct {
	sync.Mutex
	bases []unsafe.Pointer
}

// mapRegion returns regionSize bytes, aligned to their size. That the system has no
// memory left is as fatal as for Go's own heap.
func mapRegion() unsafe.Pointer {
	mapped.Add(regionSize)
	spare.Lock()
	defer spare.Unlock()
	if last := len(spare.bases) - 1; last >= 0 {
		base := spare.bases[last]
		spare.bases = spare.bases[:last]
		return base
	}
	base := mmap(regionSize)
	if uintptr(base)%regionSize == 0 {
		return base // as a rule: the system puts one below the other
	}
	munmap(base, regionSize)
	base = mmap(2 * regionSize)
	before := -uintptr(base) % regionSize
	aligned := unsafe.Add(base, before)
	if before > 0 {
		munmap(base, before)
	}
	munmap(unsafe.Add(aligned, regionSize), regionSize-before)
	return aligned
}

// unmapRegion gives the memory of a region back to the system and keeps its
// addresses.
func unmapRegion(base unsafe.Pointer) {
	if err := unix.Madvise(unsafe.Slice((*byte)(base), regionSize), adviceFree); err != nil {
		panic(fmt.Errorf("arena: give memory back: %w", err))
	}
	mapped.Add(-regionSize)
	spare.Lock()
	defer spare.Unlock()
	spare.bases = append(spare.bases, base)
}

func mmap(size uintptr) unsafe.Pointer {
	p, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(fmt.Errorf("arena: map %d bytes: %w", size, err))
	}
	return p
}

func munmap(p unsafe.Pointer, size uintptr) {
	if size == 0 {
		return
	}
	if err := unix.MunmapPtr(p, size); err != nil {
		panic(fmt.Errorf("arena: unmap %d bytes: %w", size, err))
	}
}
