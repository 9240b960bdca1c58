package command

import "testing"

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		start, stop int64
		n           int
		first       int
		count       int
	}{
		{0, -1, 5, 0, 5}, {0, 0, 5, 0, 1}, {1, 3, 5, 1, 3}, {-2, -1, 5, 3, 2}, {-100, 100, 5, 0, 5}, {3, 2, 5, 0, 0},
		{5, 9, 5, 0, 0}, {-1, -5, 5, 0, 0}, {0, -1, 0, 0, 0}, {0, -6, 5, 0, 0}, {4, 4, 5, 4, 1},
		{-9223372036854775808, 9223372036854775807, 5, 0, 5}, {9223372036854775807, -9223372036854775808, 5, 0, 0},
	} {
		if first, count := span(c.start, c.stop, c.n); first != c.first || count != c.count {
			t.Errorf("span(%d, %d, %d) = %d, %d; want %d, %d", c.start, c.stop, c.n, first, count, c.first, c.count)
		}
	}
}
