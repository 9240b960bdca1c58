package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// Versions of the format.
const (
	// Version is the one Save writes.
	Version = 10
	// MaxVersion is the newest one Load reads.
	MaxVersion = 12
	// crcVersion is the first one that ends in a checksum.
	crcVersion = 5
)

const magic = "REDIS"

// Records other than keys.
const (
	opSlotInfo     = 0xf4
	opFunction     = 0xf5
	opFunctionOld  = 0xf6
	opModuleAux    = 0xf7
	opIdle         = 0xf8
	opFreq         = 0xf9
	opAux          = 0xfa
	opResizeDB     = 0xfb
	opExpireMillis = 0xfc
	opExpire       = 0xfd
	opSelectDB     = 0xfe
	opEOF          = 0xff
)

// DefaultMaxString is the longest string that Load accepts by default, in
// bytes: Redis's proto-max-bulk-len.
const DefaultMaxString = 512 << 20

// Aux fields longer than this are read over: they are of no use to Redoubt (old
// versions of Redis kept whole scripts there).
const maxAuxKept = 1024

// LoadOptions say how to read a file.
type LoadOptions struct {
	// Size is the number of bytes of the file, which bounds what its lengths may
	// claim, or negative when it is not known.
	Size int64
	// Merge adds the file's keys to those that the keyspace holds.
	Merge bool
	// MaxString is the longest key, element or packed value in bytes; 0 is
	// DefaultMaxString.
	MaxString int64
}

// Info tells what a file was.
type Info struct {
	Version int
	Aux     map[string]string
	// EmptyKeys counts values without elements, which old versions of Redis could
	// leave behind; they were dropped, as Redis drops them.
	EmptyKeys int
}

// Load reads a whole file into ks, which must be empty unless LoadOptions.Merge says
// otherwise; after an error ks holds a part of the file and must be dropped. Keys
// past their expiry are loaded like any other.
//
// Errors: ErrCorrupt, ErrNewerVersion, ErrUnsupported, ErrTooLarge, ErrDuplicate, or what r
// returned. They say where in the file, and in which key.
func Load(r io.Reader, ks *keyspace.Keyspace, o LoadOptions) (*Info, error) {
	if o.MaxString <= 0 {
		o.MaxString = DefaultMaxString
	}
	if o.Size < 0 {
		o.Size = -1
	}
	d := &decoder{
		in:        newInput(r, o.Size),
		ks:        ks,
		db:        ks.DB(0),
		expire:    keyspace.NoExpire,
		maxString: uint64(o.MaxString),
		merge:     o.Merge,
		info:      Info{Aux: map[string]string{}},
	}
	if err := d.header(); err != nil {
		return nil, err
	}
	for {
		op, err := d.in.byte()
		if err != nil {
			return nil, err
		}
		if op == opEOF {
			break
		}
		if err := d.record(op); err != nil {
			return nil, err
		}
		ks.Reclaim() // tables that grow leave buckets behind
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return &d.info, nil
}

// decoder is the state between two records.
type decoder struct {
	in        *input
	ks        *keyspace.Keyspace
	db        *keyspace.DB
	key       []byte
	field     []byte
	expire    int64 // of the next key
	maxString uint64
	merge     bool
	info      Info
}

func (d *decoder) header() error {
	b, err := d.in.next(uint64(len(magic) + 4))
	if err != nil {
		return err
	}
	if string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: it does not begin with %q", ErrCorrupt, magic)
	}
	for _, c := range b[len(magic):] {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: version %q is not a number", ErrCorrupt, b[len(magic):])
		}
		d.info.Version = 10*d.info.Version + int(c-'0')
	}
	switch v := d.info.Version; {
	case v < 1:
		return fmt.Errorf("%w: version %d", ErrCorrupt, v)
	case v > MaxVersion:
		return fmt.Errorf("%w: the file has version %d, this redoubt reads up to %d", ErrNewerVersion, v, MaxVersion)
	}
	return nil
}

func (d *decoder) record(op byte) error {
	switch op {
	case opAux:
		return d.aux()
	case opSelectDB:
		return d.selectDB()
	case opResizeDB:
		return d.skipLengths(2)
	case opSlotInfo:
		return d.skipLengths(3)
	case opIdle:
		return d.skipLengths(1)
	case opFreq:
		_, err := d.in.byte()
		return err
	case opExpire:
		b, err := d.in.next(4)
		if err == nil {
			d.expire = int64(int32(binary.LittleEndian.Uint32(b))) * 1000
		}
		return err
	case opExpireMillis:
		b, err := d.in.next(8)
		if err == nil {
			d.expire = int64(binary.LittleEndian.Uint64(b))
		}
		return err
	case opFunction, opFunctionOld:
		return fmt.Errorf("%w: the file holds Redis functions, which this redoubt does not keep; "+
			"remove them where it comes from (FUNCTION FLUSH) and save again", ErrUnsupported)
	case opModuleAux:
		return d.moduleAux()
	}
	return d.keyAndValue(op)
}

func (d *decoder) skipLengths(n int) error {
	for range n {
		if _, err := d.in.length(); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) aux() error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	name := string(b[:min(len(b), maxAuxKept)])
	value, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	if len(value) <= maxAuxKept && len(d.info.Aux) < maxAuxKept {
		d.info.Aux[name] = string(value)
	}
	return nil
}

func (d *decoder) selectDB() error {
	n, err := d.in.length()
	if err != nil {
		return err
	}
	if n >= uint64(d.ks.NumDBs()) {
		return fmt.Errorf("%w: the file uses database %d, this redoubt has databases 0 to %d",
			ErrUnsupported, n, d.ks.NumDBs()-1)
	}
	d.db = d.ks.DB(int(n))
	return nil
}

func (d *decoder) moduleAux() error {
	id, err := d.in.length()
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the file holds data of the module %q, which redoubt does not have; "+
		"unload it where the file comes from and save again", ErrUnsupported, moduleName(id))
}

// moduleName decodes the 64-bit id of a module: nine characters of 6 bits and
// 10 bits of version.
func moduleName(id uint64) string {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var name [9]byte
	for i := range name {
		name[i] = set[id>>(58-6*i)&63]
	}
	return string(name[:])
}

func (d *decoder) keyAndValue(typ byte) error {
	key, err := d.in.str(d.maxString)
	if err != nil {
		return fmt.Errorf("read a key: %w", err)
	}
	d.key = append(d.key[:0], key...)
	read, ok := valueReaders[typ]
	switch {
	case !ok:
		err = unsupportedType(typ)
	case d.has(d.key) && d.merge:
		err = fmt.Errorf("%w: the key was there before", ErrDuplicate)
	case d.has(d.key):
		err = fmt.Errorf("%w: the key is in the file twice", ErrCorrupt)
	default:
		err = read(d, typ)
	}
	switch {
	case errors.Is(err, errEmpty):
		d.info.EmptyKeys++
	case err != nil:
		return fmt.Errorf("%w (key %s in database %d)", err, quote(d.key), d.db.Index())
	}
	if cap(d.key) > scratchKeep {
		d.key = nil
	}
	d.expire = keyspace.NoExpire
	return nil
}

// put stores the value read under d.key.
func (d *decoder) put(obj keyspace.Object) error {
	if obj.Len() == 0 {
		return errEmpty
	}
	d.db.SetObject(d.key, obj)
	if d.expire != keyspace.NoExpire {
		d.db.SetExpire(d.key, d.expire)
	}
	return nil
}

func (d *decoder) has(key []byte) bool {
	_, ok := d.db.Lookup(key)
	return ok
}

// quote shows a key in an error, shortened.
func quote(key []byte) string {
	const most = 100
	if len(key) > most {
		return fmt.Sprintf("%q... of %d bytes", key[:most], len(key))
	}
	return fmt.Sprintf("%q", key)
}

func (d *decoder) end() error {
	if d.info.Version >= crcVersion {
		d.in.sum()
		want := d.in.crc
		b, err := d.in.next(8)
		if err != nil {
			return err
		}
		if got := binary.LittleEndian.Uint64(b); got != 0 && got != want {
			return fmt.Errorf("%w: its content has CRC %016x, it says %016x", ErrCorrupt, want, got)
		}
	}
	if d.in.size >= 0 && d.in.offset() != d.in.size {
		return fmt.Errorf("%w: %d bytes after its end", ErrCorrupt, d.in.size-d.in.offset())
	}
	return nil
}

// errEmpty: the value read has no elements.
var errEmpty = errors.New("rdb: empty value")
