package node

import (
	"regexp"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// DEBUG OBJECT tells encoding and size in a file as redis-server does, whatever
// the length of the key and with an expiry. Long values are left out: they are
// compressed, and not to the very same number of bytes.
func TestDebugObjectEqualsRedis(t *testing.T) {
	redis, n := testenv.StartRedis(t), startNode(t, nil)
	ours, theirs := commandtest.Dial(t, n.Addr()), commandtest.Dial(t, redis.Addr)
	told := regexp.MustCompile(`refcount:\d+ encoding:\w+ serializedlength:\d+`)
	for _, fill := range []string{
		"set k hello", "set k 12345678", "set k 99999999999999999999", "set k abcdefghijkl", "hset k f v", "set k v px 100000",
		"rpush k" + strings.Repeat(" element-of-some-length 17", 500), "rpush k " + strings.Repeat("x", 10000) + strings.Repeat(" y", 100),
	} {
		for _, c := range []*commandtest.Client{ours, theirs} {
			c.Do("del", "k")
			c.Do(words(fill)...)
		}
		if list := regexp.MustCompile(`ql_.*`); strings.HasPrefix(fill, "rpush") {
			got, want := list.Find(ours.Do("debug", "object", "k")), list.Find(theirs.Do("debug", "object", "k"))
			if string(got) != string(want) || want == nil {
				t.Errorf("%.30s: %s, redis-server says %s", fill, got, want)
			}
			continue // long values are compressed
		}
		got, want := told.Find(ours.Do("debug", "object", "k")), told.Find(theirs.Do("debug", "object", "k"))
		if string(got) != string(want) || want == nil {
			t.Errorf("%.30s: %s, redis-server says %s", fill, got, want)
		}
	}
}
