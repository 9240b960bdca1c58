package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// runGroup runs a program that starts others and ends all of them when it has
// ended or ctx is over. What they write goes to the file output, and is returned.
// The exit code is no error: what the program says counts.
func runGroup(ctx context.Context, dir, output, name string, args ...string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return "", err
	}
	file, err := os.Create(output)
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = file, file
	group := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = group
	if err := cmd.Start(); err != nil {
		return "", err
	}
	err = cmd.Wait()
	group() // children that the program left behind; usually there are none
	text, readErr := os.ReadFile(output)
	var exit *exec.ExitError
	switch {
	case readErr != nil:
		return "", readErr
	case errors.Is(ctx.Err(), context.Canceled):
		return string(text), ctx.Err()
	case ctx.Err() != nil:
		return string(text) + fmt.Sprintf("\n[exception]: %v\n", ctx.Err()), nil
	case err == nil, errors.As(err, &exit):
		return string(text), nil
	}
	return string(text), err
}
