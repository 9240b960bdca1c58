package rdb

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// fillMixed makes keys of every kind in several databases, the same for the
// same seed.
func fillMixed(ks *keyspace.Keyspace, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	word := func() []byte {
		switch rng.IntN(6) {
		case 0:
			return strconv.AppendInt(nil, int64(rng.Uint64())>>rng.IntN(64), 10)
		case 1:
			return strconv.AppendInt(nil, int64(rng.IntN(300)-150), 10)
		case 2:
			return bytes.Repeat(noise(1+rng.IntN(9)), 1+rng.IntN(300))
		case 3:
			return noise(rng.IntN(70))
		case 4:
			return fmt.Appendf(nil, "user:%08d", rng.IntN(1e6))
		}
		return []byte{}
	}
	score := func() float64 {
		switch rng.IntN(6) {
		case 0:
			return math.Inf(1 - 2*rng.IntN(2))
		case 1:
			return math.Float64frombits(rng.Uint64() &^ (1 << 62)) // no NaN
		case 2:
			return rng.NormFloat64()
		}
		return float64(rng.Int64() >> rng.IntN(63))
	}
	for _, i := range []int{0, 1, 9, 15} {
		db := ks.DB(i)
		for n := range 250 {
			key := fmt.Appendf(word(), ":%d", n)
			switch n % 6 {
			case 5:
				l := ks.NewList()
				for range 1 + rng.IntN(6) {
					l.Push(false, word())
				}
				db.SetObject(key, l)
			case 3:
				z := ks.NewZSet()
				for range 1 + rng.IntN(6) {
					z.Set(word(), score())
				}
				db.SetObject(key, z)
			case 0:
				h := ks.NewHash()
				for range 1 + rng.IntN(6) {
					h.Set(word(), word())
				}
				db.SetObject(key, h)
			case 1:
				s := ks.NewSet()
				for range 1 + rng.IntN(6) {
					s.Add(word())
				}
				db.SetObject(key, s)
			case 2:
				s := ks.NewSet()
				for range 1 + rng.IntN(6) {
					s.Add(strconv.AppendInt(nil, int64(rng.Uint64())>>(n%64), 10))
				}
				db.SetObject(key, s)
			default:
				db.SetString(key, word())
			}
			if n%5 == 0 {
				db.SetExpire(key, 4102444800000+int64(n))
			}
		}
		h := ks.NewHash()
		for n := range 1500 {
			h.Set(fmt.Appendf(nil, "%d", n), word())
		}
		db.SetObject([]byte("large hash"), h)
		for name, member := range map[string]func(n int) []byte{
			"large set":         func(n int) []byte { return fmt.Appendf(word(), "%d", n) },
			"large intset":      func(n int) []byte { return fmt.Append(nil, n*n) },
			"table of integers": func(n int) []byte { return fmt.Append(nil, n*n) },
		} {
			s := ks.NewSet()
			for n := range map[bool]int{true: 512, false: 1500}[name == "large intset"] {
				s.Add(member(n))
			}
			db.SetObject([]byte(name), s)
		}
		l := ks.NewList()
		for range 1500 {
			l.Push(false, word())
		}
		l.Push(true, noise(300_000), noise(plainFrom))
		db.SetObject([]byte("large list"), l)
		z := ks.NewZSet()
		for n := range 1500 {
			z.Set(fmt.Appendf(nil, "%d", n), score())
		}
		db.SetObject([]byte("large sorted set"), z)
		db.SetString([]byte("large value"), noise(300_000))
		db.SetString([]byte("compressible"), bytes.Repeat([]byte("compressible "), 10_000))
		db.SetString([]byte{}, []byte("under the empty key"))
	}
}

// redisOn starts a redis-server that loads file.
func redisOn(t *testing.T, file []byte, args ...string) *redis.Client {
	t.Helper()
	dir := t.TempDir()
	if file != nil {
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	srv := testenv.StartRedis(t, append([]string{"--dir", dir, "--databases", "16"}, args...)...)
	return client(t, srv.Addr, 0)
}

func client(t *testing.T, addr string, db int) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, DB: db, DisableIdentity: true, ReadTimeout: time.Minute})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func redisDigest(t *testing.T, c *redis.Client) string {
	t.Helper()
	got, err := c.Do(context.Background(), "DEBUG", "DIGEST").Text()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func digestOf(ks *keyspace.Keyspace) string {
	d := ks.RedisDigest()
	return hex.EncodeToString(d[:])
}

// compareWithRedis asks a redis-server for every key of ks: its value and
// exact expiry.
func compareWithRedis(t *testing.T, c *redis.Client, ks *keyspace.Keyspace) {
	t.Helper()
	if want, got := digestOf(ks), redisDigest(t, c); got != want {
		t.Errorf("DEBUG DIGEST is %s, ours %s", got, want)
	}
	ctx := context.Background()
	for i := range ks.NumDBs() {
		db := ks.DB(i)
		cdb := client(t, c.Options().Addr, i)
		if n, err := cdb.DBSize(ctx).Result(); err != nil || n != int64(db.Len()) {
			t.Errorf("database %d has %d keys, ours %d (%v)", i, n, db.Len(), err)
		}
		db.Each(func(key []byte, ref keyspace.Ref) bool {
			compareKey(t, cdb, i, string(key), ref)
			return !t.Failed()
		})
	}
}

func compareKey(t *testing.T, c *redis.Client, db int, key string, ref keyspace.Ref) {
	ctx := context.Background()
	at, err := c.Do(ctx, "PEXPIRETIME", key).Int64()
	if err != nil || at != ref.ExpireAt() {
		t.Errorf("database %d key %.50q: PEXPIRETIME %d, ours %d (%v)", db, key, at, ref.ExpireAt(), err)
	}
	if s := ref.Set(); s != nil {
		compareSet(t, c, db, key, s)
		return
	}
	if l := ref.List(); l != nil {
		got, err := c.LRange(ctx, key, 0, -1).Result()
		if err != nil || !slices.Equal(got, listed(l)) {
			t.Errorf("database %d key %.50q: %.200q, ours %.200q (%v)", db, key, got, listed(l), err)
		}
		return
	}
	if z := ref.ZSet(); z != nil {
		compareZSet(t, c, db, key, z)
		return
	}
	h := ref.Hash()
	if h == nil {
		v, err := c.Get(ctx, key).Result()
		if err != nil || v != string(ref.Str()) {
			t.Errorf("database %d key %.50q: %.50q, ours %.50q (%v)", db, key, v, ref.Str(), err)
		}
		return
	}
	m, err := c.HGetAll(ctx, key).Result()
	if err != nil || len(m) != h.Len() {
		t.Errorf("database %d key %.50q: %d fields, ours %d (%v)", db, key, len(m), h.Len(), err)
	}
	h.Each(func(f, v []byte) bool {
		if got, ok := m[string(f)]; !ok || got != string(v) {
			t.Errorf("database %d key %.50q field %.50q: %.50q, ours %.50q", db, key, f, got, v)
		}
		return true
	})
	enc, err := c.ObjectEncoding(ctx, key).Result()
	if err != nil || enc != h.Encoding() {
		t.Errorf("database %d key %.50q: encoding %s, ours %s (%v)", db, key, enc, h.Encoding(), err)
	}
}

func compareSet(t *testing.T, c *redis.Client, db int, key string, s *keyspace.Set) {
	ctx := context.Background()
	m, err := c.SMembersMap(ctx, key).Result()
	if err != nil || len(m) != s.Len() {
		t.Errorf("database %d key %.50q: %d members, ours %d (%v)", db, key, len(m), s.Len(), err)
	}
	s.Each(func(member []byte) bool {
		if _, ok := m[string(member)]; !ok {
			t.Errorf("database %d key %.50q: no member %.50q", db, key, member)
		}
		return true
	})
	want := s.Encoding()
	if want == "listpack" {
		want = "hashtable" // of sets 7.0 has no listpacks yet
	}
	if enc, err := c.ObjectEncoding(ctx, key).Result(); err != nil || enc != want {
		t.Errorf("database %d key %.50q: encoding %s, ours %s (%v)", db, key, enc, s.Encoding(), err)
	}
}

func compareZSet(t *testing.T, c *redis.Client, db int, key string, z *keyspace.ZSet) {
	t.Helper()
	ctx := context.Background()
	want, err := c.ZRangeWithScores(ctx, key, 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	z.Each(func(m []byte, score float64) bool {
		if i >= len(want) || want[i].Member != string(m) || want[i].Score != score {
			t.Errorf("database %d key %.50q: %d is not %.50q with %v", db, key, i, m, score)
			return false
		}
		i++
		return true
	})
	enc, err := c.ObjectEncoding(ctx, key).Result()
	if err != nil || enc != z.Encoding() || len(want) != z.Len() {
		t.Errorf("database %d key %.50q: encoding %s of %d members, ours %s of %d (%v)", db, key, enc, len(want), z.Encoding(), z.Len(), err)
	}
}

func TestRedisLoadsWhatSaveWrote(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	fillMixed(ks, 1)
	file := save(t, ks, Aux{"redoubt-engine", "1"}, Aux{"redoubt-position", "seq 1 epoch 2 chain 3"})
	path := filepath.Join(t.TempDir(), "dump.rdb")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(testenv.Tool(t, "redis-check-rdb"), path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "RDB looks OK") || !strings.Contains(string(out), "redoubt-position") {
		t.Fatalf("redis-check-rdb: %v\n%s", err, out)
	}
	// Loaded, not ks: a hash table that shrank is a listpack again in both.
	back, _, err := load(file)
	if err != nil || !sameContent(ks, back) {
		t.Fatalf("loaded by ourselves: %v", err)
	}
	compareWithRedis(t, redisOn(t, file), back)
}

// What redis-server saved is read by Load: the same in every form that its
// settings can give a value.
func TestLoadReadsWhatRedisSaved(t *testing.T) {
	for name, args := range map[string][]string{
		"defaults":     nil,
		"uncompressed": {"--rdbcompression", "no"},
		"no checksum":  {"--rdbchecksum", "no"},
		"all listpacks": {"--hash-max-listpack-entries", "1000000", "--hash-max-listpack-value", "1000000",
			"--zset-max-listpack-entries", "1000000", "--zset-max-listpack-value", "1000000"},
		"all hashtables": {"--hash-max-listpack-entries", "0", "--set-max-intset-entries", "0",
			"--zset-max-listpack-entries", "0"},
		"long intsets": {"--set-max-intset-entries", "1000000"},
		"small nodes":  {"--list-max-listpack-size", "2"},
		"compressed":   {"--list-max-listpack-size", "-1", "--list-compress-depth", "1"},
		"LFU":          {"--maxmemory-policy", "allkeys-lfu"},
		"LRU":          {"--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb"},
	} {
		t.Run(name, func(t *testing.T) {
			ks := keyspace.New(keyspace.Config{})
			fillMixed(ks, 2)
			c := redisOn(t, nil, args...)
			store(t, c, ks)
			ctx := context.Background()
			if err := c.Do(ctx, "SAVE").Err(); err != nil {
				t.Fatal(err)
			}
			dir, err := c.ConfigGet(ctx, "dir").Result()
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(filepath.Join(dir["dir"], "dump.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			back, info, err := load(file)
			if err != nil {
				t.Fatal(err)
			}
			if !sameContent(ks, back) {
				t.Errorf("%d keys came back as %d, or changed", ks.Len(), back.Len())
			}
			if got := redisDigest(t, c); got != digestOf(back) {
				t.Errorf("DEBUG DIGEST is %s, ours %s", got, digestOf(back))
			}
			if info.Version != 10 || !strings.HasPrefix(info.Aux["redis-ver"], "7.0.") || info.Aux["ctime"] == "" {
				t.Errorf("%+v", info)
			}
		})
	}
}

// store puts all of ks into a redis-server by commands.
func store(t *testing.T, c *redis.Client, ks *keyspace.Keyspace) {
	t.Helper()
	ctx := context.Background()
	for i := range ks.NumDBs() {
		pipe := client(t, c.Options().Addr, i).Pipeline()
		ks.DB(i).Each(func(key []byte, ref keyspace.Ref) bool {
			if h := ref.Hash(); h != nil {
				args := []any{"HSET", key}
				h.Each(func(f, v []byte) bool { args = append(args, f, v); return true })
				pipe.Do(ctx, args...)
			} else if s := ref.Set(); s != nil {
				args := []any{"SADD", key}
				s.Each(func(m []byte) bool { args = append(args, bytes.Clone(m)); return true })
				pipe.Do(ctx, args...)
			} else if l := ref.List(); l != nil {
				args := []any{"RPUSH", key}
				for _, e := range listed(l) {
					args = append(args, e)
				}
				pipe.Do(ctx, args...)
			} else if z := ref.ZSet(); z != nil {
				args := []any{"ZADD", key}
				z.Each(func(m []byte, score float64) bool { args = append(args, resp.FormatDouble(score), m); return true })
				pipe.Do(ctx, args...)
			} else {
				pipe.Set(ctx, string(key), ref.Str(), 0)
			}
			if at := ref.ExpireAt(); at != keyspace.NoExpire {
				pipe.Do(ctx, "PEXPIREAT", key, at)
			}
			return true
		})
		if pipe.Len() == 0 {
			continue
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// redis-server reads the same as we do in files made by hand.
func TestRedisAgreesOnOldFiles(t *testing.T) {
	for _, f := range oldFiles {
		t.Run(f.name, func(t *testing.T) {
			ks, _, err := load(f.file)
			if err != nil {
				t.Fatal(err)
			}
			compareWithRedis(t, redisOn(t, f.file), ks)
		})
	}
}

// Types that Load refuses, as a redis-server writes them: the error names the key.
func TestOtherTypesOfRedisAreRefused(t *testing.T) {
	c := redisOn(t, nil)
	ctx := context.Background()
	for kind, cmd := range map[string][]any{
		"Redis functions": {"FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"},
	} {
		for _, args := range [][]any{{"FLUSHALL"}, {"FUNCTION", "FLUSH"}, cmd, {"SAVE"}} {
			if err := c.Do(ctx, args...).Err(); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
		}
		dir, err := c.ConfigGet(ctx, "dir").Result()
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir["dir"], "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = load(file)
		if !strings.Contains(fmt.Sprint(err), kind) || kind != "Redis functions" && !strings.Contains(err.Error(), `key "the-key" in database 0`) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
