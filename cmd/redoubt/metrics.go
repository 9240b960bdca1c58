package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/redoubtdb/redoubt/internal/metricsserver"
)

// metricsOptions are the flags for /metrics and /healthz.
type metricsOptions struct {
	listen    string
	tokenFile string
	open      bool
}

// minMetricsToken is how long a token must be, in bytes.
const minMetricsToken = 16

func (o *metricsOptions) addFlags(set *pflag.FlagSet, listen string) {
	set.StringVar(&o.listen, "metrics-listen", "", listen+" (default: none)")
	set.StringVar(&o.tokenFile, "metrics-token-file", "", "file with a token that has to be shown for metrics, as Authorization: Bearer; without it they are for this machine alone")
	set.BoolVar(&o.open, "metrics-open", false, "give metrics to everybody who reaches --metrics-listen")
}

// start serves what the flags ask for; nil when they ask for nothing.
func (o *metricsOptions) start(ctx context.Context, metrics prometheus.Gatherer, healthy func() error, routes ...metricsserver.Route) (*metricsserver.Server, error) {
	if o.listen == "" {
		return nil, nil
	}
	if o.open && o.tokenFile != "" {
		return nil, errors.New("--metrics-open needs no token: leave it or --metrics-token-file out")
	}
	c := metricsserver.Config{Addr: o.listen, Metrics: metrics, Healthy: healthy, Routes: routes, Open: o.open}
	if o.tokenFile != "" {
		b, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--metrics-token-file: %w", err)
		}
		c.Token = strings.TrimSpace(string(b))
		if len(c.Token) < minMetricsToken || strings.ContainsAny(c.Token, " \r\n\t") {
			return nil, fmt.Errorf("--metrics-token-file: %s must hold one token of %d characters at least, without spaces", o.tokenFile, minMetricsToken)
		}
	}
	return metricsserver.Start(ctx, c)
}
