package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

// differ says how two values of a comparable kind differ, "" when they do not.
func differ(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return fmt.Sprintf("got  %+v\nwant %+v", got, want)
}

func TestChooseTarget(t *testing.T) {
	for _, c := range []struct {
		dir, cluster source
		useDir, bad  bool
	}{
		{fromDefault, fromDefault, true, false},
		{fromFlag, fromDefault, true, false},
		{fromDefault, fromFlag, false, false},
		{fromDefault, fromFile, false, false},
		{fromFlag, fromEnv, true, false}, // the command line knows best
		{fromEnv, fromFlag, false, false},
		{fromEnv, fromFile, true, false},
		{fromFlag, fromFlag, false, true},
		{fromEnv, fromEnv, false, true},
	} {
		for _, flag := range []string{"cluster", "etcd", "store"} {
			useDir, err := chooseTarget(map[string]source{"dir": c.dir, flag: c.cluster})
			if useDir != c.useDir || (err != nil) != c.bad {
				t.Errorf("--dir from %v and --%s from %v: %v, %v", c.dir, flag, c.cluster, useDir, err)
			}
		}
	}
}

func TestTargetErrors(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(config, []byte("cluster: c\nlisten: :6379\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"status", "--dir", dir}, exitNot, "redoubt dev --dir " + dir},
		{[]string{"recover", "--dir", dir}, exitNot, "redoubt dev --recover --dir " + dir},
		{[]string{"status", "--cluster", "c"}, exitUsage, "needs --etcd, --store as well"},
		{[]string{"failover", "--cluster", "c"}, exitUsage, "needs --etcd as well"},
		{[]string{"snapshot", "ls", "--cluster", "c"}, exitUsage, "needs --store as well"},
		{[]string{"status", "--config", config}, exitUsage, "needs --etcd, --store as well"},
		{[]string{"status", "--dir", dir, "--cluster", "c"}, exitUsage, "one or the other"},
		{[]string{"status", "--shard", "10000"}, exitUsage, "--shard must be"},
		{[]string{"snapshot", "show"}, exitUsage, "needs a snapshot name"},
		{[]string{"snapshot", "show", "a", "b"}, exitUsage, "takes one snapshot name"},
		{[]string{"snapshot", "creat"}, exitUsage, "did you mean create?"},
		{[]string{"snapshots"}, exitUsage, "did you mean snapshot?"},
		{[]string{"wal", "cat", "--from", "9", "--to", "3", "--dir", dir}, exitNot, "not running"},
		{[]string{"status", "--bogus"}, exitUsage, "redoubt status --help"},
	} {
		_, stderr, code := cli(t, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d and %q, want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
}

func TestTargetUnreachable(t *testing.T) {
	t.Parallel() // it waits for a timeout
	_, stderr, code := cli(t, "failover", "--cluster", "c", "--etcd", "http://127.0.0.1:1")
	if code != exitFailed || !strings.Contains(stderr, "etcd at http://127.0.0.1:1") || !strings.Contains(stderr, "no answer within") {
		t.Errorf("exit code %d and %q", code, stderr)
	}
}

// Every command explains itself and its exit codes.
func TestHelp(t *testing.T) {
	for _, c := range allCommands(newRoot()) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		stdout, stderr, code := cli(t, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
		if len(c.Long) < 100 || !strings.Contains(stdout, "Exit codes:") {
			t.Errorf("%q says too little:\n%s", args, stdout)
		}
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%q has no example", args)
		}
		for _, line := range strings.Split(c.Long, "\n") {
			if len(line) > 90 {
				t.Errorf("%q: a line of %d columns: %s", args, len(line), line)
			}
		}
	}
}

func TestSegmentItems(t *testing.T) {
	seg := func(first, last uint64, epoch int64) s3segments.SegmentInfo {
		return s3segments.SegmentInfo{Key: fmt.Sprintf("%d-%d-%d", first, last, epoch), First: first, Last: last, Epoch: epoch}
	}
	for _, c := range []struct {
		name   string
		infos  []s3segments.SegmentInfo
		sealed uint64
		want   []string
	}{
		{"nothing", nil, 0, nil},
		{"all cleaned up", nil, 9, nil},
		{"whole", []s3segments.SegmentInfo{seg(1, 5, 1), seg(6, 9, 1)}, 9, []string{"1-5", "6-9"}},
		{"begins later", []s3segments.SegmentInfo{seg(6, 9, 1)}, 9, []string{"6-9"}},
		{"hole", []s3segments.SegmentInfo{seg(1, 3, 1), seg(6, 9, 1)}, 9, []string{"1-3", "4-5 missing", "6-9"}},
		{"end missing", []s3segments.SegmentInfo{seg(1, 3, 1)}, 9, []string{"1-3", "4-9 missing"}},
		{"two holes", []s3segments.SegmentInfo{seg(1, 3, 1), seg(5, 6, 1), seg(9, 9, 1)}, 9, []string{"1-3", "4-4 missing", "5-6", "7-8 missing", "9-9"}},
		{"superseded", []s3segments.SegmentInfo{seg(1, 4, 1), seg(1, 6, 2), seg(7, 9, 2)}, 9, []string{"1-4 superseded", "1-6", "7-9"}},
		{"uploading", []s3segments.SegmentInfo{seg(1, 4, 1), seg(5, 9, 1)}, 4, []string{"1-4", "5-9 not pointed to yet"}},
	} {
		var got []string
		for _, i := range segmentItems(c.infos, c.sealed) {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%d-%d %s", i.First, i.Last, i.Note)))
		}
		if diff := differ(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestCatWindow(t *testing.T) {
	for _, c := range []struct {
		o        catOptions
		from, to uint64
	}{
		{catOptions{}, 5, 100},
		{catOptions{from: 50}, 50, 100},
		{catOptions{from: 2}, 2, 100}, // what is gone is an error, not left out
		{catOptions{to: 60}, 5, 60},
		{catOptions{to: 600}, 5, 100},
		{catOptions{last: 1}, 100, 100},
		{catOptions{last: 10, to: 60}, 51, 60},
		{catOptions{last: 1000}, 5, 100},
		{catOptions{follow: true}, 91, 100},
		{catOptions{follow: true, from: 7}, 7, 100},
		{catOptions{follow: true, last: 2}, 99, 100},
	} {
		if from, to := c.o.window(5, 100); from != c.from || to != c.to {
			t.Errorf("%+v: %d to %d, want %d to %d", c.o, from, to, c.from, c.to)
		}
	}
	o := catOptions{}
	if from, to := o.window(1, 0); from != 1 || to != 0 {
		t.Errorf("an empty log: %d to %d", from, to)
	}
	o.last = 3
	if from, to := o.window(1, 0); from != 1 || to != 0 {
		t.Errorf("the last of an empty log: %d to %d", from, to)
	}
}

func TestCheckSuccessor(t *testing.T) {
	nodes := []etcdfence.NodeInfo{
		{ID: "a", Role: "primary"}, {ID: "b", Role: "replica"}, {ID: "c", Role: "loading"}, {ID: "x", Role: "replica", Shard: 1},
	}
	for _, c := range []struct {
		nodes []etcdfence.NodeInfo
		to    string
		code  int
		want  string
	}{
		{nodes, "", exitOK, ""},
		{nodes, "b", exitOK, ""},
		{nodes, "c", exitFailed, "still loading"},
		{nodes, "x", exitNot, `no replica "x", it has b, c`},
		{nodes, "z", exitNot, `no replica "z"`},
		{nodes[:1], "z", exitNot, "it has none"},
		{nodes[:1], "", exitFailed, "has no replica"},
		{[]etcdfence.NodeInfo{nodes[0], nodes[2]}, "", exitFailed, "c are still loading"},
	} {
		err := checkSuccessor(c.nodes, 0, "a", c.to)
		if exitCode(err) != c.code || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("to %q of %v: %v", c.to, c.nodes, err)
		}
	}
}

func TestLoadableWithout(t *testing.T) {
	segs := func(ranges ...uint64) (infos []s3segments.SegmentInfo) {
		for i := 0; i < len(ranges); i += 2 {
			infos = append(infos, s3segments.SegmentInfo{First: ranges[i], Last: ranges[i+1]})
		}
		return infos
	}
	snap := func(name string, seq uint64) snapshot.Summary {
		return snapshot.Summary{Name: name, Manifest: &snapshot.Manifest{Shards: []snapshot.Shard{{Position: snapshot.Position{Seq: seq}}}}}
	}
	broken := snap("b", 20)
	broken.Err = snapshot.ErrDamaged
	for _, c := range []struct {
		name   string
		all    []snapshot.Summary
		infos  []s3segments.SegmentInfo
		sealed uint64
		want   bool
	}{
		{"nothing sealed", []snapshot.Summary{snap("a", 5)}, nil, 0, true},
		{"log from the start", []snapshot.Summary{snap("a", 5)}, segs(1, 9, 10, 20), 20, true},
		{"the only base", []snapshot.Summary{snap("a", 12)}, segs(10, 20), 20, false},
		{"another base", []snapshot.Summary{snap("a", 12), snap("b", 15)}, segs(10, 20), 20, true},
		{"another base before the segments", []snapshot.Summary{snap("a", 12), snap("b", 5)}, segs(10, 20), 20, false},
		{"another base right before the segments", []snapshot.Summary{snap("a", 12), snap("b", 9)}, segs(10, 20), 20, true},
		{"another base at the end", []snapshot.Summary{snap("a", 12), snap("b", 20)}, nil, 20, true},
		{"another base, damaged", []snapshot.Summary{snap("a", 12), broken}, segs(10, 20), 20, false},
		{"a hole behind the other base", []snapshot.Summary{snap("a", 16), snap("b", 12)}, segs(10, 13, 15, 20), 20, false},
	} {
		if got := loadableWithout(c.all, "a", 0, c.infos, c.sealed); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Microsecond: "1ms", 999 * time.Millisecond: "999ms", 1234 * time.Millisecond: "1.2s",
		time.Minute: "1m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h", 50 * time.Hour: "2d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "./a-b_c/1.0": "./a-b_c/1.0", "a b": "'a b'", "it's": `'it'\''s'`, "$x;": "'$x;'"} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}
