package node

import (
	"regexp"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// DEBUG OBJECT tells encoding and size in a file as redis-server does, whatever
// the length of the key and with an expiry.
func TestDebugObjectEqualsRedis(t *testing.T) {
	redis, n := testenv.StartRedis(t), startNode(t, nil)
	ours, theirs := commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)
	told := regexp.MustCompile(`refcount:\d+ encoding:\w+ serializedlength:\d+`)
	for _, fill := range []string{
		"set k hello", "set k 12345678", "set k " + strings.Repeat("a", 100), "hset k f v", "set k v px 100000",
		"set k " + strings.Repeat("abcdefgh", 1000),
	} {
		for _, c := range []*commandtest.Client{ours, theirs} {
			c.Do("del", "k")
			c.Do(words(fill)...)
		}
		got, want := told.Find(ours.Do("debug", "object", "k")), told.Find(theirs.Do("debug", "object", "k"))
		if string(got) != string(want) || want == nil {
			t.Errorf("%.30s: %s, redis-server says %s", fill, got, want)
		}
	}
}
