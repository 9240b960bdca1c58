package rdb

import (
	"fmt"

	entries "github.com/redoubtdb/redoubt/internal/listpack"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// How a node of a quicklist is kept in a file.
const (
	nodePlain  = 1 // one element as a string
	nodePacked = 2 // a listpack
)

// plainFrom is the size in bytes of an element that is written as a plain node: in a
// listpack it could pass the limit of strings.
const plainFrom = 1 << 20

// list reads the plain form element by element.
func (d *decoder) list(byte) error {
	n, err := d.in.count(1)
	if err != nil {
		return err
	}
	l := d.ks.NewList()
	for range n {
		e, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		l.Push(false, e)
	}
	return d.putList(l)
}

// packedList reads a list in one ziplist.
func (d *decoder) packedList(byte) error {
	l := d.ks.NewList()
	if err := d.ziplistNode(l); err != nil {
		return err
	}
	return d.putList(l)
}

// quicklist reads a list of nodes: ziplists, or what quicklistNode reads.
func (d *decoder) quicklist(typ byte) error {
	n, err := d.in.count(1)
	if err != nil {
		return err
	}
	read := d.quicklistNode
	if typ == typeListQuicklist {
		read = d.ziplistNode
	}
	l := d.ks.NewList()
	for range n {
		if err := read(l); err != nil {
			return err
		}
	}
	return d.putList(l)
}

func (d *decoder) quicklistNode(l *keyspace.List) error {
	container, err := d.in.length()
	if err != nil {
		return err
	}
	if container != nodePlain && container != nodePacked {
		return fmt.Errorf("%w: unknown container %d of a list's node", ErrCorrupt, container)
	}
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	if container == nodePlain {
		l.Push(false, b)
		return nil
	}
	list, err := openListpack(b)
	if err != nil {
		return err
	}
	return pushAll(l, list)
}

func (d *decoder) ziplistNode(l *keyspace.List) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	list, err := openZiplist(b)
	if err != nil {
		return err
	}
	return pushAll(l, list)
}

func pushAll(l *keyspace.List, list elements) error {
	var digits [24]byte
	for list.more() {
		e, err := list.next(digits[:])
		if err != nil {
			return err
		}
		l.Push(false, e)
	}
	return list.finish()
}

func (d *decoder) putList(l *keyspace.List) error {
	if l.Len() == 0 {
		return errEmpty
	}
	l.Settle()
	d.db.SetObject(d.key, l)
	if d.expire != keyspace.NoExpire {
		d.db.SetExpire(d.key, d.expire)
	}
	return nil
}

// listValue writes a quicklist, which is what Redis makes of every list in a file. The runs
// of elements in memory are what its nodes are.
func (e *encoder) listValue(key []byte, ref keyspace.Ref) {
	l := ref.List()
	nodes := 0
	l.EachNode(func([]byte, int) bool { nodes++; return true })
	e.key(typeListQuicklist2, key)
	e.out.length(uint64(nodes))
	var digits [entries.MaxDigits]byte
	l.EachNode(func(packed []byte, n int) bool {
		if n == 1 && len(packed) >= plainFrom {
			e.out.length(nodePlain)
			e.out.str(entries.Element(packed, 0, digits[:]))
		} else {
			e.out.length(nodePacked)
			e.list.reset()
			e.list.addAll(packed, n)
			e.out.str(e.list.bytes())
		}
		return e.out.err == nil
	})
}
