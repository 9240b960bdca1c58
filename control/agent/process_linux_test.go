package agent

import (
	"syscall"
	"testing"
)

// TestHostProcessWithoutItsHandle: a node whose handle says nothing any more is watched
// all the same, and neither taken for ended nor forgotten.
func TestHostProcessWithoutItsHandle(t *testing.T) {
	h := testHost(t)
	p := h.up(t, "sleeper")
	real := p.(*osProcess)
	if real.handle == nil {
		t.Fatal("it has no handle")
	}
	must(t, real.handle.close())
	real.handle = pidfd(1 << 30) // no open file
	if ended, err := real.handle.wait(t.Context()); ended || err == nil {
		t.Fatalf("a handle that is none: ended %v, %v", ended, err)
	}
	runs(t, p)
	must(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	if exit := ended(t, p); exit.Signal != "SIGKILL" {
		t.Fatalf("%+v", exit)
	}
}
