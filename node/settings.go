package node

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// settings are what CONFIG GET shows and CONFIG SET changes. What connections
// read without the engine's lock is atomic.
type settings struct {
	maxClients   atomic.Int64
	timeout      atomic.Int64 // seconds, 0: none
	tcpKeepAlive atomic.Int64 // seconds
	maxBulk      atomic.Int64 // bytes
	maxQuery     atomic.Int64 // bytes
	maxMemory    atomic.Int64 // maxmemory: bytes of the data, 0: no limit
	clientShare  atomic.Int64 // maxmemory-clients: bytes, or if negative percent of maxmemory
	listCompress atomic.Int64 // list-compress-depth
	protected    atomic.Bool  // protected-mode
	output       atomic.Pointer[outputLimits]
	idle         idleSettings

	primary   func() string // its "host port"; "": there is none
	databases int
	debug     string // enable-debug-command: no, yes or local
	port      int    // 0: only TLS is served
	tlsPort   int    // 0: TLS is not served
	bind      string
	log       *slog.Logger
	memory    int64 // bytes that the process may use
	clients   int64 // the largest maxclients that the limit on open files has room for

	tlsFiles    *tlsfiles.Keeper // nil: TLS is not served
	tlsStaged   *tlsfiles.Server // what a CONFIG SET under way will ask of it
	tlsStagedBy string           // and the parameter that asked first
}

func newSettings(c *Config, ln listeners, log *slog.Logger) *settings {
	s := &settings{
		databases: c.Databases, debug: c.EnableDebugCommand,
		port: port(ln.plain), tlsPort: port(ln.tls), bind: ln.bind(), tlsFiles: ln.files, log: log,
		memory: AvailableMemory(), clients: mostClients(),
	}
	limit, _ := parseMemory(c.MaxMemory) // Check has read it
	s.maxMemory.Store(limit)
	s.maxClients.Store(min(int64(c.MaxClients), s.clients))
	share := s.memory / 10
	if c.MaxMemoryClients != "" {
		share, _ = parseMemoryOrShare(c.MaxMemoryClients) // Check has
	}
	s.clientShare.Store(share)
	s.tcpKeepAlive.Store(300)
	s.maxBulk.Store(512 << 20)
	s.maxQuery.Store(1 << 30)
	s.output.Store(&defaultOutputLimits)
	s.idle.init()
	s.protected.Store(c.ProtectedMode == "yes")
	return s
}

func (s *settings) limits() resp.Limits {
	return resp.Limits{Bulk: int(s.maxBulk.Load()), QueryBuffer: int(s.maxQuery.Load())}
}

func (s *settings) outputLimit(class clientClass) outputLimit { return s.output.Load()[class] }

// parameter is one row of CONFIG.
type parameter struct {
	name string
	get  func(*engine, *settings) string
	// set judges and stores a value; nil when it is fixed at start. The returned
	// text completes Redis's "CONFIG SET failed" error.
	set func(e *engine, s *settings, value string) error
}

// badValue is why a value was refused, as the end of a reply in Redis's words.
type badValue string

func (b badValue) Error() string { return string(b) }

const (
	errNotIntegerParam badValue = "argument couldn't be parsed into an integer"
	errMemoryParam     badValue = "argument must be a memory value"

	errSwitchParam badValue = "argument must be 'yes' or 'no'"

	errMemoryOrShareParam badValue = "argument must be a memory or percent value"
)

// intParam is a parameter kept in an atomic number.
func intParam(name string, lo, hi int64, at func(*settings) *atomic.Int64) parameter {
	return parameter{
		name: name,
		get:  func(_ *engine, s *settings) string { return strconv.FormatInt(at(s).Load(), 10) },
		set: func(_ *engine, s *settings, v string) error {
			n, err := parseRange(v, lo, hi)
			if err == nil {
				at(s).Store(n)
			}
			return err
		},
	}
}

// engineParam is a number that the engine's lock guards.
func engineParam(name string, lo, hi int64, at func(*engine) *int64) parameter {
	return parameter{
		name: name,
		get:  func(e *engine, _ *settings) string { return strconv.FormatInt(*at(e), 10) },
		set: func(e *engine, _ *settings, v string) error {
			n, err := parseRange(v, lo, hi)
			if err == nil {
				*at(e) = n
			}
			return err
		},
	}
}

// boolParam is a switch that the engine's lock guards.
func boolParam(name string, at func(*engine) *bool) parameter {
	words := map[bool]string{true: "yes", false: "no"}
	return parameter{
		name: name,
		get:  func(e *engine, _ *settings) string { return words[*at(e)] },
		set: func(e *engine, _ *settings, v string) error {
			v = strings.ToLower(v)
			if v != words[true] && v != words[false] {
				return errSwitchParam
			}
			*at(e) = v == words[true]
			return nil
		},
	}
}

func parseRange(v string, lo, hi int64) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, errNotIntegerParam
	}
	if n < lo || n > hi {
		return 0, fmt.Errorf("argument must be between %d and %d inclusive", lo, hi)
	}
	return n, nil
}

// bytesParam is intParam for amounts of memory ("64mb").
func bytesParam(name string, lo, hi int64, at func(*settings) *atomic.Int64) parameter {
	p := intParam(name, lo, hi, at)
	p.set = func(_ *engine, s *settings, v string) error {
		n, err := parseMemory(v)
		if err != nil {
			return err
		}
		if n < lo || n > hi {
			return fmt.Errorf("argument must be between %d and %d inclusive", lo, hi)
		}
		at(s).Store(n)
		return nil
	}
	return p
}

// parseMemory reads "100", "10k", "10kb", "10m", "1gb"... as redis.conf does:
// k is 1000, kb is 1024.
func parseMemory(v string) (int64, error) {
	units := []struct {
		suffix string
		factor int64
	}{{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1}}
	lower := strings.ToLower(v)
	for _, u := range units {
		digits, ok := strings.CutSuffix(lower, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			return 0, errMemoryParam
		}
		return n * u.factor, nil
	}
	return 0, errMemoryParam
}

// limitParam is a limit of the keyspace's encodings; aliases are the names it
// had before Redis 7.
func limitParam(name string, at func(*keyspace.Config) *int) parameter {
	return limitParamFrom(0, name, at)
}

// limitParamFrom is limitParam of a limit that may be as low as lo.
func limitParamFrom(lo int64, name string, at func(*keyspace.Config) *int) parameter {
	return parameter{
		name: name,
		get:  func(e *engine, _ *settings) string { return strconv.Itoa(*at(e.ks.Config())) },
		set: func(e *engine, _ *settings, v string) error {
			n, err := parseRange(v, lo, math.MaxInt32)
			if err == nil {
				*at(e.ks.Config()) = int(n)
			}
			return err
		},
	}
}

func getSparseMax(e *engine, _ *settings) string {
	return strconv.Itoa(e.ks.Config().HLLSparseMaxBytes)
}

func setSparseMax(e *engine, _ *settings, v string) error {
	n, err := parseMemory(v)
	if err == nil {
		e.ks.Config().HLLSparseMaxBytes = int(n)
	}
	return err
}

// blockParam is a limit of the blocks of streams, which parse reads.
func blockParam(name string, parse func(string) (int64, error), at func(*keyspace.Config) *int) parameter {
	p := limitParam(name, at)
	p.set = func(e *engine, _ *settings, v string) error {
		n, err := parse(v)
		if err == nil {
			*at(e.ks.Config()) = int(n)
		}
		return err
	}
	return p
}

func fixedParam(name string, get func(*settings) string) parameter {
	return parameter{name: name, get: func(_ *engine, s *settings) string { return get(s) }}
}

// heldParam is a parameter that Redis can change and that has one value here. To
// set that one is fine: tools put back what they have read.
func heldParam(name, why string, get func(*settings) string) parameter {
	p := fixedParam(name, get)
	p.set = func(_ *engine, s *settings, v string) error {
		if v != get(s) {
			return badValue(why)
		}
		return nil
	}
	return p
}

// always is the get of a parameter with one value.
func always(value string) func(*settings) string { return func(*settings) string { return value } }

// parameters are all rows of CONFIG, by name in order.
var parameters = slices.SortedFunc(slices.Values(slices.Concat(idleParameters(), activeParameters, tlsParameters)),
	func(a, b parameter) int { return strings.Compare(a.name, b.name) })

// activeParameters are those of what a node does.
var activeParameters = []parameter{
	pubSubDefaultParam,
	aclFileParam,
	logMaxParam,
	heldParam("appendfsync", "every write is on disk on a quorum before its reply", always("always")),
	heldParam("appendonly", "every write is logged", always("yes")),
	heldParam("bind", "Failed to bind to specified addresses: they are fixed when the node starts", func(s *settings) string { return s.bind }),
	{name: "client-output-buffer-limit", get: getOutputLimits, set: setOutputLimits},
	bytesParam("client-query-buffer-limit", 1<<20, 1<<30, func(s *settings) *atomic.Int64 { return &s.maxQuery }),
	fixedParam("daemonize", always("no")),
	fixedParam("databases", func(s *settings) string { return strconv.Itoa(s.databases) }),
	fixedParam("enable-debug-command", func(s *settings) string { return s.debug }),
	limitParam("hash-max-listpack-entries", func(c *keyspace.Config) *int { return &c.HashMaxListpackEntries }),
	limitParam("hash-max-listpack-value", func(c *keyspace.Config) *int { return &c.HashMaxListpackValue }),
	limitParam("hash-max-ziplist-entries", func(c *keyspace.Config) *int { return &c.HashMaxListpackEntries }),
	limitParam("hash-max-ziplist-value", func(c *keyspace.Config) *int { return &c.HashMaxListpackValue }),
	{name: "hll-sparse-max-bytes", get: getSparseMax, set: setSparseMax},
	boolParam("latency-tracking", func(e *engine) *bool { return &e.latencyTracking }),
	{name: percentilesParam, get: getPercentiles, set: setPercentiles},
	engineParam("latency-monitor-threshold", 0, math.MaxInt64, func(e *engine) *int64 { return &e.latency.threshold }),
	// Redis compresses the inner nodes of lists from this depth on. Here it is only kept:
	// nodes are never compressed.
	intParam("list-compress-depth", 0, math.MaxInt32, func(s *settings) *atomic.Int64 { return &s.listCompress }),
	limitParamFrom(math.MinInt32, "list-max-listpack-size", func(c *keyspace.Config) *int { return &c.ListMaxListpackSize }),
	limitParamFrom(math.MinInt32, "list-max-ziplist-size", func(c *keyspace.Config) *int { return &c.ListMaxListpackSize }),
	{name: "maxclients", get: maxClientsParam.get, set: setMaxClients},
	maxMemoryParam,
	{name: "maxmemory-clients", get: getClientShare, set: setClientShare},
	heldParam("maxmemory-policy", "nothing is ever evicted", always("noeviction")),
	heldParam("port", "Unable to listen on this port: it is fixed when the node starts", func(s *settings) string { return strconv.Itoa(s.port) }),
	bytesParam("proto-max-bulk-len", 1<<20, 512<<20, func(s *settings) *atomic.Int64 { return &s.maxBulk }),
	protectedParam,
	requirePassParam,
	heldParam("save", "snapshots are made by redoubt snapshot, away from the nodes", always("")),
	limitParam("set-max-intset-entries", func(c *keyspace.Config) *int { return &c.SetMaxIntsetEntries }),
	limitParam("set-max-listpack-entries", func(c *keyspace.Config) *int { return &c.SetMaxListpackEntries }),
	limitParam("set-max-listpack-value", func(c *keyspace.Config) *int { return &c.SetMaxListpackValue }),
	engineParam("slowlog-log-slower-than", -1, math.MaxInt64, func(e *engine) *int64 { return &e.slowlog.slowerThan }),
	engineParam("slowlog-max-len", 0, math.MaxInt64, func(e *engine) *int64 { return &e.slowlog.maxLen }),
	blockParam("stream-node-max-bytes", parseMemory, func(c *keyspace.Config) *int { return &c.StreamNodeMaxBytes }),
	blockParam("stream-node-max-entries", func(v string) (int64, error) { return parseRange(v, 0, math.MaxInt64) },
		func(c *keyspace.Config) *int { return &c.StreamNodeMaxEntries }),
	intParam("tcp-keepalive", 0, 1<<31-1, func(s *settings) *atomic.Int64 { return &s.tcpKeepAlive }),
	intParam("timeout", 0, 1<<31-1, func(s *settings) *atomic.Int64 { return &s.timeout }),
	limitParam("zset-max-listpack-entries", func(c *keyspace.Config) *int { return &c.ZSetMaxListpackEntries }),
	limitParam("zset-max-listpack-value", func(c *keyspace.Config) *int { return &c.ZSetMaxListpackValue }),
	limitParam("zset-max-ziplist-entries", func(c *keyspace.Config) *int { return &c.ZSetMaxListpackEntries }),
	limitParam("zset-max-ziplist-value", func(c *keyspace.Config) *int { return &c.ZSetMaxListpackValue }),
}
