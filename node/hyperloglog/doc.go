// Package hyperloglog estimates how many different elements a set has, in Redis's
// string format and with Redis's results to the last bit.
//
// An element's hash (MurmurHash64A) picks one of 16384 registers with its low 14
// bits; the rank is the place of the lowest bit set in the other 50, from 1 to 51.
// A register holds the largest rank it has met. The estimate follows O. Ertl, "New
// cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284).
//
// # Format
//
//	sketch   = "HYLL" encoding u8[3] count registers
//	encoding = 0 dense | 1 sparse
//	count    = u64, little-endian: the estimate as last computed; it does not hold
//	           when the highest bit is set
//
// The three bytes are of no use and kept as they are. Dense registers take 6 bits each,
// the first in the lowest bits of the first byte. Sparse registers are runs of
// equal ones:
//
//	run = 00nnnnnn             n+1 registers of 0
//	    | 01nnnnnn u8          n<<8+u8 and one more registers of 0
//	    | 1vvvvvnn             n+1 registers of v+1
//
// A sketch begins sparse. It becomes dense, and stays so, when a register gets a value
// beyond 32 or when its string would become longer than the caller allows.
//
// Sketches are strings that clients may write as they like. Parse judges, as Redis
// does, little more than the header; what reads the registers finds out the rest
// and says ErrCorrupt.
package hyperloglog
