//go:build broken

package broken

import "testing"

func TestUse(t *testing.T) {
	if Is(EarlyReply) || Is(DirtyRead) {
		t.Fatal("broken without being told to")
	}
	outer := Use(EarlyReply)
	inner := Use(DirtyRead)
	if Is(EarlyReply) || !Is(DirtyRead) {
		t.Fatal("not broken as told")
	}
	inner()
	if !Is(EarlyReply) || Is(DirtyRead) {
		t.Fatal("not as before")
	}
	outer()
	if Is(EarlyReply) || !Is("") {
		t.Fatal("still broken")
	}
}
