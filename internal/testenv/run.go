package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Run runs c to its end, or kills it when ctx ends. It returns what c wrote and
// its exit code, -1 when a signal ended it. The error says that it could not be
// started, was killed because of ctx, or wrote something forbidden; an exit code
// is no error. Run may be called from any goroutine.
func Run(ctx context.Context, c Command) (output string, code int, err error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = childEnv(os.Environ(), c.Env)
	cmd.SysProcAttr = dieWithParent()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out

	// The child dies with the thread that forked it: see Process.launch.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	output, code = out.String(), cmd.ProcessState.ExitCode()
	for _, bad := range c.Forbid {
		if strings.Contains(output, bad) {
			return output, code, fmt.Errorf("%q in the output of %s", bad, c.Name)
		}
	}
	switch {
	case ctx.Err() != nil:
		return output, code, fmt.Errorf("%s: %w", c.Name, context.Cause(ctx))
	case cmd.ProcessState == nil:
		return output, code, fmt.Errorf("run %s: %w", c.Name, err)
	}
	return output, code, nil
}
