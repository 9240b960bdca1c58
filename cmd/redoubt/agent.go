package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/redoubtdb/redoubt/control/agent"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
	"github.com/redoubtdb/redoubt/node"
)

// agentOptions are the flags of `redoubt agent`.
type agentOptions struct {
	conn                connection
	hostID, az          string
	address, bind       string
	memory              byteSize
	ports               string
	dir, engines        string
	nodeConfig          string
	files               uint64
	hostTTL, grace      time.Duration
	logSize             byteSize
	logFiles            int
	stopNodes           bool
	metrics             metricsOptions
	logLevel, logFormat string
}

const agentLong = `Runs on each host and starts, watches and stops the nodes that the control plane
assigns to it, each as a "redoubt node" process in a folder of its own,
<dir>/nodes/<node>: its log and configuration are there.

The host is known to the control plane for as long as its agent runs. The nodes do
not depend on it: SIGTERM, Ctrl-C and even kill -9 end the agent and leave its nodes
running, and the next agent on the same --dir takes them over. To empty a host for
good, drain it through the control plane. --stop-nodes-on-exit is for laptops: the
nodes hand over and stop with the agent.

A node whose process has ended is started again, after a wait that doubles from half
a second to a minute with each failure in a row; when it was the primary, the agent
ends its lease at once, so that another node takes over without waiting for it.

A node is held to its memory by GOMEMLIMIT (90 % of it), maxmemory (70 %, which no
parameter group can set) and, where the agent has a control group of its own (systemd:
Delegate=yes), memory.max.

Nodes get the agent's etcd and object storage flags, its AWS_* variables, and what
--node-config says. Nothing secret is on their command lines.

Every flag can also be given as a variable, --host-id as REDOUBT_HOST_ID, and in a
YAML file (--config) under its name.

` + exitHelp

const agentExample = `  redoubt agent --host-id host-a1 --az eu-central-1a --address 10.0.1.17 \
    --memory 16GiB --ports 6379-6479 --dir /var/lib/redoubt \
    --etcd http://10.0.1.5:2379,http://10.0.2.5:2379,http://10.0.3.5:2379 \
    --store s3://shop-redoubt/prod --region eu-central-1 \
    --metrics-listen :9121 --metrics-token-file /etc/redoubt/metrics-token

  redoubt agent --config /etc/redoubt/agent.yaml --engines /opt/redoubt/engines`

func newAgent() *cobra.Command {
	var o agentOptions
	cmd := &cobra.Command{
		Use: "agent", Short: "Run the nodes that are assigned to this host",
		Long: agentLong, Example: agentExample, Args: noArgs,
	}
	o.addFlags(cmd.Flags())
	src := newSources(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := src.fill(cmd); err != nil {
			return err
		}
		cfg, err := o.config(cmd)
		if err != nil {
			return err
		}
		return runAgent(cmd, &o, cfg)
	}
	return cmd
}

func (o *agentOptions) addFlags(set *pflag.FlagSet) {
	o.logSize = 16 << 20
	hostname, _ := os.Hostname()
	set.SortFlags = false
	o.conn.addPartFlags(set)
	set.StringVar(&o.hostID, "host-id", hostname, "name of this host, unique among all")
	set.StringVar(&o.az, "az", "", "availability zone the host is in")
	set.StringVar(&o.address, "address", "", "IP address that clients reach this host's nodes at")
	set.StringVar(&o.bind, "bind", "", "address that its nodes listen on (default: --address)")
	set.Var(&o.memory, "memory", "memory that its nodes may have in all")
	set.StringVar(&o.ports, "ports", "6379-6479", "ports that its nodes may serve on")
	set.StringVar(&o.dir, "dir", "/var/lib/redoubt", "directory of the nodes")
	set.StringVar(&o.engines, "engines", "", "directory with one redoubt program a version, named by it (default: this program under its own version)")
	set.StringVar(&o.nodeConfig, "node-config", "", "YAML file with flags of redoubt node for all nodes of this host")
	set.Uint64Var(&o.files, "nofile", 65536, "files, and so connections, that each node may have open")
	set.DurationVar(&o.grace, "grace", 30*time.Second, "how long a node may take to hand over and stop")
	set.DurationVar(&o.hostTTL, "host-ttl", fleet.DefaultTTL, "how long the host is known after the agent was last heard of")
	set.Var(&o.logSize, "log-size", "size at which a node's log is rotated")
	set.IntVar(&o.logFiles, "log-files", 4, "rotated logs that are kept of each node")
	set.BoolVar(&o.stopNodes, "stop-nodes-on-exit", false, "stop the nodes with the agent")
	o.metrics.addFlags(set, "address for /metrics and /healthz, and those of nodes: /nodes lists them for Prometheus's http_sd_configs")
	set.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error; of the agent and its nodes")
	set.StringVar(&o.logFormat, "log-format", "text", "text or json")
	set.String(configFlag, "", "YAML file with values of flags, by their names")
}

// config judges the flags. Etcd, Logger and Metrics are left to runAgent.
func (o *agentOptions) config(cmd *cobra.Command) (agent.Config, error) {
	var none agent.Config
	if missing := o.missing(); len(missing) > 0 {
		return none, usagef(cmd, "%s must be given, as a flag, a variable or in the --config file", strings.Join(missing, ", "))
	}
	if err := o.conn.check(cmd); err != nil {
		return none, err
	}
	if err := etcdfence.CheckName(o.hostID); err != nil {
		return none, usagef(cmd, "--host-id: %w", err)
	}
	for name, value := range map[string]string{"address": o.address, "bind": o.bind} {
		if _, err := netip.ParseAddr(value); err != nil && value != "" {
			return none, usagef(cmd, "--%s: %q is not an IP address", name, value)
		}
	}
	first, last, err := portRange(o.ports)
	if err != nil {
		return none, usagef(cmd, "--ports: %w", err)
	}
	flags, err := o.nodeFlags()
	if err != nil {
		return none, usagef(cmd, "%w", err)
	}
	engines, err := agent.OwnEngine(node.Version())
	if err != nil {
		return none, err
	}
	engines.Dir = o.engines
	return agent.Config{
		HostID: o.hostID, AZ: o.az, Address: o.address, Bind: o.bind, Memory: o.memory,
		FirstPort: first, LastPort: last, Dir: o.dir,
		Engines: engines, Version: node.Version(),
		NodeFlags: flags, StopNodes: o.stopNodes, Grace: o.grace, HostTTL: o.hostTTL,
		LogSize: int64(o.logSize), LogFiles: o.logFiles,
	}, nil
}

func (o *agentOptions) missing() []string {
	var names []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"--etcd", len(o.conn.etcd) > 0}, {"--store", o.conn.store != ""}, {"--host-id", o.hostID != ""}, {"--az", o.az != ""},
		{"--address", o.address != ""}, {"--memory", o.memory > 0}, {"--dir", o.dir != ""},
	} {
		if !f.given {
			names = append(names, f.name)
		}
	}
	return names
}

// portRange reads "6379-6479" or "6379".
func portRange(s string) (first, last int, err error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if errors.Join(err1, err2) != nil || first < 1 || last > 65535 || first > last {
		return 0, 0, fmt.Errorf("%q is not a range of ports such as 6379-6479", s)
	}
	return first, last, nil
}

// nodeFlags are what all nodes of the host are given.
func (o *agentOptions) nodeFlags() (map[string]any, error) {
	flags := map[string]any{}
	if o.nodeConfig != "" {
		values, err := readConfig(o.nodeConfig)
		if err != nil {
			return nil, fmt.Errorf("--node-config: %w", err)
		}
		for name, value := range values {
			flags[name] = value
		}
	}
	flags["etcd"], flags["store"] = o.conn.etcd, o.conn.store
	flags["log-level"], flags["log-format"] = o.logLevel, o.logFormat
	if o.conn.pathStyle {
		flags["store-path-style"] = true
	}
	for name, value := range map[string]string{"store-endpoint": o.conn.endpoint, "region": o.conn.region} {
		if value != "" {
			flags[name] = value
		}
	}
	// Nodes do not run in the agent's directory.
	for name, path := range map[string]string{"etcd-ca": o.conn.etcdCA, "etcd-cert": o.conn.etcdCert, "etcd-key": o.conn.etcdKey, "store-ca": o.conn.storeCA} {
		if path == "" {
			continue
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		flags[name] = abs
	}
	return flags, nil
}

func runAgent(cmd *cobra.Command, o *agentOptions, cfg agent.Config) (err error) {
	ctx := cmd.Context()
	log, err := newLogger(cmd.ErrOrStderr(), o.logLevel, o.logFormat)
	if err != nil {
		return usagef(cmd, "%w", err)
	}
	if err := agent.LimitFiles(o.files); err != nil {
		log.Warn("nodes may not have as many files open as --nofile says", "err", err)
	}
	cli, err := o.conn.dialEtcd(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeEtcd(cli)) }()
	registry := metricsserver.NewRegistry()
	cfg.Etcd, cfg.Logger, cfg.Metrics = cli, log, registry
	a, err := agent.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	m, err := o.metrics.start(ctx, registry, a.Healthy, a.Routes()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	err = a.Run(ctx)
	if left := a.Running(); len(left) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "The agent has stopped; %d of its nodes go on running: %s.\nThe next agent on %s takes them over.\n",
			len(left), strings.Join(left, ", "), o.dir)
	}
	return err
}
