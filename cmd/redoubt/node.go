package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

// nodeOptions are the flags of `redoubt node`.
type nodeOptions struct {
	conn                connection
	shard               int
	nodeID, az          string
	listen, announce    string
	tls                 tlsOptions
	segmentSize         byteSize
	segmentAge          time.Duration
	headLimit           byteSize
	leaseTTL            time.Duration
	requirePass         string
	aclFile             string
	pubSubDefault       string
	managedUsers        bool
	managedParameters   bool
	protectedMode       string
	debugCommand        string
	databases           int
	maxClients          int
	maxMemory           string
	maxMemoryClients    string
	metrics             metricsOptions
	logLevel, logFormat string
}

const nodeLong = `Runs one node of a shard until it is told to stop, against an etcd cluster and
object storage of your own. Every node of a shard gets the same --cluster, --shard,
--etcd and --store, and a --node-id of its own; the first one creates the shard. Who
is the primary is settled in etcd: start as many nodes as you like, in any order.

SIGTERM and Ctrl-C hand the shard over to another node and stop; a second one stops
at once. Nothing that was acknowledged is lost either way, nor by kill -9.

Every flag can also be given as a variable, --head-limit as REDOUBT_HEAD_LIMIT, and
in a YAML file (--config) under its name. A flag goes before a variable, a variable
before the file. Sizes are written 8MiB, 256mb (1024-based) or 1000.

AWS credentials come from where the AWS tools take them: AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role.

Clients are served over TLS on --tls-port, with files that are read again when they
change; beside the port of --listen, or alone when that is 0. As in Redis, clients
must show a certificate then, unless --tls-auth-clients says otherwise.

The node logs to stderr, warnings and errors only unless --log-level says more.

` + exitHelp

const nodeExample = `  redoubt node --cluster shop --node-id n1 --az eu-central-1a \
    --etcd http://10.0.1.5:2379,http://10.0.2.5:2379,http://10.0.3.5:2379 \
    --store s3://shop-redoubt/prod --region eu-central-1 \
    --listen 0.0.0.0:6379 --announce 10.0.1.17:6379

  redoubt node --config /etc/redoubt/node.yaml --node-id n2 --listen 0.0.0.0:0 \
    --tls-port 6379 --tls-cert-file node.crt --tls-key-file node.key \
    --tls-auth-clients no --announce db2.example.com:6379

  redoubt node --config /etc/redoubt/node.yaml --node-id n2`

func newNode() *cobra.Command {
	var o nodeOptions
	cmd := &cobra.Command{
		Use: "node", Short: "Run one node against a real etcd and object storage",
		Long: nodeLong, Example: nodeExample, Args: noArgs,
	}
	o.addFlags(cmd.Flags())
	src := newSources(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := src.fill(cmd); err != nil {
			return err
		}
		if err := o.check(cmd); err != nil {
			return err
		}
		return runNode(cmd, &o)
	}
	return cmd
}

func (o *nodeOptions) addFlags(set *pflag.FlagSet) {
	o.segmentSize = s3segments.DefaultSegmentSize
	o.headLimit = etcdfence.DefaultHeadLimit
	set.SortFlags = false
	o.conn.addFlags(set)
	set.IntVar(&o.shard, "shard", 0, "number of the shard")
	set.StringVar(&o.nodeID, "node-id", "", "name of this node, unique in the cluster")
	set.StringVar(&o.az, "az", "", "availability zone the node is in")
	set.StringVar(&o.listen, "listen", "127.0.0.1:6379", "address to serve clients on; with --tls-port, port 0 serves TLS alone")
	set.StringVar(&o.announce, "announce", "", "address to tell others (default: --listen)")
	o.tls.addFlags(set)
	set.Var(&o.segmentSize, "segment-size", "bytes of log that are sealed into a segment")
	set.DurationVar(&o.segmentAge, "segment-age", s3segments.DefaultSegmentAge, "age at which entries are sealed all the same")
	set.Var(&o.headLimit, "head-limit", "bytes of log that etcd may hold; writes are refused beyond")
	set.DurationVar(&o.leaseTTL, "lease-ttl", etcdfence.DefaultLeaseTTL, "how long a dead primary keeps the shard")
	set.StringVar(&o.requirePass, "requirepass", "", "password that clients must AUTH with")
	set.StringVar(&o.aclFile, "aclfile", "", "file with the users of this node, for ACL LOAD and ACL SAVE")
	set.StringVar(&o.pubSubDefault, "acl-pubsub-default", "resetchannels", "channels of new users: resetchannels (none) or allchannels")
	set.BoolVar(&o.managedUsers, "managed-users", false, "let in the users that etcd has for the cluster, and nobody else")
	set.BoolVar(&o.managedParameters, "managed-parameters", false, "take settings from etcd, where the control plane keeps the cluster's")
	set.StringVar(&o.protectedMode, "protected-mode", "yes", "while no password is needed, let clients in from this machine only: yes or no")
	set.StringVar(&o.debugCommand, "enable-debug-command", "no", "allow DEBUG: no, yes or local")
	set.IntVar(&o.databases, "databases", 16, "number of databases to SELECT from")
	set.IntVar(&o.maxClients, "maxclients", 10000, "clients at the same time")
	set.StringVar(&o.maxMemory, "maxmemory", "0", "bytes that the data may take; commands that need more are refused beyond; 0: no limit")
	set.StringVar(&o.maxMemoryClients, "maxmemory-clients", "", "bytes that buffers of all clients may take, or percent of maxmemory (of the machine's memory while that is 0); 0: no limit (default a tenth of the machine's memory)")
	o.metrics.addFlags(set, "address for /metrics and /healthz, host:port or unix:path")
	set.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	set.StringVar(&o.logFormat, "log-format", "text", "text or json")
	set.String(configFlag, "", "YAML file with values of flags, by their names")
}

// nodeFlagNames are the keys that a node's configuration file may have.
func nodeFlagNames() []string {
	var o nodeOptions
	set := pflag.NewFlagSet("node", pflag.ContinueOnError)
	o.addFlags(set)
	return newSources(set).flags
}

// check reports what is missing; the values themselves node.New judges.
func (o *nodeOptions) check(cmd *cobra.Command) error {
	missing := o.conn.missing(true, true)
	if o.nodeID == "" {
		missing = append(missing, "--node-id")
	}
	if len(missing) > 0 {
		return usagef(cmd, "%s must be given, as a flag, a variable or in the --config file", strings.Join(missing, ", "))
	}
	return o.conn.check(cmd)
}

func runNode(cmd *cobra.Command, o *nodeOptions) (err error) {
	ctx := cmd.Context()
	// What an agent starts as /proc/self/exe would be listed as "exe". Where there is no
	// such file, there was no such start.
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
	log, err := newLogger(cmd.ErrOrStderr(), o.logLevel, o.logFormat)
	if err != nil {
		return usagef(cmd, "%w", err)
	}
	listen, tlsConfig, err := o.tls.config(o.listen)
	if err != nil {
		return usagef(cmd, "%w", err)
	}
	registry := metricsserver.NewRegistry()
	store, err := o.conn.openStore(ctx, log, node.NewStoreMetrics(registry))
	if err != nil {
		return err
	}
	cli, err := o.conn.dialEtcd(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeEtcd(cli)) }()
	cfg := node.Config{
		Cluster: o.conn.cluster, Shard: o.shard, NodeID: o.nodeID, AZ: o.az,
		Listen: listen, Announce: o.announce, TLS: tlsConfig, Etcd: cli, Store: store,
		LeaseTTL: o.leaseTTL, HeadLimit: int64(o.headLimit),
		SegmentSize: int64(o.segmentSize), SegmentAge: o.segmentAge,
		Databases: o.databases, MaxClients: o.maxClients, MaxMemory: o.maxMemory, MaxMemoryClients: o.maxMemoryClients,
		RequirePass: o.requirePass, ACLFile: o.aclFile, ACLPubSubDefault: o.pubSubDefault, ManagedUsers: o.managedUsers, ManagedParameters: o.managedParameters, ProtectedMode: o.protectedMode,
		EnableDebugCommand: o.debugCommand,
		Logger:             log, Metrics: registry,
	}
	if err := cfg.Check(); err != nil {
		return usagef(cmd, "%w", err)
	}
	n, err := node.New(cfg)
	if errors.Is(err, tlsfiles.ErrSettings) {
		return usagef(cmd, "%w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	m, err := o.metrics.start(ctx, registry, func() error { return nodeHealth(n) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	err = n.Run(ctx)
	if errors.Is(err, snapshot.ErrDataLeft) {
		err = fmt.Errorf("%w.\nIf etcd lost its data, see `redoubt recover --help`; if this is the wrong etcd or the wrong\n--cluster, nothing has been changed", err)
	}
	return ignoreCanceled(ctx, err)
}

// nodeHealth: a node that answers clients, as primary or replica, is healthy.
func nodeHealth(n *node.Node) error {
	if r := n.Role(); r == node.RoleLoading {
		return errors.New(r.String())
	}
	return nil
}

// ignoreCanceled drops an error that only says that ctx ended.
func ignoreCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
