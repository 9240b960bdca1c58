package backoff_test

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/backoff"
)

func TestBackoffIsBounded(t *testing.T) {
	var b backoff.Backoff
	for i := range 20 {
		d := b.Next()
		if d < backoff.Min/2 || d > backoff.Max {
			t.Fatalf("wait %d is %v", i, d)
		}
		if i > 10 && d < backoff.Max/2 {
			t.Fatalf("wait %d is only %v", i, d)
		}
	}
	b.Reset()
	if d := b.Next(); d > backoff.Min {
		t.Fatalf("after reset %v", d)
	}
}
