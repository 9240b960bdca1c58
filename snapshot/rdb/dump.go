package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// dumpFooter is the size in bytes of the version and the checksum behind a dump.
const dumpFooter = 2 + 8

// dumpers are encoders for dumps: their buffers are larger than most dumps.
var dumpers = sync.Pool{New: func() any { return &encoder{out: newOutput(nil), bare: true} }}

// AppendDump appends the value of ref, without key and expiry, to dst in the form
// of redis-server's DUMP. It gives up once there are more than limit bytes of it; 0 is
// no limit.
//
// Errors: ErrUnsupported for a type that has no writer, ErrTooLarge for the limit.
func AppendDump(dst []byte, ref keyspace.Ref, limit int) ([]byte, error) {
	e := dumpers.Get().(*encoder)
	sink := &dumpSink{b: dst, left: limit, limited: limit > 0}
	out := e.out
	out.w, out.crc, out.err = sink, 0, nil
	defer func() {
		out.w, out.buf = nil, out.buf[:0]
		dumpers.Put(e)
	}()
	if err := e.value(ref.Key(), ref); err != nil {
		return dst, err
	}
	out.bytes(binary.LittleEndian.AppendUint16(nil, Version))
	if err := out.flush(); err != nil {
		return dst, err
	}
	out.uint64(out.crc)
	err := out.flush()
	return sink.b, err
}

// dumpSink gathers what is written, up to its limit.
type dumpSink struct {
	b       []byte
	left    int
	limited bool
}

func (s *dumpSink) Write(p []byte) (int, error) {
	if s.limited && len(p) > s.left {
		return 0, fmt.Errorf("%w: the dump of a value", ErrTooLarge)
	}
	s.left -= len(p)
	s.b = append(s.b, p...)
	return len(p), nil
}

// Restore reads a dump and stores the value under key in db, a database of ks, in the
// place of any, with an expiry in Unix milliseconds or keyspace.NoExpire. After an
// error the key may be there with a part of the value. The dump may be
// hostile; it takes memory in proportion to what it unpacks to.
//
// Errors: ErrBadDump when version or checksum are not right, otherwise as Load, with
// ErrCorrupt also for a value without elements, which no dump has.
func Restore(dump []byte, ks *keyspace.Keyspace, db *keyspace.DB, key []byte, expire int64) error {
	body, err := dumpBody(dump)
	if err != nil {
		return err
	}
	d := &decoder{
		// The whole dump is in the buffer already and nothing follows it.
		in:        &input{r: bytes.NewReader(nil), buf: body, end: len(body), size: int64(len(body))},
		ks:        ks,
		db:        db,
		key:       key,
		expire:    expire,
		maxString: DefaultMaxString,
	}
	typ, err := d.in.byte()
	if err != nil {
		return err
	}
	read, ok := valueReaders[typ]
	if !ok {
		return unsupportedType(typ)
	}
	if err := read(d, typ); err != nil {
		if errors.Is(err, errEmpty) {
			return fmt.Errorf("%w: it has no elements", ErrCorrupt)
		}
		return err
	}
	if d.in.offset() != d.in.size {
		return fmt.Errorf("%w: %d bytes after the value", ErrCorrupt, d.in.size-d.in.offset())
	}
	return nil
}

// dumpBody is a dump without its footer, which has been checked.
func dumpBody(dump []byte) ([]byte, error) {
	n := len(dump) - dumpFooter
	if n < 1 {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrBadDump, len(dump))
	}
	if v := binary.LittleEndian.Uint16(dump[n:]); v > MaxVersion {
		return nil, fmt.Errorf("%w: it has version %d, this redoubt reads up to %d", ErrBadDump, v, MaxVersion)
	}
	want := updateCRC(0, dump[:n+2])
	if got := binary.LittleEndian.Uint64(dump[n+2:]); got != want {
		return nil, fmt.Errorf("%w: its content has CRC %016x, it says %016x", ErrBadDump, want, got)
	}
	return dump[:n:n], nil
}
