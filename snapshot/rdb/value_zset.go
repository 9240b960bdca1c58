package rdb

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// What the length of a score in text says when it is none.
const (
	scoreNaN    = 253
	scoreInf    = 254
	scoreNegInf = 255
)

// zset reads the plain forms member by member; see hash.
func (d *decoder) zset(typ byte) error {
	read, least := d.binaryScore, uint64(9)
	if typ == typeZSet {
		read, least = d.textScore, 2
	}
	n, err := d.in.count(least)
	if err != nil {
		return err
	}
	z := d.ks.NewZSet()
	for range n {
		member, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		d.field = append(d.field[:0], member...)
		score, err := read()
		if err != nil {
			return err
		}
		if err := addScored(z, d.field, score); err != nil {
			return err
		}
	}
	return d.put(z)
}

func (d *decoder) binaryScore() (float64, error) {
	b, err := d.in.next(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

func (d *decoder) textScore() (float64, error) {
	n, err := d.in.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case scoreNaN:
		return math.NaN(), nil
	case scoreInf:
		return math.Inf(1), nil
	case scoreNegInf:
		return math.Inf(-1), nil
	}
	text, err := d.in.next(uint64(n))
	if err != nil {
		return 0, err
	}
	return scoreOf(text)
}

func scoreOf(text []byte) (float64, error) {
	score, ok := resp.ParseDouble(text)
	if !ok {
		return 0, fmt.Errorf("%w: score %s is not a number", ErrCorrupt, quote(text))
	}
	return score, nil
}

// packedZSet reads the forms where members and scores take turns in one string.
func (d *decoder) packedZSet(typ byte) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	var list elements
	if typ == typeZSetZiplist {
		list, err = openZiplist(b)
	} else {
		list, err = openListpack(b)
	}
	if err != nil {
		return err
	}
	z := d.ks.NewZSet()
	var memberInt, scoreInt [24]byte
	for list.more() {
		member, err := list.next(memberInt[:])
		if err != nil {
			return err
		}
		if !list.more() {
			return fmt.Errorf("%w: the last member has no score", ErrCorrupt)
		}
		text, err := list.next(scoreInt[:])
		if err != nil {
			return err
		}
		score, err := scoreOf(text)
		if err != nil {
			return err
		}
		if err := addScored(z, member, score); err != nil {
			return err
		}
	}
	if err := list.finish(); err != nil {
		return err
	}
	return d.put(z)
}

func addScored(z *keyspace.ZSet, member []byte, score float64) error {
	if math.IsNaN(score) {
		return fmt.Errorf("%w: the score of member %s is not a number", ErrCorrupt, quote(member))
	}
	if !z.Set(member, score) {
		return fmt.Errorf("%w: member %s is there twice", ErrCorrupt, quote(member))
	}
	return nil
}

// A compact sorted set is written as Redis keeps it, see hash; a large one streams
// from its end, which Redis loads fastest.
func (e *encoder) zset(key []byte, ref keyspace.Ref) {
	z := ref.ZSet()
	if z.Encoding() == "listpack" {
		var text [32]byte
		e.list.reset()
		z.Each(func(member []byte, score float64) bool {
			e.list.add(member)
			e.list.add(resp.AppendPackedScore(text[:0], score))
			return true
		})
		e.key(typeZSetListpack, key)
		e.out.str(e.list.bytes())
		return
	}
	e.key(typeZSet2, key)
	e.out.length(uint64(z.Len()))
	z.RangeBack(0, z.Len(), func(member []byte, score float64) bool {
		e.out.str(member)
		e.out.uint64(math.Float64bits(score))
		return e.out.err == nil
	})
}
