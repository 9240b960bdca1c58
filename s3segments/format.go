package s3segments

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

// Sizes and offsets of the package comment's layouts.
const (
	formatVersion = 1

	headerFixed = 80
	crcSize     = 4
	blockHeader = 24
	indexEntry  = 24
	trailerSize = 32
	entryPrefix = 4
	blockTarget = 128 << 10 // bytes of body at which a block is closed
	maxCluster  = math.MaxUint16 - headerFixed - crcSize
	codecNone   = 0
	codecSnappy = 1
	// Snappy's densest element copies 64 bytes and takes 3, so no honest body
	// grows more than this.
	maxExpansion = 22
)

var (
	headMagic  = []byte("RDSG")
	tailMagic  = []byte("GSDR")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// Header says what a segment holds.
type Header struct {
	Cluster string
	Shard   int
	Epoch   int64        // of the primary that sealed it
	Base    wal.Position // the position before its first entry
	End     wal.Position // the position after its last entry
	Created time.Time    // to the millisecond
}

// First is the seq of the first entry.
func (h Header) First() uint64 { return h.Base.Seq + 1 }

// Last is the seq of the last entry.
func (h Header) Last() uint64 { return h.End.Seq }

func (h Header) size() int { return headerFixed + len(h.Cluster) + crcSize }

// block is an entry of the index.
type block struct {
	offset  int64
	first   uint64
	size    uint32 // with header and CRC
	entries uint32
}

func (b block) last() uint64 { return b.first + uint64(b.entries) - 1 }

func appendCRC(b []byte, from int) []byte {
	return le.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}
