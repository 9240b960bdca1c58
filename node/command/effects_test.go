package command_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/wal"
)

const testNow = 1_700_000_000_000

// effects are the effects of the last command, as text.
func (s *subject) effects() string {
	if s.unit.Empty() {
		return ""
	}
	var out []string
	err := wal.EachUnit(s.unit.AppendTo(nil), func(effects []wal.Effect) error {
		for _, e := range effects {
			line := fmt.Sprintf("%q", e.Args)
			line = strings.ReplaceAll(line[1:len(line)-1], `"`, "")
			if e.DB != 0 {
				line = fmt.Sprintf("[%d] %s", e.DB, line)
			}
			out = append(out, line)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(out, "; ")
}

func TestEffects(t *testing.T) {
	const past, future = "1600000000000", "1800000000000"
	tests := []struct{ setup, request, want string }{
		{"", "set k v", "set k v"},
		{"", "SET k v EX 10", "SET k v PXAT 1700000010000"},
		{"", "SET k v PX 10", "SET k v PXAT 1700000000010"},
		{"", "SET k v EXAT 1800000000", "SET k v PXAT " + future},
		{"", "SET k v PXAT " + future + " NX GET", "SET k v PXAT " + future},
		{"SET k old", "SET k v NX", ""},
		{"", "SET k v XX GET", ""},
		{"SET k old EX 100", "SET k v XX KEEPTTL", "SET k v KEEPTTL"},
		{"SET k old", "SET k v GET", "SET k v"},
		{"", "SETNX k v", "SET k v"},
		{"", "SETEX k 5 v", "SET k v PXAT 1700000005000"},
		{"", "PSETEX k 5 v", "SET k v PXAT 1700000000005"},
		{"", "GETSET k v", "SET k v"},
		{"SET k v", "GETDEL k", "DEL k"},
		{"", "GETDEL k", ""},
		{"SET k v", "GETEX k", ""},
		{"SET k v", "GETEX k EX 5", "PEXPIREAT k 1700000005000"},
		{"SET k v", "GETEX k PXAT " + past, "DEL k"},
		{"SET k v", "GETEX k PERSIST", ""},
		{"SET k v EX 5", "GETEX k PERSIST", "PERSIST k"},
		{"", "MSET a 1 b 2", "MSET a 1 b 2"},
		{"", "MSETNX a 1 b 2", "MSET a 1 b 2"},
		{"SET b 1", "MSETNX a 1 b 2", ""},
		{"", "APPEND k v", "APPEND k v"},
		{"", "SETRANGE k 3 v", "SETRANGE k 3 v"},
		{"", "INCR k", "INCR k"},
		{"", "DECRBY k 3", "DECRBY k 3"},
		{"SET k abc", "INCR k", ""},
		{"SET k 1.5 EX 10", "INCRBYFLOAT k 1.25", "SET k 2.75 KEEPTTL"},
		{"", "INCRBYFLOAT k 1e2", "SET k 100 KEEPTTL"},

		{"", "SETBIT k 9 1", "SETBIT k 9 1"},
		{"SETBIT k 9 1", "SETBIT k 9 1", ""},
		{"SETBIT k 9 1", "SETBIT k 0 0", ""},
		{"SETBIT k 9 1", "SETBIT k 20 0", "SETBIT k 20 0"},
		{"MSET a 1 b 2", "BITOP AND k a b x", "BITOP AND k a b x"},
		{"SET k v", "BITOP OR k x y", "DEL k"},
		{"", "BITOP OR k x y", ""},
		{"", "BITFIELD k GET u8 0", ""},
		{"", "BITFIELD k SET u8 0 7", "BITFIELD k SET u8 0 7"},
		{"BITFIELD k SET u8 0 7", "BITFIELD k SET u8 0 7", ""},
		{"BITFIELD k SET u8 0 7", "BITFIELD k OVERFLOW FAIL INCRBY u2 0 9", ""},
		{"", "BITFIELD k OVERFLOW FAIL INCRBY u2 100 9", "BITFIELD k OVERFLOW FAIL INCRBY u2 100 9"},

		{"", "PFADD p", "PFADD p"},
		{"", "PFADD p a b a", "PFADD p a b"},
		{"PFADD p a b", "PFADD p b c a", "PFADD p c"},
		{"PFADD p a b", "PFADD p b a", ""},
		{"PFADD p a b", "PFADD p", ""},
		{"PFADD p a b", "PFCOUNT p", `SETRANGE p 8 \x02\x00\x00\x00\x00\x00\x00\x00`},
		{"PFADD p a b", "PFCOUNT p q", ""},
		{"", "PFCOUNT p", ""},
		{"PFADD p a b", "PFMERGE q p x", "PFMERGE q p x"},
		{"PFADD p a b", "PFDEBUG TODENSE p", "PFDEBUG TODENSE p"},
		{"PFADD p a b", "PFDEBUG GETREG p", "PFDEBUG TODENSE p"},
		{"PFADD p a b", "PFDEBUG DECODE p", ""},

		{"", "HSET h f v g w", "HSET h f v g w"},
		{"", "HSETNX h f v", "HSET h f v"},
		{"HSET h f v", "HSETNX h f w", ""},
		{"HSET h f v g w", "HDEL h x f y", "HDEL h f"},
		{"HSET h f v", "HDEL h x", ""},
		{"HSET h f 1", "HINCRBY h f 2", "HSET h f 3"},
		{"HSET h f 1.5", "HINCRBYFLOAT h f 2.25", "HSET h f 3.75"},

		{"", "SADD s a b a", "SADD s a b a"},
		{"SADD s a b", "SADD s b a", ""},
		{"SADD s a b c", "SREM s x a y b a", "SREM s a b"},
		{"SADD s a", "SREM s a", "SREM s a"},
		{"SADD s a", "SREM s x", ""},
		{"SADD s a b", "SMOVE s t a", "SMOVE s t a"},
		{"SADD s a", "SMOVE s t a", "SMOVE s t a"},
		{"SADD s a b", "SMOVE s s a", ""},
		{"SADD s a b", "SMOVE s t x", ""},
		{"SADD s a", "SPOP s", "DEL s"},
		{"SADD s a b", "SPOP s 2", "DEL s"},
		{"SADD s a b", "SPOP s 5", "DEL s"},
		{"SADD s a b", "SPOP s 0", ""},
		{"", "SPOP s", ""},
		{"SADD s a b", "SRANDMEMBER s", ""},
		{"SADD s a b", "SINTERSTORE d s s", "SINTERSTORE d s s"},
		{"SADD s a b", "SINTERSTORE s s none", "DEL s"},
		{"SADD s a b", "SINTERSTORE d s none", ""},
		{"SADD s a b", "SUNIONSTORE d s none", "SUNIONSTORE d s none"},
		{"SET d v", "SUNIONSTORE d none", "DEL d"},
		{"SADD s a b", "SDIFFSTORE d s none", "SDIFFSTORE d s none"},
		{"SADD s a b", "SDIFFSTORE d s s", ""},

		{"", "LPUSH l a b", "LPUSH l a b"},
		{"", "RPUSHX l a", ""},
		{"RPUSH l a", "RPUSHX l b", "RPUSHX l b"},
		{"RPUSH l a b c", "LPOP l", "LPOP l"},
		{"RPUSH l a b c", "RPOP l 2", "RPOP l 2"},
		{"RPUSH l a b c", "RPOP l 9", "RPOP l 3"},
		{"RPUSH l a b c", "LPOP l 0", ""},
		{"", "LPOP l", ""},
		{"RPUSH l a b c", "LSET l -1 x", "LSET l -1 x"},
		{"RPUSH l a", "LSET l 5 x", ""},
		{"RPUSH l a", "LINSERT l before a x", "LINSERT l before a x"},
		{"RPUSH l a", "LINSERT l after b x", ""},
		{"RPUSH l a b a", "LREM l 1 a", "LREM l 1 a"},
		{"RPUSH l a", "LREM l 1 b", ""},
		{"RPUSH l a b c", "LTRIM l 1 -1", "LTRIM l 1 -1"},
		{"RPUSH l a b c", "LTRIM l 0 -1", ""},
		{"RPUSH l a b", "LMOVE l m left right", "LMOVE l m LEFT RIGHT"},
		{"RPUSH l a b", "RPOPLPUSH l l", "LMOVE l l RIGHT LEFT"},
		{"RPUSH l a b", "LMPOP 2 k l RIGHT COUNT 5", "RPOP l 2"},
		{"RPUSH l 3 1 2", "SORT l", ""},
		{"RPUSH l 3 1 2", "SORT l STORE d", "RPUSH d 1 2 3"},
		{"RPUSH l 3 1 2", "SORT l DESC LIMIT 0 2 STORE l", "DEL l; RPUSH l 3 2"},
		{"SET d v", "SORT l STORE d", "DEL d"},
		{"", "SORT l STORE d", ""},
		{"RPUSH l a b", "LMPOP 1 l LEFT", "LPOP l"},
		{"RPUSH l a b", "BLPOP k l 0", "LPOP l"},
		{"RPUSH l a b", "BRPOP k l 0", "RPOP l"},
		{"RPUSH l a b", "BLMOVE l m RIGHT LEFT 0", "LMOVE l m RIGHT LEFT"},
		{"RPUSH l a b", "BRPOPLPUSH l m 0", "LMOVE l m RIGHT LEFT"},
		{"RPUSH l a b", "BLMPOP 0 1 l LEFT COUNT 2", "LPOP l 2"},
		{"", "BLPOP k l 0", ""},

		{"", "ZADD z 1 a 2 b", "ZADD z 1 a 2 b"},
		{"", "ZADD z 1 a 2 a 2 a", "ZADD z 1 a 2 a"},
		{"ZADD z 1 a 2 b", "ZADD z 1 a 3 b 4 c", "ZADD z 3 b 4 c"},
		{"ZADD z 1 a 2 b", "ZADD z 1 a", ""},
		{"ZADD z 1 a 2 b", "ZADD z NX 5 a 6 c", "ZADD z 6 c"},
		{"ZADD z 1 a 2 b", "ZADD z XX CH 5 a 6 c", "ZADD z 5 a"},
		{"ZADD z 1 a 2 b", "ZADD z GT 5 a 1 b 1 c", "ZADD z 5 a 1 c"},
		{"ZADD z 1 a 2 b", "ZADD z LT 5 a 1 b", "ZADD z 1 b"},
		{"ZADD z 1 a", "ZADD z INCR 0.1 a", "ZADD z 1.1000000000000001 a"},
		{"ZADD z 1 a", "ZADD z INCR 0 a", ""},
		{"ZADD z 1 a", "ZADD z INCR GT -1 a", ""},
		{"ZADD z inf a", "ZINCRBY z -inf a", ""},
		{"", "ZINCRBY z 2.5 a", "ZADD z 2.5 a"},
		{"", "ZADD z XX 1 a", ""},
		{"ZADD z 1 a 2 b", "ZREM z x a a", "ZREM z a"},
		{"ZADD z 1 a", "ZREM z x", ""},
		{"ZADD z 1 a 2 b 3 c", "ZPOPMIN z 2", "ZREM z a b"},
		{"ZADD z 1 a 2 b 3 c", "ZPOPMAX z", "ZREM z c"},
		{"ZADD z 1 a 2 b 3 c", "ZMPOP 2 y z MAX COUNT 5", "ZREM z a b c"},
		{"ZADD z 1 a 2 b 3 c", "BZPOPMIN y z 0", "ZREM z a"},
		{"ZADD z 1 a 2 b 3 c", "BZPOPMAX z y 0", "ZREM z c"},
		{"ZADD z 1 a 2 b 3 c", "BZMPOP 0 2 y z MIN COUNT 2", "ZREM z a b"},
		{"", "BZPOPMIN y z 0", ""},
		{"ZADD z 1 a 2 b 3 c", "ZREMRANGEBYRANK z 0 1", "ZREMRANGEBYRANK z 0 1"},
		{"ZADD z 1 a 2 b 3 c", "ZREMRANGEBYSCORE z (1 2", "ZREMRANGEBYSCORE z (1 2"},
		{"ZADD z 1 a 2 b 3 c", "ZREMRANGEBYSCORE z 5 6", ""},
		{"ZADD z 1 a 1 b 1 c", "ZREMRANGEBYLEX z [a (c", "ZREMRANGEBYLEX z [a (c"},
		{"ZADD z 1 a 2 b 3 c", "ZREMRANGEBYLEX z [a (c", "ZREM z a b"},
		{"ZADD z 1 a 2 b 3 c", "ZRANGESTORE d z 0 1", "ZRANGESTORE d z 0 1"},
		{"ZADD z 1 a 1 b", "ZRANGESTORE d z - + BYLEX", "ZRANGESTORE d z - + BYLEX"},
		{"ZADD z 1 a 2.1 b", "ZRANGESTORE d z - + BYLEX", "ZADD d 1 a 2.1000000000000001 b"},
		{"ZADD z 1 a 2 b", "ZRANGESTORE z z (a + BYLEX", "DEL z; ZADD z 2 b"},
		{"ZADD z 1 a", "ZRANGESTORE z z 5 6", "DEL z"},
		{"ZADD z 1 a", "ZRANGESTORE d z 5 6", ""},
		{"ZADD z 1 a", "ZUNIONSTORE d 2 z y WEIGHTS 2 3", "ZUNIONSTORE d 2 z y WEIGHTS 2 3"},
		{"ZADD z 1 a", "ZINTERSTORE z 2 z y", "DEL z"},
		{"ZADD z 1 a", "ZDIFFSTORE d 2 y z", ""},

		{"", "GEOADD z 13.361389 38.115556 Palermo", "ZADD z 3479099956230698 Palermo"},
		{"GEOADD z 1 2 a", "GEOADD z NX 3 4 a", ""},
		{"GEOADD z 1 2 a", "GEOADD z CH XX 3 4 a 5 6 b", "ZADD z 3379626039612548 a"},
		{"GEOADD z 1 2 a", "GEOSEARCHSTORE d z FROMMEMBER a BYRADIUS 1 m", "ZADD d 3378080408407459 a"},
		{"GEOADD z 1 2 a", "GEOSEARCHSTORE z z FROMMEMBER a BYBOX 1 1 km STOREDIST", "DEL z; ZADD z 0 a"},
		{"GEOADD z 1 2 a", "GEOSEARCHSTORE z z FROMLONLAT 3 4 BYRADIUS 1 m", "DEL z"},
		{"GEOADD z 1 2 a", "GEORADIUS z 1 2 1 km STORE d", "ZADD d 3378080408407459 a"},
		{"GEOADD z 1 2 a", "GEORADIUS z 1 2 1 km WITHDIST", ""},

		{"MSET a 1 b 2", "DEL a x b a", "DEL a b"},
		{"SET a 1", "UNLINK a", "DEL a"},
		{"", "DEL a", ""},
		{"SET a 1", "EXPIRE a 10", "PEXPIREAT a 1700000010000"},
		{"SET a 1", "EXPIRE a 0", "DEL a"},
		{"SET a 1", "PEXPIREAT a " + past, "DEL a"},
		{"SET a 1", "EXPIRE a 10 XX", ""},
		{"SET a 1", "EXPIRE a 10 GT", ""},
		{"SET a 1", "EXPIRE a 10 LT", "PEXPIREAT a 1700000010000"},
		{"SET a 1 EX 10", "EXPIRE a 10 GT", ""},
		{"SET a 1 EX 10", "EXPIRE a 10 LT", ""},
		{"SET a 1 EX 10", "EXPIRE a 11 GT", "PEXPIREAT a 1700000011000"},
		{"SET a 1 EX 10", "EXPIRE a 9 LT XX", "PEXPIREAT a 1700000009000"},
		{"SET a 1 EX 10", "PERSIST a", "PERSIST a"},
		{"SET a 1", "PERSIST a", ""},
		{"SET a 1", "RENAME a b", "RENAME a b"},
		{"SET a 1", "RENAME a a", ""},
		{"SET a 1", "RENAMENX a b", "RENAME a b"},
		{"MSET a 1 b 2", "RENAMENX a b", ""},
		{"SET a 1", "COPY a b", "COPY a b DB 0 REPLACE"},
		{"SET a 1", "COPY a a DB 3", "COPY a a DB 3 REPLACE"},
		{"MSET a 1 b 2", "COPY a b", ""},
		{"SET a 1", "MOVE a 3", "MOVE a 3"},
		{"", "MOVE a 3", ""},
		{"", "SWAPDB 0 1", "SWAPDB 0 1"},
		{"", "SWAPDB 1 1", ""},
		{"SET a 1", "FLUSHDB ASYNC", "FLUSHDB"},
		{"", "FLUSHDB", ""},
		{"SET a 1", "FLUSHALL", "FLUSHALL"},
		{"", "FLUSHALL", ""},

		// Expired keys go before anything else happens, whoever meets them.
		{"SET a 1 PXAT " + past, "GET a", "DEL a"},
		{"SET a 1 PXAT " + past, "INCR a", "DEL a; INCR a"},
		{"SET a 1 PXAT " + past, "SET a 2 KEEPTTL", "DEL a; SET a 2 KEEPTTL"},
		{"SET a 1 PXAT " + past, "SET a 2", "SET a 2"},
		{"SET a 1 PXAT " + past, "DEL a b", "DEL a"},
		{"SET a 1 PXAT " + past, "APPEND a x", "DEL a; APPEND a x"},
		{"SET a 1 PXAT " + past, "SETRANGE a 5 x", "DEL a; SETRANGE a 5 x"},
		{"SET a 1 PXAT " + past, "SETBIT a 5 1", "DEL a; SETBIT a 5 1"},
		{"SET a 1 PXAT " + past, "BITOP NOT a a", "DEL a"},
		{"SET a 1 PXAT " + past, "BITFIELD a GET u8 0", "DEL a"},
		{"SET a 1 PXAT " + past, "PFADD a x", "DEL a; PFADD a x"},
		{"SET a 1 PXAT " + past, "PFCOUNT a", "DEL a"},
		{"SET a 1 PXAT " + past, "PFMERGE b a", "DEL a; PFMERGE b a"},
		{"SET a 1 PXAT " + past, "PFMERGE a b", "DEL a; PFMERGE a b"},
		{"SET a 1 PXAT " + past, "HSET a f v", "DEL a; HSET a f v"},
		{"SET a 1 PXAT " + past, "SADD a m", "DEL a; SADD a m"},
		{"SET a 1 PXAT " + past, "SUNIONSTORE d a", "DEL a"},
		{"SET a 1 PXAT " + past, "SUNIONSTORE a none", "DEL a"},
		{"SET a 1 PXAT " + past, "ZADD a 1 m", "DEL a; ZADD a 1 m"},
		{"SET a 1 PXAT " + past, "ZUNIONSTORE d 1 a", "DEL a"},
		{"SET a 1 PXAT " + past, "ZUNIONSTORE a 1 d", "DEL a"},
		{"SET a 1 PXAT " + past, "EXPIRE a 100", "DEL a"},
		{"SET a 1 PXAT " + past, "RPUSH a x", "DEL a; RPUSH a x"},
		{"SET a 1 PXAT " + past, "BLPOP a 0", "DEL a"},
		{"SET a 1 PXAT " + past, "OBJECT ENCODING a", "DEL a"},
		{"SET a 1 PXAT " + past, "LCS a a", "DEL a"},
		{"SET a 1 PXAT " + past, "KEYS *", ""},
		{"SET a 1 PXAT " + past, "SCAN 0", ""},
		{"SET a 1 PXAT " + past, "RANDOMKEY", ""},
		{"SET a 1 PXAT " + past, "DBSIZE", ""},
	}
	for _, tt := range tests {
		s := newSubject(t, 1, testNow, 2)
		s.strict = true
		if tt.setup != "" {
			s.do(raw(strings.Fields(tt.setup)...))
		}
		s.do(raw(strings.Fields(tt.request)...))
		if got := s.effects(); got != tt.want {
			t.Errorf("%q after %q: effects %q, want %q", tt.request, tt.setup, got, tt.want)
		}
		if err := s.checkReplica(); err != nil {
			t.Errorf("%q after %q: %v", tt.request, tt.setup, err)
		}
	}
}

func TestEffectsInAnotherDatabase(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.ctx.DB = 2
	s.do(raw("SET", "a", "1", "PXAT", "1600000000000"))
	s.ctx.DB = 0
	s.do(raw("SET", "a", "2"))
	s.do(raw("COPY", "a", "a", "DB", "2"))
	if got, want := s.effects(), "[2] DEL a; COPY a a DB 2 REPLACE"; got != want {
		t.Errorf("effects %q, want %q", got, want)
	}
	if err := s.checkReplica(); err != nil {
		t.Error(err)
	}
}

// TestModes runs the same requests on a key that has expired, in each mode.
func TestModes(t *testing.T) {
	requests := []string{"GET k", "EXISTS k", "TTL k", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "TYPE k"}
	want := map[command.Mode]string{
		command.Primary: "$-1|:0|:-2|*0|*2 $1 0 *0|$-1|:0|+none",
		command.Replica: "$-1|:0|:-2|*0|*2 $1 0 *0|$-1|:1|+none",
		command.Replay:  "$1 v|:1|:0|*1 $1 k|*2 $1 0 *1 $1 k|$1 k|:1|+string",
	}
	for mode, want := range want {
		s := newSubject(t, 1, testNow, 2)
		s.do(raw("SET", "k", "v", "PXAT", "1600000000000"))
		s.ctx.Mode = mode
		var got []string
		for _, r := range requests {
			reply, _ := s.do(raw(strings.Fields(r)...))
			got = append(got, strings.TrimSpace(strings.ReplaceAll(string(reply), "\r\n", " ")))
			if mode != command.Primary && !s.unit.Empty() {
				t.Errorf("mode %d: %q has effects", mode, r)
			}
		}
		if got := strings.Join(got, "|"); got != want {
			t.Errorf("mode %d:\n got %s\nwant %s", mode, got, want)
		}
	}
}

// TestExpiredInTheNextMillisecond: as in Redis, a key lives through the
// millisecond of its expiry.
func TestExpiredInTheNextMillisecond(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.do(raw("SET", "k", "v", "PX", "10"))
	for after, want := range map[int64]string{9: ":1\r\n", 10: ":1\r\n", 11: ":0\r\n"} {
		s.ctx.Now = testNow + after
		s.ctx.Mode = command.Replica
		if got, _ := s.do(raw("EXISTS", "k")); string(got) != want {
			t.Errorf("%d ms later: EXISTS says %q", after, got)
		}
	}
}

func TestStats(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	for _, r := range []string{"SET a 1", "GET a", "GET b", "MGET a b c", "SET c 1 PXAT 1", "GET c", "INCR a", "EXISTS a"} {
		s.do(raw(strings.Fields(r)...))
	}
	if got, want := *s.ctx.Stats, (command.Stats{Hits: 3, Misses: 4, Expired: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestReplayerRefuses(t *testing.T) {
	tests := map[string]wal.Effect{
		"unknown command":    {Args: raw("NOPE", "a")},
		"wrong arity":        {Args: raw("SET", "a")},
		"reading command":    {Args: raw("GET", "a")},
		"error reply":        {Args: raw("HSET", "string", "f", "v")},
		"no such database":   {DB: 16, Args: raw("SET", "a", "b")},
		"malformed argument": {Args: raw("PEXPIREAT", "string", "soon")},
	}
	for name, e := range tests {
		ks := keyspace.New(keyspace.Config{})
		r := command.NewReplayer(newTable(), ks, nil)
		good := wal.Effect{Args: raw("SET", "string", "v")}
		if err := r.Apply([]wal.Effect{good, good}); err != nil {
			t.Fatal(err)
		}
		before := ks.Digest()
		err := r.Apply([]wal.Effect{e})
		if !errors.Is(err, command.ErrBadEffect) || !strings.Contains(err.Error(), string(e.Args[0])) {
			t.Errorf("%s: error %v", name, err)
		}
		if ks.Digest() != before {
			t.Errorf("%s: it changed data", name)
		}
	}
}

// TestReplayerTellsListener: WATCH on a replica hangs on it.
func TestReplayerTellsListener(t *testing.T) {
	var l recorder
	r := command.NewReplayer(newTable(), keyspace.New(keyspace.Config{}), &l)
	err := r.Apply([]wal.Effect{
		{DB: 1, Args: raw("SET", "a", "1")}, {DB: 1, Args: raw("RENAME", "a", "b")}, {DB: 2, Args: raw("SET", "c", "1")}, {DB: 1, Args: raw("FLUSHDB")},
	})
	if want := []string{"1 a", "1 a", "1 b", "2 c", "1"}; err != nil || !slices.Equal(l.touched, want) {
		t.Errorf("touched %q, want %q; error %v", l.touched, want, err)
	}
}

type recorder struct{ touched []string }

func (r *recorder) Touched(db int, key []byte) {
	r.touched = append(r.touched, fmt.Sprintf("%d %s", db, key))
}
func (r *recorder) TouchedDB(db int)                              { r.touched = append(r.touched, fmt.Sprint(db)) }
func (r *recorder) Event(command.EventClass, string, int, []byte) {}

// TestNoAllocations covers the paths that serve nearly all traffic, from the
// table to the effect.
func TestNoAllocations(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.ctx.Listener, s.ctx.Rand = nil, nil
	for _, setup := range []string{"SET k value", "SET n 1", "HSET h f value g value", "SET e v EX 100", "SADD i 1 2 3", "SADD w a b c", "RPUSH l a 1 c a", "ZADD z 1 a 2 b",
		"PFADD p x y", "PFADD d x", "PFDEBUG TODENSE d", "PFCOUNT d"} {
		s.do(raw(strings.Fields(setup)...))
	}
	for _, r := range []string{
		"GET k", "GET missing", "SET k other", "SET k other EX 100", "SET k v XX KEEPTTL", "INCR n", "DECRBY n 7",
		"HGET h f", "HSET h f other", "HMGET h f g x", "HINCRBY h n 1", "EXISTS k n x", "TTL e", "EXPIRE e 100", "DEL x", "GETEX e PX 1000",
		"SISMEMBER i 2", "SISMEMBER w b", "SMISMEMBER w a x", "SADD i 2", "SADD w b", "SREM w x", "SCARD w",
		"MGET k n", "STRLEN k", "GETRANGE k 0 2", "MSET k a n 1", "SETEX e 100 v", "TYPE k", "SETBIT k 5 1", "GETBIT k 5", "BITCOUNT k", "BITPOS k 1",
		"LLEN l", "LINDEX l 1", "LRANGE l 0 -1", "LSET l 1 2", "LPUSHX nolist a", "LPOP nolist",
		"ZADD z 3 a 2 b", "ZADD z GT CH 1 a", "ZINCRBY z 1.5 a", "ZSCORE z a", "ZRANK z b", "ZCARD z", "ZREM z x", "ZCOUNT z 1 2",
		"PFADD p x", "PFADD d x", "PFCOUNT d",
	} {
		args := raw(strings.Fields(r)...)
		s.do(args)
		var keys []command.KeyPos
		n := testing.AllocsPerRun(100, func() {
			s.out.B = s.out.B[:0]
			s.unit.Reset()
			cmd, err := s.table.Lookup(args)
			if err != nil {
				t.Fatal(err)
			}
			if keys, err = cmd.AppendKeys(keys[:0], args); err != nil {
				t.Fatal(err)
			}
			s.ctx.Args, s.ctx.Cmd = args, cmd
			cmd.Handler(&s.ctx)
		})
		if n != 0 {
			t.Errorf("%q allocates %v times", r, n)
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	for _, r := range []string{"GET k", "SET k value", "SET k value EX 100", "INCR n", "HSET h f value", "HGET h f", "SADD s 1", "SISMEMBER s 1", "MGET k n k n", "DEL x"} {
		b.Run(strings.ReplaceAll(r, " ", "_"), func(b *testing.B) {
			table := newTable()
			ctx := command.Ctx{KS: keyspace.New(keyspace.Config{}), Now: testNow, Out: &resp.Writer{}, Unit: &wal.Unit{}}
			args := raw(strings.Fields(r)...)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Out.B = ctx.Out.B[:0]
				ctx.Unit.Reset()
				cmd, err := table.Lookup(args)
				if err != nil {
					b.Fatal(err)
				}
				ctx.Args, ctx.Cmd = args, cmd
				cmd.Handler(&ctx)
				ctx.KS.Reclaim()
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	var unit wal.Unit
	const effects = 1000
	for i := range effects {
		unit.Add(0, raw("SET", fmt.Sprint("key:", i), strings.Repeat("v", 64))...)
	}
	payload := unit.AppendTo(nil)
	r := command.NewReplayer(newTable(), keyspace.New(keyspace.Config{}), nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := wal.EachUnit(payload, r.Apply); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(effects*b.N)/b.Elapsed().Seconds(), "effects/s")
}
