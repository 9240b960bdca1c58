package node

import (
	"testing"
	"time"
)

func TestParsePercentiles(t *testing.T) {
	const invalid = "Invalid latency-tracking-info-percentiles parameters"
	const outside = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
	for v, want := range map[string]string{
		"": "", "0.0 50.0 100.0": "0 50 100", "99.12345678": "99.123457", "1e1 0x10": "10 16", "50 50": "50 50", "-0": "-0",
	} {
		if ps, err := parsePercentiles(v); err != nil || ps.String() != want {
			t.Errorf("%q: %q, %v; want %q", v, ps, err, want)
		}
	}
	for v, want := range map[string]string{
		"a": invalid, " 5": invalid, "5  6": invalid, "5 ": invalid, "nan": invalid, "10 101": outside, "-1": outside, "inf": outside,
	} {
		if ps, err := parsePercentiles(v); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %q", v, ps, err, want)
		}
	}
}

func TestPercentilesOfHistogram(t *testing.T) {
	h := &histogram{}
	for range 99 {
		h.add(10 * time.Microsecond)
	}
	h.add(time.Millisecond)
	ps := percentiles{0, 99, 100}
	if got, want := ps.of(h), "p0=10.240,p99=10.240,p100=1015.808"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := percentiles(nil).of(h); got != "" {
		t.Errorf("no percentiles: %q", got)
	}
}
