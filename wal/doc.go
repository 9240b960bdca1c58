// Package wal defines a shard's log: its entries, the running checksum that
// chains them, and the group-commit Appender that a primary writes them with.
// It knows neither etcd nor S3; packages etcdfence and s3segments store what
// is defined here.
//
// # The log
//
// A shard's log is one serial history of entries with consecutive sequence
// numbers, starting at 1. A Position names the state after an entry: its seq,
// the epoch it was written under and the running checksum up to it. The zero
// Position is the empty log. Any prefix of the log, applied anywhere, gives
// the same logical state.
//
// An entry holds one or more units. A unit is the effects of one command,
// transaction or script; it is never split over entries, and an entry is
// applied as a whole.
//
// # Entry layout, format version 1
//
// All integers are little-endian.
//
//	offset size
//	0      3    magic "RDE"
//	3      1    format version (1)
//	4      1    kind: 1 effects, 2 epoch opened
//	5      1    flags: bit 0 body is snappy, bit 1 body is a reference
//	6      2    zero
//	8      8    epoch
//	16     8    seq
//	24     8    wall time at the primary, Unix milliseconds
//	32     8    prev: running checksum before this entry
//	40     8    chain: running checksum after this entry
//	48     4    payload length, uncompressed
//	52     4    body length b
//	56     b    body: the payload, the payload in snappy's block format,
//	            or a reference
//	56+b   4    CRC-32C of everything before it
//
// The running checksum is xxHash64 over prev, kind (as 8 bytes), epoch, seq,
// time and the uncompressed payload, in this order, so it does not depend on
// how the entry happens to be stored. It detects damage, loss, reordering and
// entries of another history; it is no defence against forgery.
//
// A reference stands in for a payload too large for one etcd request. The
// object it names holds the whole entry in this same layout:
//
//	0      8    object size in bytes
//	8      4    CRC-32C of the object
//	12     rest object key, relative to the cluster's prefix, UTF-8
//
// # Payload layout
//
// The payload of an "epoch opened" entry is the id of the node that opened
// the epoch. The payload of an effects entry is a run of units:
//
//	unit   = uvarint number of effects, effect...
//	effect = uvarint database, uvarint number of arguments, argument...
//	argument = uvarint length, bytes
//
// An effect is a command in Redis's own words with a deterministic outcome;
// argument 0 is the command's name.
package wal
