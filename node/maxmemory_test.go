package node

import (
	"strings"
	"testing"
)

// maxmemory from the start is what CONFIG GET shows, and it holds.
func TestMaxMemoryFromTheStart(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxMemory = "1mb" })
	c := talk(t, n)
	if got := c.ask("SET k " + strings.Repeat("x", 40_000)); got != "+OK" {
		t.Fatal(got)
	}
	if got := c.ask("SETRANGE k 2000000 x"); got != ":2000001" {
		t.Fatal(got)
	}
	if got, want := c.ask("SET l x"), "-"+string(errOOM); got != want {
		t.Fatalf("beyond maxmemory %q, want %q", got, want)
	}
	bad := Config{MaxMemory: "much"}
	if err := bad.checkMemory(); err == nil || !strings.Contains(err.Error(), "maxmemory: ") {
		t.Fatalf("bad value: %v", err)
	}
}
