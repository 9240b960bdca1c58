package spec

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Parameter is a setting that a parameter group may have, by its redis.conf name.
type Parameter struct {
	Name string
	// Runtime: a running node takes a new value; else it is restarted for it.
	Runtime bool
	check   func(value string) error
}

// LookupParameter finds a parameter; false when groups have none of that name.
func LookupParameter(name string) (Parameter, bool) {
	p, ok := parameters[name]
	return p, ok
}

// ParameterNames are all that a group may have, in order.
func ParameterNames() []string { return sortedKeys(parameters) }

// CheckParameter judges a setting of a parameter group.
func CheckParameter(name, value string) error {
	if p, ok := parameters[name]; ok {
		return p.check(value)
	}
	if why := fixedParameter(name); why != "" {
		return errors.New("cannot be set in a parameter group: " + why)
	}
	if lower := strings.ToLower(name); lower != name {
		if _, ok := parameters[lower]; ok {
			return fmt.Errorf("must be written in lower case: %q", lower)
		}
	}
	return errors.New("there is no such parameter")
}

// parameters repeats what package node's table of settings says, so that clients need
// not have all of the node inside; a test there compares the two.
var parameters = func() map[string]Parameter {
	m := map[string]Parameter{}
	atRuntime := func(check func(string) error, names ...string) {
		for _, n := range names {
			m[n] = Parameter{Name: n, Runtime: true, check: check}
		}
	}
	atRuntime(integer(0, math.MaxInt32),
		"hash-max-listpack-entries", "hash-max-listpack-value", "list-compress-depth",
		"set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
		"tcp-keepalive", "timeout", "zset-max-listpack-entries", "zset-max-listpack-value")
	atRuntime(integer(math.MinInt32, math.MaxInt32), "list-max-listpack-size")
	atRuntime(integer(0, math.MaxInt64), "latency-monitor-threshold", "slowlog-max-len", "stream-node-max-entries")
	atRuntime(integer(-1, math.MaxInt64), "slowlog-log-slower-than")
	atRuntime(integer(1, math.MaxUint32), "maxclients")
	atRuntime(yesNo, "latency-tracking")
	atRuntime(percentiles, "latency-tracking-info-percentiles")
	atRuntime(memory(0, math.MaxInt64), "hll-sparse-max-bytes", "stream-node-max-bytes")
	atRuntime(memory(1<<20, 1<<30), "client-query-buffer-limit")
	atRuntime(memory(1<<20, 512<<20), "proto-max-bulk-len")
	atRuntime(memoryOrShare, "maxmemory-clients")
	atRuntime(outputLimits, "client-output-buffer-limit")
	m["databases"] = Parameter{Name: "databases", check: integer(1, math.MaxInt32)}
	return m
}()

// fixedParameter says why a setting that nodes have is none of a group's; "" when
// there is no such setting.
func fixedParameter(name string) string {
	if why, ok := fixed[name]; ok {
		return why
	}
	for prefix, why := range fixedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return why
		}
	}
	if strings.Contains(name, "ziplist") {
		return "its name is " + strings.ReplaceAll(name, "ziplist", "listpack") + " since Redis 7"
	}
	return ""
}

var fixedPrefixes = map[string]string{
	"tls-":               "TLS is the cluster's tls_enabled",
	"lazyfree-lazy-":     "memory is always freed in the background",
	"lfu-":               "nothing is ever evicted",
	"maxmemory-eviction": "nothing is ever evicted",
}

var fixed = map[string]string{
	"activedefrag":          "there is nothing to defragment",
	"cluster-enabled":       "it is the cluster's cluster_mode",
	"maxmemory-samples":     "nothing is ever evicted",
	"replicaof":             "who is the primary is settled in etcd",
	"slaveof":               "who is the primary is settled in etcd",
	"aclfile":               "users and ACLs are resources of their own",
	"acl-pubsub-default":    "say in users' access strings which channels they may use",
	"acllog-max-len":        "it is each node's own",
	"appendfsync":           "every write is on disk on a quorum before its reply",
	"appendonly":            "every write is logged",
	"bind":                  "where nodes listen is decided by their hosts",
	"daemonize":             "nodes are started by their host's agent",
	"enable-debug-command":  "DEBUG is for development, see redoubt dev",
	"list-max-ziplist-size": "its name is list-max-listpack-size since Redis 7",
	"maxmemory":             "it follows from the cluster's node_memory",
	"maxmemory-policy":      "nothing is ever evicted",
	"port":                  "it is the cluster's port",
	"protected-mode":        "who may log in is the cluster's acl_name",
	"requirepass":           "who may log in is the cluster's acl_name",
	"save":                  "snapshots are the cluster's snapshot_window and snapshot_retention_limit",
}

func integer(lo, hi int64) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("must be a whole number between %d and %d, not %q", lo, hi, v)
		}
		return nil
	}
}

func yesNo(v string) error {
	if l := strings.ToLower(v); l != "yes" && l != "no" {
		return fmt.Errorf("must be yes or no, not %q", v)
	}
	return nil
}

// percentiles judges numbers with a space between each two.
func percentiles(v string) error {
	if v == "" {
		return nil
	}
	for word := range strings.SplitSeq(v, " ") {
		if n, err := strconv.ParseFloat(word, 64); err != nil || !(n >= 0 && n <= 100) || strings.ContainsAny(word, "xX") {
			return fmt.Errorf("must be numbers between 0 and 100 with a space between each two, not %q", v)
		}
	}
	return nil
}

// parseMemory reads an amount as redis.conf has it: kb is 1024, k 1000.
func parseMemory(v string) (int64, bool) {
	lower := strings.ToLower(v)
	digits := strings.TrimRight(lower, "kmgb")
	factor, ok := map[string]int64{
		"": 1, "b": 1, "k": 1e3, "m": 1e6, "g": 1e9, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30,
	}[lower[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || n > (1<<62)/factor {
		return 0, false
	}
	return n * factor, true
}

func memory(lo, hi int64) func(string) error {
	return func(v string) error {
		n, ok := parseMemory(v)
		switch {
		case !ok:
			return fmt.Errorf("must be an amount of memory such as 64mb, not %q", v)
		case n < lo || n > hi:
			return fmt.Errorf("must be between %d and %d bytes, not %q", lo, hi, v)
		}
		return nil
	}
}

func memoryOrShare(v string) error {
	digits, share := strings.CutSuffix(v, "%")
	if share {
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil && n <= 100 {
			return nil
		}
	} else if _, ok := parseMemory(v); ok {
		return nil
	}
	return fmt.Errorf("must be an amount of memory such as 256mb or a share of it such as 10%%, not %q", v)
}

// outputLimits judges "CLASS HARD SOFT SECONDS", of one class or more.
func outputLimits(v string) error {
	bad := fmt.Errorf("must be a class, a hard limit, a soft limit and seconds, once or more, such as \"normal 256mb 64mb 60\", not %q", v)
	var f []string
	if v != "" {
		f = strings.Split(v, " ")
	}
	if len(f)%4 != 0 {
		return bad
	}
	for ; len(f) > 0; f = f[4:] {
		_, hard := parseMemory(f[1])
		_, soft := parseMemory(f[2])
		seconds, err := strconv.ParseInt(f[3], 10, 32)
		if !slices.Contains(outputClasses, strings.ToLower(f[0])) || err != nil || seconds < 0 || !hard || !soft {
			return bad
		}
	}
	return nil
}

var outputClasses = []string{"normal", "replica", "slave", "pubsub"}
