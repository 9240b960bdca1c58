package node

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestClientsWithin(t *testing.T) {
	for _, c := range []struct {
		files uint64
		want  int64
	}{
		{0, 1}, {reservedFiles, 1}, {reservedFiles + 1, 1}, {reservedFiles + 2, 2}, {20000, 20000 - reservedFiles},
		{1<<64 - 1, 1<<31 - 1 - reservedFiles}, // no limit
	} {
		if got := clientsWithin(c.files); got != c.want {
			t.Errorf("%d files: %d clients, want %d", c.files, got, c.want)
		}
	}
}

func TestMemTotal(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:       24034232 kB\nMemFree:  1 kB\n": 24034232 << 10,
		"MemFree: 1 kB\nMemTotal: 8 kB":                 8 << 10,
		"MemTotal: much kB\n":                           0,
		"MemTotal:\n":                                   0,
		"":                                              0,
	} {
		if got := memTotal([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := AvailableMemory(); got < 64<<20 {
		t.Errorf("this machine has %d bytes of memory", got)
	}
}

func TestMaxMemoryClients(t *testing.T) {
	const memory = 100_000_000
	for _, c := range []struct {
		value           string
		maxMemory, want int64
	}{
		{"0", 0, 0}, {"0%", 0, 0}, {"0%", memory, 0}, {"4096", 0, leastClientMemory}, {"131073", 0, 131073}, {"1mb", 1, 1 << 20},
		{"10%", 0, memory / 10}, {"100%", 0, memory}, // of the machine
		{"10%", 20_000_000, 2_000_000}, {"1%", 1_000_000, leastClientMemory}, {"100%", 2 * memory, 2 * memory},
	} {
		n, err := parseMemoryOrShare(c.value)
		if err != nil {
			t.Errorf("%s: %v", c.value, err)
		}
		s := &settings{memory: memory}
		s.clientShare.Store(n)
		s.maxMemory.Store(c.maxMemory)
		if got := s.clientMemory(); got != c.want {
			t.Errorf("%s, maxmemory %d, memory %d: %d, want %d", c.value, c.maxMemory, memory, got, c.want)
		}
	}
	if s := newSettings(&Config{}, listeners{}, slog.New(slog.DiscardHandler)); s.clientMemory() != s.memory/10 {
		t.Errorf("by default it is %d of %d bytes", s.clientMemory(), s.memory)
	}
	for _, value := range []string{"", "x", "%", "-1", "101%", "-5%", "5.5%", "1tb"} {
		if _, err := parseMemoryOrShare(value); err == nil {
			t.Errorf("%q was accepted", value)
		}
	}
}

// The reply's length follows from the maxmemory-clients and
// client-output-buffer-limit in force, whichever allows less.
func TestReplyLimit(t *testing.T) {
	for _, c := range []struct {
		memory, hard int64
		want         int
	}{{0, 0, 0}, {1000 << 10, 0, 500 << 10}, {0, 300, 300}, {1000 << 10, 300, 300}, {1000 << 10, 800 << 10, 500 << 10}} {
		s := &server{cfg: &settings{}}
		s.cfg.clientShare.Store(c.memory)
		s.cfg.output.Store(&outputLimits{classNormal: {hard: c.hard}})
		if got := s.replyLimit(); got != c.want {
			t.Errorf("maxmemory-clients %d, hard limit %d: %d, want %d", c.memory, c.hard, got, c.want)
		}
	}
}

func TestMaxClientsWithinOpenFiles(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxClients = 1 << 30 })
	most := n.settings.clients
	if got := n.settings.maxClients.Load(); got != most {
		t.Errorf("maxclients is %d, want the %d that open files allow", got, most)
	}
	c := talk(t, n)
	want := fmt.Sprintf("try with %d", most)
	if got := c.ask(fmt.Sprint("CONFIG SET maxclients ", most+1)); !strings.HasSuffix(got, want) {
		t.Errorf("one more than that: %q, want ... %s", got, want)
	}
	if got := c.ask(fmt.Sprint("CONFIG SET maxclients ", most)); got != "+OK" {
		t.Errorf("as many as that: %q", got)
	}
}
