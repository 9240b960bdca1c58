package node

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestGitRevision(t *testing.T) {
	for _, c := range []struct {
		settings []debug.BuildSetting
		sha1     string
		dirty    int
	}{
		{nil, "00000000", 0},
		{[]debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "false"}}, "01234567", 0},
		{[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "fedcba9876543210"}}, "fedcba98", 1},
		{[]debug.BuildSetting{{Key: "vcs.revision", Value: "012"}}, "00000000", 0},
	} {
		if sha1, dirty := gitRevision(&debug.BuildInfo{Settings: c.settings}); sha1 != c.sha1 || dirty != c.dirty {
			t.Errorf("%v: %s, %d", c.settings, sha1, dirty)
		}
	}
	if sha1, dirty := gitRevision(nil); sha1 != "00000000" || dirty != 0 {
		t.Errorf("without build information: %s, %d", sha1, dirty)
	}
}

// Fields of INFO that clients read before they do anything else.
func TestInfoForClients(t *testing.T) {
	n := startNode(t, nil)
	c := commandtest.Dial(t, n.Addr())
	for request, fields := range map[string][]string{
		"info server":  {"redis_version:" + RedisVersion, "redis_git_sha1:", "redis_git_dirty:"},
		"info cluster": {"# Cluster\r\ncluster_enabled:0\r\n"},
		"info":         {"redis_git_sha1:", "cluster_enabled:0\r\n"},
	} {
		got := string(c.Do(words(request)...))
		for _, f := range fields {
			if !strings.Contains(got, f) {
				t.Errorf("%s has no %q:\n%s", request, f, got)
			}
		}
	}
}
