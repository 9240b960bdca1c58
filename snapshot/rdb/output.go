package rdb

import (
	"encoding/binary"
	"io"
)

// output writes a file forward and keeps its CRC. The first error stays; it
// is reported by flush.
type output struct {
	w       io.Writer
	buf     []byte
	crc     uint64
	written int64
	err     error
	lzf     compressor
	packed  []byte
}

func newOutput(w io.Writer) *output {
	return &output{w: w, buf: make([]byte, 0, ioBuffer)}
}

func (o *output) flush() error {
	if len(o.buf) > 0 {
		o.emit(o.buf)
		o.buf = o.buf[:0]
	}
	return o.err
}

func (o *output) emit(p []byte) {
	if o.err == nil {
		o.crc = updateCRC(o.crc, p)
		o.written += int64(len(p))
		_, o.err = o.w.Write(p)
	}
}

func (o *output) bytes(p []byte) {
	if len(p) > cap(o.buf)-len(o.buf) {
		_ = o.flush() // the error stays in o.err
		if len(p) > cap(o.buf) {
			o.emit(p)
			return
		}
	}
	o.buf = append(o.buf, p...)
}

// room makes sure that n bytes can be appended to buf; n is small.
func (o *output) room(n int) {
	if n > cap(o.buf)-len(o.buf) {
		_ = o.flush() // the error stays in o.err
	}
}

func (o *output) byte(b byte) {
	o.room(1)
	o.buf = append(o.buf, b)
}

func (o *output) uint64(v uint64) {
	o.room(8)
	o.buf = binary.LittleEndian.AppendUint64(o.buf, v)
}

func (o *output) length(n uint64) {
	o.room(9)
	switch {
	case n < 1<<6:
		o.buf = append(o.buf, byte(n))
	case n < 1<<14:
		o.buf = append(o.buf, len14Bit<<6|byte(n>>8), byte(n))
	case n < 1<<32:
		o.buf = binary.BigEndian.AppendUint32(append(o.buf, len32Bit), uint32(n))
	default:
		o.buf = binary.BigEndian.AppendUint64(append(o.buf, len64Bit), n)
	}
}

// str writes a string in the shortest of its encodings, as Redis does.
func (o *output) str(s []byte) {
	if v, ok := intEncoding(s); ok {
		o.intString(v)
		return
	}
	if len(s) >= minCompress && len(s) <= maxCompress {
		packed, ok := o.lzf.compress(o.packed[:0], s, len(s)-4)
		if cap(packed) <= scratchKeep {
			o.packed = packed
		} else {
			o.packed = nil
		}
		if ok {
			o.byte(encoded + encLZF)
			o.length(uint64(len(packed)))
			o.length(uint64(len(s)))
			o.bytes(packed)
			return
		}
	}
	o.raw(s)
}

func (o *output) raw(s []byte) {
	o.length(uint64(len(s)))
	o.bytes(s)
}

func (o *output) intString(v int64) {
	o.room(5)
	switch {
	case v == int64(int8(v)):
		o.buf = append(o.buf, encoded+encInt8, byte(v))
	case v == int64(int16(v)):
		o.buf = binary.LittleEndian.AppendUint16(append(o.buf, encoded+encInt16), uint16(v))
	default:
		o.buf = binary.LittleEndian.AppendUint32(append(o.buf, encoded+encInt32), uint32(v))
	}
}
