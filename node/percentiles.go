package node

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/node/resp"
)

// percentiles are those that INFO latencystats tells, between 0 and 100.
type percentiles []float64

var usualPercentiles = percentiles{50, 99, 99.9}

// Names of percentiles have six decimals at most, as Redis prints them.
func percentileName(p float64) string {
	text := strconv.FormatFloat(p, 'f', 6, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// String is what CONFIG GET answers.
func (ps percentiles) String() string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = percentileName(p)
	}
	return strings.Join(names, " ")
}

const percentilesParam = "latency-tracking-info-percentiles"

// parsePercentiles reads numbers with one space between each two.
func parsePercentiles(v string) (percentiles, error) {
	if v == "" {
		return nil, nil
	}
	var ps percentiles
	for word := range strings.SplitSeq(v, " ") {
		p, ok := resp.ParseDouble([]byte(word))
		switch {
		case !ok:
			return nil, badValue("Invalid " + percentilesParam + " parameters")
		case p < 0 || p > 100:
			return nil, badValue(percentilesParam + " parameters should sit between [0.0,100.0]")
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// of tells the percentiles of a histogram in microseconds, as INFO does.
func (ps percentiles) of(h *histogram) string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = fmt.Sprintf("p%s=%.3f", percentileName(p), float64(h.percentile(p).Nanoseconds())/1000)
	}
	return strings.Join(parts, ",")
}

func getPercentiles(e *engine, _ *settings) string { return e.latencyPercentiles.String() }

func setPercentiles(e *engine, _ *settings, v string) error {
	ps, err := parsePercentiles(v)
	if err == nil {
		e.latencyPercentiles = ps
	}
	return err
}
