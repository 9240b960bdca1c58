package rdb

import (
	"fmt"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// hash reads the plain form field by field, so that a hash of any size costs no
// memory beside its own.
func (d *decoder) hash(byte) error {
	n, err := d.in.count(2)
	if err != nil {
		return err
	}
	h := d.ks.NewHash()
	for range n {
		field, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		d.field = append(d.field[:0], field...)
		value, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		if err := setField(h, d.field, value); err != nil {
			return err
		}
	}
	return d.put(h)
}

// packedHash reads the forms where fields and values take turns in one string.
func (d *decoder) packedHash(typ byte) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	list, err := openPacked(typ, b)
	if err != nil {
		return err
	}
	h := d.ks.NewHash()
	var fieldInt, valueInt [24]byte
	for list.more() {
		field, err := list.next(fieldInt[:])
		if err != nil {
			return err
		}
		if !list.more() {
			return fmt.Errorf("%w: the last field has no value", ErrCorrupt)
		}
		value, err := list.next(valueInt[:])
		if err != nil {
			return err
		}
		if err := setField(h, field, value); err != nil {
			return err
		}
	}
	if err := list.finish(); err != nil {
		return err
	}
	return d.put(h)
}

func openPacked(typ byte, b []byte) (elements, error) {
	switch typ {
	case typeHashZipmap:
		return openZipmap(b)
	case typeHashZiplist:
		return openZiplist(b)
	}
	return openListpack(b)
}

func setField(h *keyspace.Hash, field, value []byte) error {
	if !h.Set(field, value) {
		return fmt.Errorf("%w: field %s is there twice", ErrCorrupt, quote(field))
	}
	return nil
}

// A compact hash is written as the listpack that Redis keeps it in, which is
// smaller and compresses as a whole; a large one streams field by field.
func (e *encoder) hash(key []byte, ref keyspace.Ref) {
	h := ref.Hash()
	if h.Encoding() == "listpack" {
		e.list.reset()
		h.Each(func(field, value []byte) bool {
			e.list.add(field)
			e.list.add(value)
			return true
		})
		e.key(typeHashListpack, key)
		e.out.str(e.list.bytes())
		return
	}
	e.key(typeHash, key)
	e.out.length(uint64(h.Len()))
	h.Each(func(field, value []byte) bool {
		e.out.str(field)
		e.out.str(value)
		return e.out.err == nil
	})
}
