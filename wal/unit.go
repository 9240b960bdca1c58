package wal

import (
	"encoding/binary"
	"fmt"
)

// Effect is what a command changed, as a deterministic command.
type Effect struct {
	DB   int      // database it applies to
	Args [][]byte // Args[0] is the command's name
}

// Unit collects the effects of one command, transaction or script. The zero
// value is empty and ready; Reset keeps its memory for the next one.
type Unit struct {
	n   int
	buf []byte
}

// Add copies one effect into the unit.
func (u *Unit) Add(db int, args ...[]byte) {
	u.n++
	u.buf = binary.AppendUvarint(u.buf, uint64(db))
	u.buf = binary.AppendUvarint(u.buf, uint64(len(args)))
	for _, a := range args {
		u.buf = binary.AppendUvarint(u.buf, uint64(len(a)))
		u.buf = append(u.buf, a...)
	}
}

// Empty reports whether the unit has no effects.
func (u *Unit) Empty() bool { return u.n == 0 }

// Len is the number of effects.
func (u *Unit) Len() int { return u.n }

// Size is the number of bytes the unit takes in a payload, at most.
func (u *Unit) Size() int { return len(u.buf) + binary.MaxVarintLen32 }

// unitKeep is the largest buffer in bytes that Reset keeps: one huge command
// must not hold its memory for as long as the unit lives.
const unitKeep = 1 << 20

// Reset empties the unit.
func (u *Unit) Reset() {
	u.n, u.buf = 0, u.buf[:0]
	if cap(u.buf) > unitKeep {
		u.buf = nil
	}
}

// AppendTo appends the unit to an entry's payload.
func (u *Unit) AppendTo(payload []byte) []byte {
	return append(binary.AppendUvarint(payload, uint64(u.n)), u.buf...)
}

// EachUnit calls fn for every unit of an effects entry's payload, in order.
// The effects and their arguments alias payload and are valid during the call.
// Errors: ErrCorrupt, or what fn returned.
func EachUnit(payload []byte, fn func([]Effect) error) error {
	d := decoder{rest: payload}
	var effects []Effect
	var args [][]byte
	for len(d.rest) > 0 {
		effects, args = effects[:0], args[:0]
		// The smallest effect has two bytes, the smallest argument one: counts
		// are judged against what is there before anything is allocated.
		n := d.count(2)
		for range n {
			db, argc := d.uvarint(), d.count(1)
			from := len(args)
			for range argc {
				args = append(args, d.bytes())
			}
			if argc == 0 || db > 1<<20 {
				d.bad = true
			}
			effects = append(effects, Effect{DB: int(db), Args: args[from:len(args):len(args)]})
		}
		if d.bad || n == 0 {
			return fmt.Errorf("%w: malformed unit %d bytes before the payload's end", ErrCorrupt, len(d.rest))
		}
		if err := fn(effects); err != nil {
			return err
		}
	}
	return nil
}

type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads a number of items of at least size bytes each.
func (d *decoder) count(size int) int {
	v := d.uvarint()
	if v > uint64(len(d.rest)/size) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(v)
}

func (d *decoder) bytes() []byte {
	n := d.count(1)
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
