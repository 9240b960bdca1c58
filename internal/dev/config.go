package dev

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/node"
)

// What every dev is called.
const (
	Cluster = "dev"       // name of the cluster
	Shard   = 0           // number of its one shard
	Bucket  = "redoubt"   // bucket of its S3 endpoint
	Region  = "us-east-1" // what the endpoint is told to be in
)

// MaxReplicas is how many replicas a shard may have.
const MaxReplicas = 5

// ErrConfig: the Config cannot be run. The message says which flag of
// `redoubt dev` to change.
var ErrConfig = errors.New("dev: bad configuration")

// Config says what a Dev runs. A port of 0 takes a free one.
type Config struct {
	Dir         string // where the data is; made if need be
	Bind        string // address that clients, S3 and metrics are served on
	Port        int    // of the first node; its replicas get the next ones
	Replicas    int    // nodes beside the first
	S3Port      int    // of the S3 endpoint
	Metrics     bool   // whether to serve /metrics and /healthz
	MetricsPort int    // of these
	TLS         bool   // whether nodes serve TLS as well
	TLSPort     int    // of the first node; its replicas get the next ones

	// Control runs a control plane and a host agent in each of three zones, whose
	// nodes are child processes.
	Control bool
	APIPort int    // of the API
	Program string // redoubt: what nodes of further clusters run
	// FirstNodePort and LastNodePort are what those nodes may serve on.
	FirstNodePort, LastNodePort int

	// Recover rebuilds the shard from object storage before the nodes start.
	// Only for a directory whose etcd/ was lost.
	Recover bool
	// Import are RDB files that the shard begins with. Only for a new directory.
	Import []string

	// Passed on to the nodes; zero values take the nodes' defaults.
	SegmentSize, HeadLimit          int64
	SegmentAge, LeaseTTL            time.Duration
	RequirePass, EnableDebugCommand string

	Logger *slog.Logger // default: nothing is logged
}

// check reports what is wrong, in terms of the command's flags, and fills in
// defaults.
func (c *Config) check() error {
	if c.Bind == "" {
		c.Bind = "127.0.0.1"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Dir == "":
		return bad("no directory, give --dir")
	case c.Replicas < 0 || c.Replicas > MaxReplicas:
		return bad("--replicas must be between 0 and %d, not %d", MaxReplicas, c.Replicas)
	case c.Recover && len(c.Import) > 0:
		return bad("--recover and --import: data comes from one or the other")
	case net.ParseIP(c.Bind) == nil:
		return bad("--bind must be an IP address, not %q", c.Bind)
	}
	for _, p := range []struct {
		flag string
		port int
	}{{"--port", c.Port}, {"--tls-port", c.TLSPort}, {"--s3-port", c.S3Port}, {"--metrics-port", c.MetricsPort}, {"--api-port", c.APIPort}} {
		if p.port < 0 || p.port > math.MaxUint16 {
			return bad("%s must be between 0 and 65535, not %d", p.flag, p.port)
		}
	}
	if n := c.LastNodePort - c.FirstNodePort + 1; c.Control && (c.FirstNodePort < 1 || c.LastNodePort > math.MaxUint16 || n < len(zones)) {
		return bad("--node-ports must be a range of %d ports or more, not %d-%d", len(zones), c.FirstNodePort, c.LastNodePort)
	}
	return c.checkClashes()
}

// checkClashes finds two listeners that were given the same port.
func (c *Config) checkClashes() error {
	taken := map[int]string{}
	take := func(port int, flag string) error {
		if port == 0 {
			return nil
		}
		if port > math.MaxUint16 {
			return fmt.Errorf("%w: port %d for %s does not exist, change --port, --tls-port or --replicas", ErrConfig, port, flag)
		}
		if other, ok := taken[port]; ok {
			return fmt.Errorf("%w: port %d is wanted for %s and for %s", ErrConfig, port, other, flag)
		}
		taken[port] = flag
		return nil
	}
	var errs []error
	for i := range c.Replicas + 1 {
		what := "--port"
		if i > 0 {
			what = fmt.Sprintf("replica %d (--port and the next ones)", i)
		}
		errs = append(errs, take(portAfter(c.Port, i), what))
	}
	for i := range c.Replicas + 1 {
		if c.TLS {
			errs = append(errs, take(portAfter(c.TLSPort, i), "--tls-port and the next ones"))
		}
	}
	errs = append(errs, take(c.S3Port, "--s3-port"))
	if c.Metrics {
		errs = append(errs, take(c.MetricsPort, "--metrics-port"))
	}
	if c.Control {
		errs = append(errs, take(c.APIPort, "--api-port"))
		for port := c.FirstNodePort; port <= c.LastNodePort; port++ {
			errs = append(errs, take(port, "--node-ports"))
		}
	}
	return errors.Join(errs...)
}

// portAfter is the port of the i-th node when that of the first is given.
func portAfter(first, i int) int {
	if first == 0 {
		return 0
	}
	return first + i
}

// nodeID is the id of the i-th node.
func nodeID(i int) string { return "dev-" + strconv.Itoa(i+1) }

// isNodeID reports whether a node of some dev has, or had, this id.
func isNodeID(id string) bool {
	for i := range MaxReplicas + 1 {
		if id == nodeID(i) {
			return true
		}
	}
	return false
}

// nodeConfig is the configuration of the i-th node, less what it connects to.
func (c *Config) nodeConfig(i int) node.Config {
	return node.Config{
		Cluster: Cluster, Shard: Shard, NodeID: nodeID(i), AZ: "local",
		Listen:   net.JoinHostPort(c.Bind, strconv.Itoa(portAfter(c.Port, i))),
		LeaseTTL: c.LeaseTTL, HeadLimit: c.HeadLimit,
		MaxBatch:    512 << 10, // measured best for a single member
		SegmentSize: c.SegmentSize, SegmentAge: c.SegmentAge,
		RequirePass: c.RequirePass, EnableDebugCommand: c.EnableDebugCommand,
		Logger: c.Logger,
	}
}

// reachable is the address a client on this machine uses for one listened on.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch ip := net.ParseIP(host); {
	case ip == nil || !ip.IsUnspecified():
		return addr
	case ip.To4() == nil:
		return net.JoinHostPort("::1", port)
	}
	return net.JoinHostPort("127.0.0.1", port)
}
