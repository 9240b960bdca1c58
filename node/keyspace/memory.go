package keyspace

import "sort"

// largeObject is where the Go heap stops using size classes and rounds to pages.
const (
	largeObject = 32 << 10
	heapPage    = 8 << 10
	fineClasses = 1024
)

// Two views of the Go heap's size classes: a direct table for the small sizes that
// every write asks for, and the sorted list above. They are asked from the runtime,
// so that a new Go version cannot make them wrong.
var (
	fineClass   [fineClasses/8 + 1]uint16
	sizeClasses []int
)

func init() {
	for n := 1; n <= largeObject; {
		c := cap(append([]byte(nil), make([]byte, n)...))
		sizeClasses = append(sizeClasses, c)
		n = c + 1
	}
	for i := range fineClass {
		fineClass[i] = uint16(searchClass(i * 8))
	}
	fineClass[0] = 0
}

func searchClass(n int) int { return sizeClasses[sort.SearchInts(sizeClasses, n)] }

// allocSize is the number of bytes an allocation of n bytes without pointers
// really takes.
func allocSize(n int) int {
	switch {
	case n <= fineClasses:
		return int(fineClass[(n+7)>>3])
	case n <= largeObject:
		return searchClass(n)
	default:
		return (n + heapPage - 1) &^ (heapPage - 1)
	}
}

// tracedAllocSize is allocSize for an allocation with pointers: the heap keeps where
// they are in a header, but for those that are small or very large.
func tracedAllocSize(n int) int {
	const header, withoutHeader = 8, 512
	if n > withoutHeader && n <= largeObject-header {
		n += header
	}
	return allocSize(n)
}

// account sums the memory of the records that belong to one owner: a database, a
// large hash, or nobody yet.
type account struct {
	mem int64
	cfg *Config
}
