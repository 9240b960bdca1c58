package keyspace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
)

const digestSize = sha256.Size

// Digest is the logical state of a keyspace, or a part of it: equal if and only if
// the states are equal. The zero Digest is that of no keys.
type Digest [digestSize]byte

// String is the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// sum is a multiset of digests: addition in four lanes modulo 2^64. Unlike
// exclusive-or, equal elements do not cancel out.
type sum [digestSize / 8]uint64

func (s *sum) add(d [digestSize]byte) {
	for i := range s {
		s[i] += binary.LittleEndian.Uint64(d[8*i:])
	}
}

func (s *sum) digest() (d [digestSize]byte) {
	for i, lane := range s {
		binary.LittleEndian.PutUint64(d[8*i:], lane)
	}
	return d
}

// digester hashes keys and elements. Every part is preceded by its length.
type digester struct {
	h   hash.Hash
	buf []byte
}

func newDigester() *digester { return &digester{h: sha256.New()} }

// Digest computes the digest of all databases, in one pass over all keys.
func (ks *Keyspace) Digest() Digest {
	var s sum
	d := newDigester()
	for _, db := range ks.dbs {
		db.keys.each(func(h *header) bool {
			s.add(d.record(db.id, h))
			return true
		})
	}
	return s.digest()
}

// KeyDigest is the part of Keyspace.Digest that key contributes, false when it is
// absent. It tells two states' differing keys.
func (db *DB) KeyDigest(key []byte) (Digest, bool) {
	ref, ok := db.Lookup(key)
	if !ok {
		return Digest{}, false
	}
	return newDigester().record(db.id, ref.h), true
}

func (d *digester) record(db int, h *header) [digestSize]byte {
	if h.typ() == TypeString {
		return d.sum(db, h, h.str())
	}
	content := h.object().content(d)
	return d.sum(db, h, content[:])
}

func (d *digester) sum(db int, h *header, value []byte) [digestSize]byte {
	b := binary.LittleEndian.AppendUint32(d.buf[:0], uint32(db))
	b = append(b, byte(h.typ()))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.expireAt()))
	return d.finish(b, h.keyBytes(), value)
}

// pair digests two strings, an element of an unordered value.
func (d *digester) pair(a, b []byte) [digestSize]byte { return d.finish(d.buf[:0], a, b) }

// finish hashes head, the length of a, a and b.
func (d *digester) finish(head, a, b []byte) [digestSize]byte {
	head = binary.LittleEndian.AppendUint64(head, uint64(len(a)))
	head = append(head, a...)
	if len(b) > inlineMax {
		d.buf = head
		return d.long(b)
	}
	d.buf = append(head, b...)
	return sha256.Sum256(d.buf)
}

// long hashes what is in buf and then b, which is not worth a copy.
func (d *digester) long(b []byte) (out [digestSize]byte) {
	d.h.Reset()
	d.h.Write(d.buf)
	d.h.Write(b)
	d.h.Sum(out[:0])
	return out
}

func (z *ZSet) content(d *digester) [digestSize]byte {
	var s sum
	var text [scoreSize]byte
	z.Each(func(member []byte, score float64) bool {
		binary.LittleEndian.PutUint64(text[:], math.Float64bits(score))
		s.add(d.pair(member, text[:]))
		return true
	})
	return s.digest()
}

func (h *Hash) content(d *digester) [digestSize]byte {
	var s sum
	h.Each(func(field, value []byte) bool {
		s.add(d.pair(field, value))
		return true
	})
	return s.digest()
}

func (s *Set) content(d *digester) [digestSize]byte {
	var all sum
	s.Each(func(member []byte) bool {
		all.add(d.pair(member, nil))
		return true
	})
	return all.digest()
}

func (l *List) content(d *digester) [digestSize]byte {
	it := l.Iterate(true)
	b := d.buf[:0]
	d.h.Reset()
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(e)))
		b = append(b, e...)
		if len(b) > inlineMax {
			d.h.Write(b)
			b = b[:0]
		}
	}
	d.h.Write(b)
	d.buf = b[:0]
	var out [digestSize]byte
	d.h.Sum(out[:0])
	return out
}
