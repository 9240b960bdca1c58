package keyspace

import (
	"crypto/sha1"
	"encoding/binary"

	"github.com/redoubtdb/redoubt/node/resp"
)

// redisDigest is the state of DEBUG DIGEST: 20 bytes that unordered things are
// xor-ed into, and ordered things mixed into.
type redisDigest [sha1.Size]byte

// xor combines with data regardless of order.
func (d *redisDigest) xor(data []byte) {
	for i, c := range sha1.Sum(data) {
		d[i] ^= c
	}
}

// mix combines with data so that the order matters.
func (d *redisDigest) mix(data []byte) {
	d.xor(data)
	*d = sha1.Sum(d[:])
}

func (d *redisDigest) mixUint32(n uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	d.mix(b[:])
}

// value mixes in type, value and that there is an expiry, but not when: that is
// all Redis takes of it.
func (d *redisDigest) value(h *header) {
	d.mixUint32(uint32(h.typ()))
	if h.typ() == TypeString {
		d.mix(h.str())
	} else {
		h.object().redisContent(d)
	}
	if h.hasExpire() {
		d.xor([]byte("!!expire!!"))
	}
}

// RedisDigest is what redis-server's DEBUG DIGEST answers for the same data.
func (ks *Keyspace) RedisDigest() [20]byte {
	var all redisDigest
	for _, db := range ks.dbs {
		if db.Len() == 0 {
			continue
		}
		all.mixUint32(uint32(db.id))
		db.keys.each(func(h *header) bool {
			var d redisDigest
			d.mix(h.keyBytes())
			d.value(h)
			all.xorDigest(d)
			return true
		})
	}
	return all
}

// KeyRedisDigest is what redis-server's DEBUG DIGEST-VALUE answers for key: all
// zeros when it is absent.
func (db *DB) KeyRedisDigest(key []byte) [20]byte {
	var d redisDigest
	if ref, ok := db.Lookup(key); ok {
		d.value(ref.h)
	}
	return d
}

// xorDigest adds the digest of a part, as unordered data.
func (d *redisDigest) xorDigest(part redisDigest) { d.xor(part[:]) }

func (z *ZSet) redisContent(d *redisDigest) {
	z.Each(func(member []byte, score float64) bool {
		var e redisDigest
		e.mix(member)
		e.mix(resp.AppendDouble(nil, score))
		d.xorDigest(e)
		return true
	})
}

func (h *Hash) redisContent(d *redisDigest) {
	h.Each(func(field, value []byte) bool {
		var e redisDigest
		e.mix(field)
		e.mix(value)
		d.xorDigest(e)
		return true
	})
}

func (s *Set) redisContent(d *redisDigest) {
	s.Each(func(member []byte) bool {
		d.xor(member)
		return true
	})
}

func (l *List) redisContent(d *redisDigest) {
	it := l.Iterate(true)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		d.mix(e)
	}
}
