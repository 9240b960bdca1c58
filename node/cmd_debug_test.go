package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

// Data that went through a file or the log is the data that was there, with its
// expiries and settings, and a transaction that watches any of it fails as after
// any other change of everything.
func TestDebugReload(t *testing.T) {
	n := startNode(t, nil)
	c, other := commandtest.Dial(t, n.Addr()), commandtest.Dial(t, n.Addr())
	for _, request := range []string{
		"debug set-active-expire 0", "config set hash-max-listpack-entries 0", "set a 1", "set gone 1 px 1", "set e 1 ex 1000", "select 3",
		"hset h f v", "debug populate 5000 k 100",
	} {
		if reply := c.Do(words(request)...); reply[0] == '-' {
			t.Fatalf("%s: %s", request, reply)
		}
	}
	for _, reload := range []string{"debug reload", "debug loadaof"} {
		digest := string(c.Do("debug", "digest"))
		other.Do("watch", "a")
		if reply := string(c.Do(words(reload)...)); reply != "+OK\r\n" {
			t.Fatalf("%s: %s", reload, reply)
		}
		if got := string(c.Do("debug", "digest")); got != digest {
			t.Errorf("digest after %s: %s, before: %s", reload, got, digest)
		}
		if reply := string(c.Do("config", "get", "hash-max-listpack-entries")); !strings.HasSuffix(reply, "$1\r\n0\r\n") {
			t.Errorf("hash-max-listpack-entries after %s: %q", reload, reply)
		}
		other.Do("multi")
		if reply := string(other.Do("exec")); reply != "*-1\r\n" {
			t.Errorf("EXEC after %s: %q", reload, reply)
		}
	}
	// Writes after it go on from where the log is.
	c.Do("set", "after", "1")
	if reply := string(c.Do("debug", "loadaof")); reply != "+OK\r\n" {
		t.Error(reply)
	}
	if reply := string(c.Do("get", "after")); reply != "$1\r\n1\r\n" {
		t.Errorf("%q", reply)
	}
	for _, request := range []string{"debug reload", "debug loadaof"} {
		c.Do("multi")
		c.Do("set", "tx", "1")
		c.Do(words(request)...)
		if reply := string(c.Do("exec")); !strings.Contains(reply, "cannot follow a write") {
			t.Errorf("%s behind a write: %q", request, reply)
		}
	}
}

// What is logged is not what is in memory when a write went past the log.
func TestDebugLoadAOFFindsADifference(t *testing.T) {
	n := startNode(t, nil)
	c := commandtest.Dial(t, n.Addr())
	c.Do("set", "a", "1")
	n.engine.mu.Lock()
	n.engine.ks.DB(0).SetString([]byte("unlogged"), []byte("1"))
	n.engine.mu.Unlock()
	if reply := string(c.Do("debug", "loadaof")); !strings.HasPrefix(reply, "-ERR the data that was read back is not") {
		t.Error(reply)
	}
	if reply := string(c.Do("dbsize")); reply != ":2\r\n" {
		t.Errorf("keys that were kept: %s", reply)
	}
}

// What DEBUG POPULATE makes is in the log like any write, and on a replica it is
// refused.
func TestDebugPopulateIsLogged(t *testing.T) {
	n := startNode(t, nil)
	cfg := n.cfg
	cfg.NodeID, cfg.Listen = "n2", "127.0.0.1:0"
	replica := runNode(t, cfg)
	c := commandtest.Dial(t, n.Addr())
	c.Do("debug", "populate", "1000", "k", "50")
	r := commandtest.Dial(t, replica.Addr())
	r.Do("readonly")
	testenv.Eventually(t, 20*time.Second, "the replica has the keys", func(context.Context) error {
		if reply := string(r.Do("dbsize")); reply != ":1000\r\n" {
			return fmt.Errorf("%q", reply)
		}
		return nil
	})
	if reply := string(r.Do("debug", "populate", "1")); reply != "-"+string(errReadOnly)+"\r\n" {
		t.Error(reply)
	}
	if reply := string(c.Do("debug", "populate", "9223372036854775807", "k", "9223372036854775")); reply != "-"+string(errCommandTooLong)+"\r\n" {
		t.Error(reply)
	}
}
