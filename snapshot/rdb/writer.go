package rdb

import (
	"fmt"
	"io"
	"strconv"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// redisVersion is the Redis whose format and behaviour Save follows.
const redisVersion = "7.0.15"

// Aux is one aux field.
type Aux struct{ Name, Value string }

// SaveOptions say what to note in a file beside the data.
type SaveOptions struct {
	// CreatedAt is the aux field ctime, in Unix seconds.
	CreatedAt int64
	// Aux follow the fields that Redis writes.
	Aux []Aux
}

// Save writes all of ks, expired keys included, and returns the number of bytes.
// It holds a few hundred KiB of buffers whatever the size of ks. The result
// depends on the order in which ks lists its keys: two files of one content
// need not be equal.
//
// Errors: ErrUnsupported for a type that has no writer, or what w returned.
func Save(w io.Writer, ks *keyspace.Keyspace, o SaveOptions) (int64, error) {
	e := &encoder{out: newOutput(w)}
	e.header(ks, o)
	for i := range ks.NumDBs() {
		if err := e.database(ks.DB(i)); err != nil {
			return 0, err
		}
	}
	return e.end()
}

// encoder is the state of one Save.
type encoder struct {
	out    *output
	bare   bool  // values only, without expiry and key, as in a dump
	expire int64 // of the key being written
	list   listpackBuilder
	packed []byte // an intset being put together
}

func (e *encoder) header(ks *keyspace.Keyspace, o SaveOptions) {
	e.out.bytes(fmt.Appendf(nil, "%s%04d", magic, Version))
	e.aux("redis-ver", redisVersion)
	e.aux("redis-bits", "64")
	e.aux("ctime", strconv.FormatInt(o.CreatedAt, 10))
	e.aux("used-mem", strconv.FormatInt(ks.MemoryUsed(), 10))
	for _, a := range o.Aux {
		e.aux(a.Name, a.Value)
	}
}

func (e *encoder) aux(name, value string) {
	e.out.byte(opAux)
	e.out.str([]byte(name))
	e.out.str([]byte(value))
}

func (e *encoder) database(db *keyspace.DB) error {
	if db.Len() == 0 {
		return nil
	}
	e.out.byte(opSelectDB)
	e.out.length(uint64(db.Index()))
	e.out.byte(opResizeDB)
	e.out.length(uint64(db.Len()))
	e.out.length(uint64(db.Expires()))
	var err error
	db.Each(func(key []byte, ref keyspace.Ref) bool {
		err = e.value(key, ref)
		return err == nil && e.out.err == nil
	})
	if err != nil {
		return err
	}
	return e.out.err
}

func (e *encoder) value(key []byte, ref keyspace.Ref) error {
	e.expire = ref.ExpireAt()
	write, ok := valueWriters[ref.Type()]
	if !ok {
		return fmt.Errorf("%w: key %s is a %s, which has no form in a file yet", ErrUnsupported, quote(key), ref.Type())
	}
	write(e, key, ref)
	return nil
}

// key writes what precedes a value.
func (e *encoder) key(typ byte, key []byte) {
	if e.bare {
		e.out.byte(typ)
		return
	}
	if e.expire != keyspace.NoExpire {
		e.out.byte(opExpireMillis)
		e.out.uint64(uint64(e.expire))
	}
	e.out.byte(typ)
	e.out.str(key)
}

func (e *encoder) end() (int64, error) {
	e.out.byte(opEOF)
	if err := e.out.flush(); err != nil {
		return 0, err
	}
	e.out.uint64(e.out.crc)
	err := e.out.flush()
	return e.out.written, err
}

// ValueSize is the number of bytes that a value takes in a file, without its type,
// key and expiry.
//
// Errors: ErrUnsupported for a type that has no writer.
func ValueSize(ref keyspace.Ref) (int64, error) {
	write, ok := valueWriters[ref.Type()]
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrUnsupported, ref.Type())
	}
	e := &encoder{out: newOutput(io.Discard), expire: keyspace.NoExpire}
	write(e, nil, ref)
	const typeAndEmptyKey = 2
	err := e.out.flush()
	return e.out.written - typeAndEmptyKey, err
}
