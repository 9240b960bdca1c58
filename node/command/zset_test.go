package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestZRankWithScore: the option came with Redis 7.2, so that redis-server 7.0 cannot
// be asked. Nor can it for zeros, whose sign Redis keeps in large sets.
func TestZRankWithScore(t *testing.T) {
	tests := []struct{ request, resp2, resp3 string }{
		{"ZRANK z a WITHSCORE", "*2 :0 $1 1", "*2 :0 ,1"},
		{"ZREVRANK z a withscore", "*2 :2 $1 1", "*2 :2 ,1"},
		{"ZRANK z c WITHSCORE", "*2 :2 $3 inf", "*2 :2 ,inf"},
		{"ZRANK z a", ":0", ":0"},
		{"ZRANK z x WITHSCORE", "*-1", "_"},
		{"ZRANK x a WITHSCORE", "*-1", "_"},
		{"ZRANK z x", "$-1", "_"},
		{"ZRANK z a WITHSCORES", "-ERR syntax error", "-ERR syntax error"},
		{"ZRANK z a WITHSCORE x", "-ERR wrong number of arguments for 'zrank' command", "-ERR wrong number of arguments for 'zrank' command"},
		{"ZRANK s a WITHSCORE", "-WRONGTYPE Operation against a key holding the wrong kind of value", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"ZSCORE large long", "$1 0", ",0"},
		{"ZRANGE large 0 0 WITHSCORES", "*2 $4 long $1 0", "*1 *2 $4 long ,0"},
		{"ZUNION 1 z2 WEIGHTS -1 WITHSCORES", "*2 $1 a $1 0", "*1 *2 $1 a ,0"},
	}
	for _, tt := range tests {
		for proto, want := range map[int]string{2: tt.resp2, 3: tt.resp3} {
			s := newSubject(t, 1, testNow, proto)
			s.ks.Config().ZSetMaxListpackEntries = 8
			for _, setup := range []string{"SET s x", "ZADD z 1 a 2 b inf c", "ZADD z2 0 a", "ZADD large -0 long"} {
				s.do(raw(strings.Fields(setup)...))
			}
			for i := range 10 {
				s.do(raw("ZADD", "large", "1", fmt.Sprint(i)))
			}
			s.do(raw("ZADD", "large", "5", "long"))
			s.do(raw("ZADD", "large", "-0", "long"))
			reply, _ := s.do(raw(strings.Fields(tt.request)...))
			if got := strings.TrimSpace(strings.ReplaceAll(string(reply), "\r\n", " ")); got != want {
				t.Errorf("RESP%d %s: %s, want %s", proto, tt.request, got, want)
			}
		}
	}
}

// TestReplicaInAnotherForm: a replica that loaded a snapshot may keep a set in the
// compact form that is large on the primary. Effects must not depend on it.
func TestReplicaInAnotherForm(t *testing.T) {
	s := newSubject(t, 1, testNow, 2)
	s.replica.Config().ZSetMaxListpackEntries = 1000
	s.strict = true
	for i := range 100 {
		s.do(raw("ZADD", "z", fmt.Sprint(i*7%13), fmt.Sprint("m", i), fmt.Sprint(-i), fmt.Sprint("n", i)))
	}
	for _, r := range []string{
		"ZREMRANGEBYLEX z [m (m3", "ZRANGESTORE d z [m (n BYLEX", "ZRANGESTORE d2 z [m55 (n BYLEX REV LIMIT 1 5",
		"ZREMRANGEBYRANK z 3 9", "ZREMRANGEBYSCORE z (3 5", "ZPOPMAX z 5", "ZPOPMIN d 3",
		"ZUNIONSTORE u 3 z d d2 WEIGHTS 0.1 0.2 0.3", "ZINTERSTORE i 2 z u AGGREGATE MIN", "ZDIFFSTORE f 2 u i",
	} {
		s.do(raw(strings.Fields(r)...))
	}
	a, _ := s.ks.DB(0).Lookup([]byte("z"))
	b, _ := s.replica.DB(0).Lookup([]byte("z"))
	if a.Encoding() != "skiplist" || b.Encoding() != "listpack" {
		t.Errorf("primary %s, replica %s: nothing was tested", a.Encoding(), b.Encoding())
	}
}
