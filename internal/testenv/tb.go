package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// TB is the part of testing.TB this package needs, small enough for a program
// that is no test to provide. Fatalf must not return.
type TB interface {
	Helper()
	Name() string
	TempDir() string
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Eventually calls fn until it returns nil, and fails the test with fn's last
// error when that has not happened within timeout. fn's context ends with the
// timeout. Between calls it waits from 2 ms, growing, to 100 ms.
func Eventually(t TB, timeout time.Duration, what string, fn func(ctx context.Context) error) {
	t.Helper()
	if err := await(timeout, fn); err != nil {
		t.Fatalf("waited until %s: %v", what, err)
	}
}

func await(timeout time.Duration, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("not within %v", timeout))
	defer cancel()
	return poll(ctx, fn)
}

// Await is Eventually for whoever has no test to fail: when ctx ends first, it
// returns why, and fn's last error.
func Await(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	if err := poll(ctx, fn); err != nil {
		return fmt.Errorf("waited until %s: %w", what, err)
	}
	return nil
}

func poll(ctx context.Context, fn func(ctx context.Context) error) error {
	pause := 2 * time.Millisecond
	for {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		if hopeless := (*hopelessError)(nil); errors.As(err, &hopeless) {
			return hopeless.err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
		pause = min(pause*3/2, 100*time.Millisecond)
	}
}

// hopelessError ends an await before its time: trying again cannot help.
type hopelessError struct{ err error }

func (e *hopelessError) Error() string { return e.err.Error() }
func (e *hopelessError) Unwrap() error { return e.err }

// Root returns the module's root directory, found by walking up from the working
// directory, which under go test is the package's.
func Root(t TB) string {
	t.Helper()
	root, err := FindRoot()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return root
}

// FindRoot is Root for whoever has no test to fail.
func FindRoot() (string, error) { return findRoot() }

var findRoot = sync.OnceValues(func() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the module's root: no tools/go.mod in %s or above", start)
		}
	}
})

// Tool returns the path of a program the tests run: etcd, etcdctl and versitygw
// as scripts/bootstrap builds them, aws as Debian installs it, anything else
// (redis-server, redis-cli, redis-benchmark, redis-check-rdb) from the search
// path. When there is none the test fails.
func Tool(t TB, name string) string {
	t.Helper()
	path, err := findTool(Root(t), name)
	if err != nil {
		t.Fatalf("%s is missing, run `make tools`: %v", name, err)
	}
	return path
}

func findTool(root, name string) (string, error) {
	switch name {
	case "etcd", "etcdctl", "versitygw":
		return exec.LookPath(filepath.Join(root, ".tools", "bin", name))
	case "aws":
		// A wrapper of another aws may precede Debian's on the search path.
		if path, err := exec.LookPath("/usr/bin/aws"); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}
