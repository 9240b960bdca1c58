package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
)

// Config is what a node needs to run. Etcd and Store stay the caller's to
// close, after the node.
type Config struct {
	Cluster string // name of the database
	Shard   int    // number of the shard, from 0
	NodeID  string // unique in the cluster
	AZ      string // availability zone, for people and placement

	Listen   string // address for clients, host:port; port 0 picks one; "" with TLS: TLS alone
	Announce string // address that others are told, default the one listened on
	TLS      TLSConfig

	Etcd  *clientv3.Client
	Store *s3segments.Store

	LeaseTTL    time.Duration // of the leader key, whole seconds; default 2 s
	HeadLimit   int64         // bytes of log that etcd may hold; default 256 MiB
	SegmentSize int64         // bytes of log after which a segment is sealed; default 8 MiB
	SegmentAge  time.Duration // age of the oldest entry after which one is sealed; default 10 s
	MaxBatch    int           // bytes of commands committed in one entry; default 128 KiB

	Databases          int    // default 16
	MaxClients         int    // default 10000, or fewer where the limit on open files is low
	MaxMemory          string // bytes that the data may take ("4gb"); default "0": no limit
	MaxMemoryClients   string // bytes all clients may take ("256mb"), or percent of maxmemory ("10%"); default a tenth of the memory, "0": no limit
	RequirePass        string // password of the default user; "" lets everybody in who reaches the port
	ProtectedMode      string // yes or no: let nobody in from elsewhere while the default user needs no password; default yes
	ACLPubSubDefault   string // channels of new users: resetchannels or allchannels; default resetchannels
	ACLFile            string // file with the node's users, for ACL LOAD and ACL SAVE
	ManagedUsers       bool   // the users are those that etcd has for the cluster, on every node
	ManagedParameters  bool   // settings follow those that etcd has for the cluster, on every node
	EnableDebugCommand string // no, yes or local; default no

	Logger  *slog.Logger          // default: nothing is logged
	Metrics prometheus.Registerer // default: not exported
}

// Check reports what is wrong with a configuration, in words for whoever wrote
// it, and fills in defaults.
func (c *Config) Check() error {
	if err := etcdfence.CheckName(c.Cluster); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if err := etcdfence.CheckName(c.NodeID); err != nil {
		return fmt.Errorf("node id: %w", err)
	}
	switch {
	case c.Shard < 0 || c.Shard > 9999:
		return fmt.Errorf("shard must be between 0 and 9999, not %d", c.Shard)
	case c.Etcd == nil || c.Store == nil:
		return errors.New("etcd and object storage must be given")
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	switch c.EnableDebugCommand {
	case "":
		c.EnableDebugCommand = "no"
	case "no", "yes", "local":
	default:
		return fmt.Errorf("enable-debug-command must be no, yes or local, not %q", c.EnableDebugCommand)
	}
	if err := c.checkUsers(); err != nil {
		return err
	}
	setDefault(&c.LeaseTTL, etcdfence.DefaultLeaseTTL)
	setDefault(&c.HeadLimit, etcdfence.DefaultHeadLimit)
	setDefault(&c.SegmentSize, 8<<20)
	setDefault(&c.SegmentAge, 10*time.Second)
	setDefault(&c.TLS.Handshake, 10*time.Second)
	setDefault(&c.Databases, 16)
	setDefault(&c.MaxClients, 10000)
	if err := c.checkMemory(); err != nil {
		return err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if min := 4*c.SegmentSize + 2*headReserve; c.HeadLimit < min {
		return fmt.Errorf("head limit of %d bytes is too small for segments of %d bytes: it must be at least %d", c.HeadLimit, c.SegmentSize, min)
	}
	return nil
}

// checkListen is Check for where clients are served.
func (c *Config) checkListen() error {
	if c.Listen != "" || c.TLS.Listen == "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return fmt.Errorf("listen address must be host:port: %w", err)
		}
	}
	if c.TLS.Listen != "" {
		if _, _, err := net.SplitHostPort(c.TLS.Listen); err != nil {
			return fmt.Errorf("listen address of TLS must be host:port: %w", err)
		}
	}
	return nil
}

// checkUsers is Check for who may use the node.
func (c *Config) checkUsers() error {
	switch c.ProtectedMode {
	case "":
		c.ProtectedMode = "yes"
	case "no", "yes":
	default:
		return fmt.Errorf("protected-mode must be no or yes, not %q", c.ProtectedMode)
	}
	switch c.ACLPubSubDefault {
	case "":
		c.ACLPubSubDefault = resetChannels
	case resetChannels, allChannels:
	default:
		return fmt.Errorf("acl-pubsub-default must be %s or %s, not %q", resetChannels, allChannels, c.ACLPubSubDefault)
	}
	if c.ManagedUsers && (c.RequirePass != "" || c.ACLFile != "") {
		return errors.New("managed users are kept in etcd, the default user among them: neither requirepass nor aclfile can be given")
	}
	return nil
}

// checkMemory is Check for maxmemory and maxmemory-clients.
func (c *Config) checkMemory() error {
	if c.MaxMemory == "" {
		c.MaxMemory = "0"
	}
	if _, err := parseMemory(c.MaxMemory); err != nil {
		return fmt.Errorf("maxmemory: %w", err)
	}
	if c.MaxMemoryClients == "" {
		return nil
	}
	if _, err := parseMemoryOrShare(c.MaxMemoryClients); err != nil {
		return fmt.Errorf("maxmemory-clients: %w", err)
	}
	return nil
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
