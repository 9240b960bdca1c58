package main

import (
	"io"
	"strings"
	"testing"
)

// TestRun is the whole program, small and without Redoubt.
func TestRun(t *testing.T) {
	c, err := parseFlags([]string{
		"-redis-only", "-rounds", "1", "-requests", "40", "-keys", "100", "-clients", "1", "-pipelines", "1",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(testContext(t), c, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	report := out.String()
	for _, want := range []string{
		"# Redoubt beside redis-server\n", "1 rounds of 40 requests, 100 keys, values of 64 bytes.",
		"\n## One etcd member\n", "\n## Three etcd members\n",
		"| GET | 1 | 1 | redis |", "| SET | 1 | 1 | redis, appendfsync always |",
		"| SET | 1 | 1 | raw write and fdatasync |", "| SET | 1 | 1 | raw etcd put |", "| SET | 1 | 1 | raw etcd transaction |",
		"| 80% GET, 20% SET | 1 | 1 | redis, 2 replicas, WAIT 2 |", "| SET on three disks | 1 | 1 | redis, 2 replicas, WAIT 2 |",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
	if strings.Contains(report, "redoubt,") {
		t.Errorf("Redoubt in a run without it:\n%s", report)
	}
}
