package s3segments

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	segmentSuffix = ".seg"
	spillSuffix   = ".entry"
	seqDigits     = 20
)

// SegmentInfo is what a listing tells of a segment.
type SegmentInfo struct {
	Key          string // relative to the cluster's prefix
	First, Last  uint64 // seqs of its first and last entry
	Epoch        int64  // of the primary that sealed it
	Size         int64  // bytes
	LastModified time.Time
}

// SpillInfo is what a listing tells of a spilled entry.
type SpillInfo struct {
	Key          string
	Seq          uint64
	Epoch        int64
	Size         int64 // bytes
	LastModified time.Time
}

func segmentsPrefix(shard int) string { return fmt.Sprintf("shards/%04d/segments/", shard) }
func spillsPrefix(shard int) string   { return fmt.Sprintf("shards/%04d/spills/", shard) }

func segmentKey(shard int, first, last uint64, epoch int64) string {
	return fmt.Sprintf("%s%020d-%020d-%d%s", segmentsPrefix(shard), first, last, epoch, segmentSuffix)
}

func spillKey(shard int, seq uint64, epoch int64) string {
	return fmt.Sprintf("%s%020d-%d%s", spillsPrefix(shard), seq, epoch, spillSuffix)
}

// parseSegment reads the name that segmentKey makes.
func parseSegment(shard int, o ObjectInfo) (SegmentInfo, bool) {
	name, ok := strings.CutPrefix(o.Key, segmentsPrefix(shard))
	if !ok {
		return SegmentInfo{}, false
	}
	n, ok := numbers(name, segmentSuffix, 3)
	if !ok || n[0] == 0 || n[0] > n[1] {
		return SegmentInfo{}, false
	}
	s := SegmentInfo{Key: o.Key, First: n[0], Last: n[1], Epoch: int64(n[2]), Size: o.Size, LastModified: o.LastModified}
	return s, s.Key == segmentKey(shard, s.First, s.Last, s.Epoch)
}

// parseSpill reads the name that spillKey makes.
func parseSpill(shard int, o ObjectInfo) (SpillInfo, bool) {
	name, ok := strings.CutPrefix(o.Key, spillsPrefix(shard))
	if !ok {
		return SpillInfo{}, false
	}
	n, ok := numbers(name, spillSuffix, 2)
	if !ok {
		return SpillInfo{}, false
	}
	s := SpillInfo{Key: o.Key, Seq: n[0], Epoch: int64(n[1]), Size: o.Size, LastModified: o.LastModified}
	return s, s.Key == spillKey(shard, s.Seq, s.Epoch)
}

// numbers reads count decimal numbers with dashes between them; the last fits
// in an int64.
func numbers(name, suffix string, count int) ([]uint64, bool) {
	name, ok := strings.CutSuffix(name, suffix)
	fields := strings.Split(name, "-")
	if !ok || len(fields) != count {
		return nil, false
	}
	out := make([]uint64, count)
	for i, f := range fields {
		bits := 64
		if i == count-1 {
			bits = 63
		}
		n, err := strconv.ParseUint(f, 10, bits)
		if err != nil {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
