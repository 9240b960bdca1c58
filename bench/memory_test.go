package main

import (
	"io"
	"strings"
	"testing"
)

// TestMemory is the measurement of memory, small and without Redoubt.
func TestMemory(t *testing.T) {
	c, err := parseFlags([]string{"-redis-only", "-memory", "-keys", "2000", "-gc", "100200", "-gc-hashes", "300", "-rounds", "1", "-seconds", "0.05"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(testContext(t), c, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, k := range memoryKinds() {
		_, row, found := strings.Cut(out.String(), "\n| "+k.name+" | ")
		if used, _, _ := strings.Cut(row, " | "); !found || len(used) < 2 || used[0] == '-' {
			t.Errorf("%s takes %q bytes", k.name, used)
		}
	}
	for _, data := range []string{"100000 strings", "100200 strings", "100200 strings, 300 hashes of 10 fields"} {
		if !strings.Contains(out.String(), "\n| "+data+", 0.0") {
			t.Errorf("nothing of garbage collection beside %s in\n%s", data, out.String())
		}
	}
}

// Every kind is made of the parts that its name says.
func TestMemoryKinds(t *testing.T) {
	for _, k := range memoryKinds() {
		seen := map[string]bool{}
		for i := range 20 {
			_, args := k.write(i * k.parts)
			seen[string(args[0])] = true
			if k.parts == 1000 && len(args) < 1001 {
				t.Errorf("%s has %d arguments", k.name, len(args))
			}
		}
		if len(seen) != 20 {
			t.Errorf("%s: %d keys of 20", k.name, len(seen))
		}
	}
}
