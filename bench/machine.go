package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// writeHeader says what the run is: command, time, machine and versions, as far
// as the machine tells.
func writeHeader(ctx context.Context, w io.Writer, b *bencher) {
	fmt.Fprintf(w, "# Redoubt beside redis-server\n\n")
	args := append([]string{"go run ./bench"}, os.Args[1:]...)
	fmt.Fprintf(w, "`%s`, %s, %d rounds of %s, %d keys, values of %d bytes.\n",
		strings.Join(args, " "), time.Now().UTC().Format("2006-01-02 15:04 UTC"), b.rounds, b.length(), b.keys, b.size)
	fmt.Fprintf(w, "%d processors (%s), %s, %s, %s, commit %s.\n", runtime.NumCPU(),
		processor(), output(ctx, "uname", "-sr"), output(ctx, "redis-server", "--version"),
		runtime.Version(), output(ctx, "git", "describe", "--always", "--dirty"))
}

func (b *bencher) length() string {
	if b.requests > 0 {
		return fmt.Sprintf("%d requests", b.requests)
	}
	return fmt.Sprintf("%g s", b.seconds)
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// output returns a command's first line, "unknown" when it fails.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}
