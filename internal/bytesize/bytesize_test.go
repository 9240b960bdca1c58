package bytesize

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]Size{
		"0": 0, "1": 1, "1000": 1000, "7b": 7, "1k": 1000, "1kb": 1024, "1KiB": 1024, "8MiB": 8 << 20, "8mib": 8 << 20,
		"256mb": 256 << 20, "256MB": 256 << 20, "2m": 2e6, "3gb": 3 << 30, "1TiB": 1 << 40, " 5 MiB ": 5 << 20,
	} {
		if got, err := Parse(in); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", in, int64(got), err, int64(want))
		}
	}
	for _, in := range []string{"", "b", "MiB", "-1", "+1", "1.5MiB", "8 miles", "0x10", "99999999999GiB", "9223372036854775808", "1e3", "8MiBs"} {
		if got, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %d, want an error", in, int64(got))
		}
	}
}

func TestString(t *testing.T) {
	for n, want := range map[Size]string{0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 8 << 20: "8MiB", 8<<20 + 1: "8388609", 1 << 30: "1GiB", 3 << 40: "3TiB"} {
		if got := n.String(); got != want {
			t.Errorf("Size(%d) is %q, want %q", int64(n), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := Size(rapid.Int64Min(0).Draw(t, "n"))
		if back, err := Parse(n.String()); err != nil || back != n {
			t.Fatalf("%d is printed as %s and read as %d, %v", int64(n), n, int64(back), err)
		}
	})
}

func TestHuman(t *testing.T) {
	for n, want := range map[Size]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 10239: "10.0 KiB", 10240: "10.0 KiB",
		102400: "100 KiB", 1 << 20: "1.00 MiB", 12345678: "11.8 MiB", 1<<30 - 1: "1024 MiB", 5 << 40: "5.00 TiB",
	} {
		if got := n.Human(); got != want {
			t.Errorf("Size(%d) is %q for people, want %q", int64(n), got, want)
		}
	}
}
