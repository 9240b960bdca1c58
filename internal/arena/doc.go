// Package arena is memory for small records without pointers, outside of Go's heap: the
// garbage collector neither marks nor counts it, however many records there are.
//
// A Pool belongs to one owner (a keyspace) and has any number of arenas (its
// databases). Neither takes a lock: whoever serialises the calls on the owner
// serialises these. An Arena allocates and frees slots; it is dropped as a whole in time
// that depends on regions, not on records.
//
// # When memory is used again
//
// Free and Drop take effect at the next Pool.Reclaim. Until then the bytes are as they
// were, so whoever is in the middle of a step may go on reading what he has just
// deleted. The owner calls Reclaim when nobody can hold a reference to what was freed
// before. Who never calls it keeps all memory until Close.
//
// In a build for the race detector Reclaim overwrites what was freed, so that a
// reference which was kept too long shows in tests.
//
// # Layout
//
// A region is 1 MiB, aligned to its size, of which only the touched pages take memory.
// It is cut into runs of 32 KiB. A run in use holds slots of one size; an empty one is
// usable for any. A region without used runs goes to the pool, for any arena to
// take. Pool.Surplus gives idle regions back to the system.
//
// All that is known of regions and runs is in Go's heap (about 1.3 KiB a region), but
// two things: a region begins with its number, by which a slot finds its run, and
// a free slot with the place of the next free one of its run.
//
// Address space is never returned to the system, only memory: it is kept for the next
// region of any pool. So no address of a region can become one of Go's heap, where the
// collector would trip over a forgotten pointer.
//
// A pointer into an arena keeps nothing alive, nor does one that is kept in it. The memory
// of a Pool is there until Close.
package arena
