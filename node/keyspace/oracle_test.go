package keyspace

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/resp"
)

// redisServer starts the distribution's redis-server and returns one connection to it.
func redisServer(t *testing.T) *redis.Conn {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: testenv.StartRedis(t).Addr, Protocol: 2})
	conn := client.Conn()
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), client.Close()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// pair runs the same changes on redis-server and on a Keyspace.
type pair struct {
	t    *testing.T
	conn *redis.Conn
	ks   *Keyspace
	db   *DB
}

func (p *pair) do(args ...any) any {
	p.t.Helper()
	v, err := p.conn.Do(p.t.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		p.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// compare checks everything that redis-server can tell about its data.
func (p *pair) compare() {
	p.t.Helper()
	if got, want := fmt.Sprintf("%x", p.ks.RedisDigest()), p.do("DEBUG", "DIGEST"); got != want {
		p.t.Errorf("DEBUG DIGEST is %s, redis-server says %s", got, want)
	}
	for i := range p.ks.NumDBs() {
		p.do("SELECT", i)
		db := p.ks.DB(i)
		if n := p.do("DBSIZE"); n != int64(db.Len()) {
			p.t.Errorf("db %d: %d keys, redis-server has %v", i, db.Len(), n)
		}
		db.Each(func(key []byte, ref Ref) bool {
			p.compareKey(db, key, ref)
			return !p.t.Failed()
		})
	}
	p.do("SELECT", p.db.Index())
}

func (p *pair) compareKey(db *DB, key []byte, ref Ref) {
	p.t.Helper()
	want := []any{
		p.do("TYPE", key),
		p.do("OBJECT", "ENCODING", key),
		p.do("DEBUG", "DIGEST-VALUE", key).([]any)[0],
		p.do("PEXPIRETIME", key),
	}
	if ref.Set() != nil && ref.Encoding() == "listpack" && want[1] == "hashtable" {
		want[1] = "listpack" // which sets have from Redis 7.2 on
	}
	got := []any{ref.Type().String(), ref.Encoding(), fmt.Sprintf("%x", db.KeyRedisDigest(key)), ref.ExpireAt()}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("db %d: key %q: %v, redis-server says %v", db.Index(), key, got, want)
	}
	if z := ref.ZSet(); z != nil {
		var order []any
		z.Each(func(m []byte, score float64) bool {
			order = append(order, string(m), resp.FormatDouble(score))
			return true
		})
		if want := p.do("ZRANGE", key, 0, -1, "WITHSCORES"); fmt.Sprint(order) != fmt.Sprint(want) {
			p.t.Errorf("db %d: sorted set %q is %q, redis-server has %q", db.Index(), key, order, want)
		}
	}
	if h := ref.Hash(); h != nil && h.Encoding() == "listpack" {
		var order []any
		h.Each(func(f, v []byte) bool {
			order = append(order, string(f), string(v))
			return true
		})
		if want := p.do("HGETALL", key); fmt.Sprint(order) != fmt.Sprint(want) {
			p.t.Errorf("db %d: hash %q is %q, redis-server has %q", db.Index(), key, order, want)
		}
	}
}

// step makes one random change on both sides.
func (p *pair) step(rng *rand.Rand) {
	key := fmt.Appendf(nil, "key:%d", rng.IntN(40))
	other := fmt.Appendf(nil, "key:%d", rng.IntN(40))
	far := int64(4_000_000_000_000) + rng.Int64N(1e9)
	ref, found := p.db.Lookup(key)
	isString := !found || ref.Type() == TypeString
	switch n := rng.IntN(18); {
	case n == 0:
		val := randomValue(rng)
		p.do("SET", key, val)
		p.db.SetString(key, val)
	case n == 1:
		val := randomValue(rng)
		p.do("SET", key, val, "KEEPTTL")
		p.db.SetStringKeepExpire(key, val, FormAuto)
	case n == 2:
		val := randomValue(rng)
		p.do("SET", key, val, "PXAT", far)
		p.db.SetStringExpireAt(key, val, far, FormAuto)
	case n == 3:
		p.do("PEXPIREAT", key, far)
		p.db.SetExpire(key, far)
	case n == 4:
		p.do("PERSIST", key)
		p.db.Persist(key)
	case n == 5:
		p.do("DEL", key)
		p.db.Delete(key)
	case n == 6 && isString:
		val := randomValue(rng)
		p.do("APPEND", key, val)
		if _, err := p.db.AppendString(key, val); err != nil {
			p.t.Fatal(err)
		}
	case n == 7 && isString:
		val, off := randomValue(rng), rng.IntN(60)
		p.do("SETRANGE", key, off, val)
		if _, err := p.db.SetRange(key, off, val); err != nil {
			p.t.Fatal(err)
		}
	case n == 8 && found:
		p.do("RENAME", key, other)
		p.db.Rename(key, other)
	case n == 9 && found && !bytes.Equal(key, other):
		p.do("COPY", key, other, "REPLACE")
		p.db.CopyTo(p.db, key, other)
	case n == 10:
		i := (p.db.Index() + 1) % p.ks.NumDBs()
		p.do("MOVE", key, i)
		p.db.Move(p.ks.DB(i), key)
	case n == 11 && rng.IntN(10) == 0:
		i, j := rng.IntN(p.ks.NumDBs()), rng.IntN(p.ks.NumDBs())
		p.do("SWAPDB", i, j)
		p.ks.Swap(i, j)
	case n == 12 || n == 13:
		if !found || ref.Type() == TypeHash {
			p.hashStep(rng, key)
		}
	case n == 14 || n == 15:
		if !found || ref.Type() == TypeSet {
			p.setStep(rng, key)
		}
	case n >= 16:
		if !found || ref.Type() == TypeZSet {
			p.zsetStep(rng, key)
		}
	}
	if rng.IntN(50) == 0 {
		p.db = p.ks.DB(rng.IntN(p.ks.NumDBs()))
		p.do("SELECT", p.db.Index())
	}
}

func (p *pair) hashStep(rng *rand.Rand, key []byte) {
	h, err := p.db.HashForWrite(key)
	if err != nil {
		p.t.Fatal(err)
	}
	for range 1 + rng.IntN(30) {
		field := fmt.Appendf(nil, "f%d", rng.IntN(160))
		if rng.IntN(3) == 0 {
			p.do("HDEL", key, field)
			h.Del(field)
		} else {
			val := randomValue(rng)
			if len(val) > 64 && rng.IntN(20) > 0 {
				val = val[:64]
			}
			p.do("HSET", key, field, val)
			h.Set(field, val)
		}
	}
	p.db.DeleteIfEmpty(key)
}

func (p *pair) setStep(rng *rand.Rand, key []byte) {
	s, err := p.db.SetForWrite(key)
	if err != nil {
		p.t.Fatal(err)
	}
	words := rng.IntN(3) == 0
	for range 1 + rng.IntN(60) {
		member := fmt.Append(nil, rng.Int64N(700)-rng.Int64N(1<<rng.IntN(60)))
		if words && rng.IntN(20) == 0 {
			member = randomValue(rng)
		}
		if rng.IntN(3) == 0 {
			p.do("SREM", key, member)
			s.Remove(member)
		} else {
			p.do("SADD", key, member)
			s.Add(member)
		}
	}
	p.db.DeleteIfEmpty(key)
}

func (p *pair) zsetStep(rng *rand.Rand, key []byte) {
	z, err := p.db.ZSetForWrite(key)
	if err != nil {
		p.t.Fatal(err)
	}
	for range 1 + rng.IntN(60) {
		member := fmt.Appendf(nil, "m%d", rng.IntN(300))
		if rng.IntN(60) == 0 {
			member = bytes.Repeat(member, 20)
		}
		if rng.IntN(4) == 0 {
			p.do("ZREM", key, member)
			z.Del(member)
			continue
		}
		score := randomScore(rng)
		p.do("ZADD", key, resp.FormatDouble(score), member)
		z.Set(member, score)
	}
	p.db.DeleteIfEmpty(key)
}

func randomScore(rng *rand.Rand) float64 {
	switch rng.IntN(6) {
	case 0:
		return math.Inf(1 - 2*rng.IntN(2))
	case 1:
		return rng.NormFloat64()
	case 2:
		return math.Float64frombits(rng.Uint64() &^ (1 << 62)) // no NaN
	case 3:
		return float64(rng.Int64() >> rng.IntN(63))
	}
	return float64(rng.IntN(20) - 10)
}

func randomValue(rng *rand.Rand) []byte {
	switch rng.IntN(4) {
	case 0:
		return fmt.Append(nil, rng.Int64N(1<<rng.IntN(63))-rng.Int64N(1<<rng.IntN(20)))
	case 1:
		return fmt.Append(nil, rng.Uint64())
	}
	n := []int{0, 1, 5, 43, 44, 45, 64, 65, 200, 5000}[rng.IntN(10)]
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestAgainstRedisServer(t *testing.T) {
	conn := redisServer(t)
	for seed := range uint64(4) {
		p := &pair{t: t, conn: conn, ks: New(Config{})}
		p.db = p.ks.DB(0)
		p.do("FLUSHALL")
		p.do("SELECT", 0)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 5 {
			for range 300 {
				p.step(rng)
			}
			p.compare()
			checkKeyspace(t, p.ks)
		}
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

// TestEncodingsAgainstRedisServer goes through the ways a string can come about.
func TestEncodingsAgainstRedisServer(t *testing.T) {
	p := &pair{t: t, conn: redisServer(t), ks: New(Config{})}
	p.db = p.ks.DB(0)
	check := func(what string) {
		t.Helper()
		ref, ok := p.db.Lookup([]byte("k"))
		if want := p.do("OBJECT", "ENCODING", "k"); !ok || ref.Encoding() != want || string(ref.Str()) != p.do("GET", "k") {
			t.Errorf("%s: %s, redis-server says %v", what, ref.Encoding(), want)
		}
		p.do("DEL", "k")
		p.db.Delete([]byte("k"))
	}
	key := []byte("k")
	for _, val := range []string{"", "0", "-0", "01", "1", "-1", "+1", "1.0", " 1", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "-9223372036854775809", "10000", strings.Repeat("1", 20), strings.Repeat("x", 44), strings.Repeat("x", 45)} {
		p.do("SET", "k", val)
		p.db.SetString(key, []byte(val))
		check("SET " + val)

		p.do("APPEND", "k", val)
		if _, err := p.db.AppendString(key, []byte(val)); err != nil {
			t.Fatal(err)
		}
		check("APPEND to nothing " + val)
	}
	type change struct {
		name  string
		redis []any
		ours  func() error
	}
	for _, c := range []change{
		{"APPEND of nothing", []any{"APPEND", "k", ""}, func() error { _, err := p.db.AppendString(key, nil); return err }},
		{"APPEND", []any{"APPEND", "k", "5"}, func() error { _, err := p.db.AppendString(key, []byte("5")); return err }},
		{"SETRANGE", []any{"SETRANGE", "k", "0", "7"}, func() error { _, err := p.db.SetRange(key, 0, []byte("7")); return err }},
		{"SETRANGE of nothing", []any{"SETRANGE", "k", "0", ""}, func() error { _, err := p.db.SetRange(key, 0, nil); return err }},
		{"SETBIT", []any{"SETBIT", "k", "7", "1"}, func() error {
			v, err := p.db.StringForWrite(key, 1)
			if err == nil {
				v[0] |= 1
			}
			return err
		}},
		{"INCR", []any{"INCR", "k"}, func() error { p.db.SetStringKeepExpire(key, []byte("43"), FormAuto); return nil }},
		{"INCRBYFLOAT", []any{"INCRBYFLOAT", "k", "1"}, func() error { p.db.SetStringKeepExpire(key, []byte("43"), FormText); return nil }},
		{"BITOP", []any{"BITOP", "AND", "k", "k"}, func() error { p.db.SetStringExpireAt(key, []byte("42"), NoExpire, FormRaw); return nil }},
		{"RENAME", []any{"EVAL", "redis.call('append','k','1') redis.call('rename','k','l') redis.call('rename','l','k')", 0}, func() error {
			_, err := p.db.AppendString(key, []byte("1"))
			p.db.Rename(key, []byte("l"))
			p.db.Rename([]byte("l"), key)
			return err
		}},
		{"COPY", []any{"EVAL", "redis.call('append','k','1') redis.call('copy','k','l') redis.call('rename','l','k')", 0}, func() error {
			_, err := p.db.AppendString(key, []byte("1"))
			p.db.CopyTo(p.db, key, []byte("l"))
			p.db.Rename([]byte("l"), key)
			return err
		}},
		{"PEXPIREAT", []any{"PEXPIREAT", "k", int64(4_000_000_000_000)}, func() error { p.db.SetExpire(key, 4_000_000_000_000); return nil }},
	} {
		p.do("SET", "k", "42")
		p.db.SetString(key, []byte("42"))
		p.do(c.redis...)
		if err := c.ours(); err != nil {
			t.Fatal(err)
		}
		check(c.name)
	}
}
