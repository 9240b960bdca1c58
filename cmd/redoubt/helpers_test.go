package main

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
)

// cli runs a command line as the program would.
func cli(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), code
}

// mustCLI is cli for a command that must succeed.
func mustCLI(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := cli(t, args...)
	if code != exitOK {
		t.Fatalf("redoubt %q: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// allCommands are a command and everything below it.
func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			all = append(all, allCommands(sub)...)
		}
	}
	return all
}
