package rdb

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// set reads the plain form member by member, so that a set of any size costs no
// memory beside its own.
func (d *decoder) set(byte) error {
	n, err := d.in.count(1)
	if err != nil {
		return err
	}
	s := d.ks.NewSet()
	for range n {
		member, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		if err := addMember(s, member); err != nil {
			return err
		}
	}
	return d.put(s)
}

func (d *decoder) packedSet(byte) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	list, err := openListpack(b)
	if err != nil {
		return err
	}
	s := d.ks.NewSet()
	var digits [24]byte
	for list.more() {
		member, err := list.next(digits[:])
		if err != nil {
			return err
		}
		if err := addMember(s, member); err != nil {
			return err
		}
	}
	if err := list.finish(); err != nil {
		return err
	}
	return d.put(s)
}

func (d *decoder) intset(byte) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	s := d.ks.NewSet()
	var digits [24]byte
	if err := eachInt(b, func(v int64) { s.Add(strconv.AppendInt(digits[:0], v, 10)) }); err != nil {
		return err
	}
	return d.put(s)
}

func addMember(s *keyspace.Set, member []byte) error {
	if !s.Add(member) {
		return fmt.Errorf("%w: member %s is there twice", ErrCorrupt, quote(member))
	}
	return nil
}

// An intset is written as the one that Redis would keep; the other forms member by
// member, since Redis has listpacks of sets only from 7.2 on.
func (e *encoder) set(key []byte, ref keyspace.Ref) {
	s := ref.Set()
	if ints, width, ok := s.Ints(); ok {
		e.packed = binary.LittleEndian.AppendUint32(e.packed[:0], uint32(width))
		e.packed = binary.LittleEndian.AppendUint32(e.packed, uint32(s.Len()))
		e.packed = append(e.packed, ints...)
		e.key(typeSetIntset, key)
		e.out.str(e.packed)
		if cap(e.packed) > scratchKeep {
			e.packed = nil
		}
		return
	}
	e.key(typeSet, key)
	e.out.length(uint64(s.Len()))
	s.Each(func(member []byte) bool {
		e.out.str(member)
		return e.out.err == nil
	})
}
