// Package s3segments keeps the sealed part of a shard's log in S3: the object
// store with its retries, the segment format, sealing, reading back, and the
// decisions of garbage collection.
//
// # Objects
//
// Keys are relative to s3://<bucket>/<prefix>/<cluster>/.
//
//	shards/<nnnn>/segments/<first>-<last>-<epoch>.seg   entries first..last
//	shards/<nnnn>/spills/<seq>-<epoch>.entry            one entry too large for etcd
//
// nnnn is the shard in 4 decimal digits, first, last and seq have 20, epoch is
// that of the primary that wrote the object. A segment is written once, with
// If-None-Match: *, and never changed. What the objects are is also in their
// user metadata, for `aws s3api head-object`.
//
// Which segments hold a range of the log is found by listing; no index object
// has to be kept right. A primary that was deposed between uploading a segment
// and trimming the head leaves an orphan that overlaps its successor's. Both
// hold the same committed entries, and Chain prefers the higher epoch.
//
// A spilled entry is in the head by reference. Sealing writes it out in the
// segment, which is thereby self-contained; the spill is garbage from then on.
//
// # Segment format, version 1
//
//	segment = header, block..., index, trailer
//
// All integers are little-endian. CRC is CRC-32C (Castagnoli). A reader checks
// every byte: each is under a CRC, and the regions must join without a gap.
//
// Header, 80+n+4 bytes:
//
//	offset size
//	0      4    magic "RDSG"
//	4      2    format version
//	6      2    size of the header h, with its CRC
//	8      4    shard
//	12     4    zero
//	16     8    first: seq of the first entry
//	24     8    last: seq of the last entry
//	32     8    epoch of the primary that sealed
//	40     8    epoch of entry first-1, 0 for none
//	48     8    running checksum before entry first
//	56     8    epoch of entry last
//	64     8    running checksum after entry last
//	72     8    time of sealing, Unix milliseconds
//	80     n    the cluster's name, UTF-8
//	h-4    4    CRC of the header before it
//
// The magic, the version, the header's size and the place of its CRC stay as
// they are in every version to come, so that a newer format is told apart from
// damage: it is refused with wal.ErrNewerFormat.
//
// Block, 24+s+4 bytes. A block is closed when its body reaches 128 KiB; an
// entry is never split, so one large entry makes one large block.
//
//	0      4    s: bytes of the body as stored
//	4      4    bytes of the body, uncompressed
//	8      4    number of entries
//	12     1    codec: 0 stored as it is, 1 snappy's block format
//	13     3    zero
//	16     8    seq of the first entry
//	24     s    body
//	24+s   4    CRC of the block before it
//
// A body is a run of entries, each as a 4-byte length and that many bytes in
// package wal's layout. Snappy is used where it saves something: neighbouring
// entries' headers have much in common.
//
// Index, 24 bytes a block:
//
//	0      8    offset of the block in the segment
//	8      8    seq of its first entry
//	16     4    size of the block, with header and CRC
//	20     4    number of entries
//
// Trailer, 32 bytes, the object's last:
//
//	0      8    offset of the index
//	8      4    number of blocks
//	12     4    CRC of the index
//	16     8    size of the segment
//	24     4    magic "GSDR"
//	28     4    CRC of the trailer before it
//
// # Sealing
//
// The primary's Sealer reads committed entries from the head, checks that they
// chain, uploads them as a segment, and only when S3 has acknowledged it moves
// the sealed pointer and trims the head, in one fenced transaction: an entry
// leaves etcd only when a segment that holds it is durable and pointed to.
// While S3 is away it tries on with backoff, and the head grows to its limit.
//
// # Outcomes that are not known
//
// When the answer to a conditional PUT is lost, its retry is refused with 412
// although the first try went through. The object is then read back: the same
// bytes are a success, others are ErrExists. 409 ConditionalRequestConflict,
// which S3 gives while another conditional write is under way, is retried.
package s3segments
