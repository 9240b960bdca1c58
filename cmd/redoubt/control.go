package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/backup"
	"github.com/redoubtdb/redoubt/control/plane"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
)

// controlOptions are the flags of `redoubt control`.
type controlOptions struct {
	conn                connection
	listen              string
	tlsCert, tlsKey     string
	dir                 string
	names               []string
	selfSigned          string // file of the certificate, if that was made here
	id, tempDir         string
	leaderTTL           time.Duration
	hostGrace           time.Duration
	metrics             metricsOptions
	logLevel, logFormat string
}

const controlLong = `Runs a control plane until it is told to stop: the HTTP API that "redoubt cluster",
Terraform and others use, and the work that makes clusters what they are asked to be,
on the hosts whose agents ("redoubt agent") are registered. Run as many as you like, all
on the same etcd: each serves the API, and one of them, which is elected, does the work.

The API is served over TLS only, with the certificate of --tls-cert-file, which is read
again when it changes. Without one a self-signed certificate is made in --dir at the
first start, for laptops: give its file to clients as REDOUBT_API_CA. It is replaced
when it is not for the address of --listen or one of --tls-names.

Nothing but /healthz is served without a token. Make the first one with "redoubt token
create --bootstrap".

Every flag can also be given as a variable, --listen as REDOUBT_LISTEN, and in a YAML
file (--config) under its name.

` + exitHelp

const controlExample = `  redoubt control --etcd http://10.0.1.5:2379,http://10.0.2.5:2379,http://10.0.3.5:2379 \
    --store s3://shop-redoubt/prod --region eu-central-1 \
    --listen :8443 --tls-cert-file api.pem --tls-key-file api-key.pem

  redoubt control --config /etc/redoubt/control.yaml`

func newControl() *cobra.Command {
	var o controlOptions
	cmd := &cobra.Command{
		Use: "control", Short: "Run the control plane, which runs clusters",
		Long: controlLong, Example: controlExample, Args: noArgs,
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
		return runControl(cmd, &o)
	}
	return cmd
}

func (o *controlOptions) addFlags(set *pflag.FlagSet) {
	set.SortFlags = false
	o.conn.addPartFlags(set)
	set.StringVar(&o.listen, "listen", ":8443", "address to serve the API on")
	set.StringVar(&o.tlsCert, "tls-cert-file", "", "file with the API's certificate (default: a self-signed one is made in --dir)")
	set.StringVar(&o.tlsKey, "tls-key-file", "", "file with that certificate's private key")
	set.StringVar(&o.dir, "dir", "./redoubt-control", "directory of the self-signed certificate")
	set.StringSliceVar(&o.names, "tls-names", nil, "names and addresses that a self-signed certificate is for, beside this host's")
	hostname, _ := os.Hostname()
	set.StringVar(&o.id, "id", hostname, "name of this control plane in the election, for people")
	set.DurationVar(&o.leaderTTL, "leader-ttl", plane.DefaultTTL, "how long the elected one is waited for when it is not heard of")
	set.DurationVar(&o.hostGrace, "host-grace", reconcile.DefaultHostGrace, "how long a host must be gone before its nodes are replaced")
	set.StringVar(&o.tempDir, "temp-dir", "", "directory for snapshots' files until they are uploaded (default: the system's)")
	o.metrics.addFlags(set, "address for /metrics and /healthz")
	set.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&o.logFormat, "log-format", "text", "text or json")
	set.String(configFlag, "", "YAML file with values of flags, by their names")
}

func (o *controlOptions) check(cmd *cobra.Command) error {
	if len(o.conn.etcd) == 0 || o.conn.store == "" {
		return usagef(cmd, "--etcd and --store must be given, as flags, variables or in the --config file")
	}
	if o.leaderTTL < time.Second {
		return usagef(cmd, "--leader-ttl must be a second at least, not %v", o.leaderTTL)
	}
	if o.hostGrace < time.Second {
		return usagef(cmd, "--host-grace must be a second at least, not %v", o.hostGrace)
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return usagef(cmd, "--tls-cert-file and --tls-key-file go together")
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return usagef(cmd, "--listen must be host:port or :port: %w", err)
	}
	return o.conn.check(cmd)
}

func runControl(cmd *cobra.Command, o *controlOptions) (err error) {
	ctx := cmd.Context()
	log, err := newLogger(cmd.ErrOrStderr(), o.logLevel, o.logFormat)
	if err != nil {
		return usagef(cmd, "%w", err)
	}
	certificate, err := o.certificate(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, certificate.Close()) }()
	cli, err := o.conn.dialEtcd(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeEtcd(cli)) }()
	registry := metricsserver.NewRegistry()
	p, err := o.open(ctx, cli, log, registry)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	s, err := api.Serve(ctx, o.listen, p.API(), certificate.Config, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := o.metrics.start(ctx, registry, func() error { return nil })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	fmt.Fprintf(cmd.OutOrStdout(), "The control plane of Redoubt %s serves https://%s\n", node.Version(), s.Addr())
	if o.selfSigned != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "Its certificate is self-signed: REDOUBT_API_CA=%s\n", o.selfSigned)
	}
	// Either ends the other: a process that does half of it would not be replaced.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return p.Reconcile(ctx)
}

// open makes the control plane.
func (o *controlOptions) open(ctx context.Context, cli *clientv3.Client, log *slog.Logger, registry prometheus.Registerer) (*plane.Plane, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	octx, cancel := context.WithTimeoutCause(ctx, reachTimeout, fmt.Errorf("etcd does not answer within %v", reachTimeout))
	defer cancel()
	return plane.Open(octx, plane.Config{
		ID: o.id, Etcd: cli, TTL: o.leaderTTL, Logger: log, Metrics: registry,
		Policy: reconcile.Policy{HostGrace: o.hostGrace},
		Backup: backup.Config{
			Program: own, Args: o.childFlags(), TempDir: o.tempDir,
			Store: s3segments.Config{URL: o.conn.store, Endpoint: o.conn.endpoint, Region: o.conn.region, PathStyle: o.conn.pathStyle,
				DialTLS: o.conn.storeTLS().Dial, Logger: log},
		},
	})
}

// childFlags are those by which a child process reaches what this one does.
func (o *controlOptions) childFlags() []string {
	flags := []string{"--etcd", strings.Join(o.conn.etcd, ","), "--store", o.conn.store}
	for _, f := range [][2]string{
		{"--etcd-ca", o.conn.etcdCA}, {"--etcd-cert", o.conn.etcdCert}, {"--etcd-key", o.conn.etcdKey},
		{"--store-endpoint", o.conn.endpoint}, {"--store-ca", o.conn.storeCA}, {"--region", o.conn.region},
	} {
		if f[1] != "" {
			flags = append(flags, f[0], f[1])
		}
	}
	if o.conn.pathStyle {
		flags = append(flags, "--store-path-style")
	}
	return flags
}

// certificate is what the API shows. It is the caller's to close.
func (o *controlOptions) certificate(log *slog.Logger) (*tlsfiles.Keeper, error) {
	cert, key := o.tlsCert, o.tlsKey
	if cert == "" {
		var err error
		names, hostname := o.hostNames()
		if cert, key, err = api.SelfSigned(o.dir, names, hostname, log); err != nil {
			return nil, err
		}
		o.selfSigned = cert
	}
	return tlsfiles.Keep(tlsfiles.Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, 0, log)
}

// hostNames are what a self-signed certificate is for: those that must be in it, and this
// host's own, which may be another each time in a container.
func (o *controlOptions) hostNames() (names, hostname []string) {
	names = append([]string{"localhost", "127.0.0.1", "::1"}, o.names...)
	if host, _, err := net.SplitHostPort(o.listen); err == nil && host != "" && !slices.Contains(names, host) {
		names = append(names, host)
	}
	if host, err := os.Hostname(); err == nil && !slices.Contains(names, host) {
		hostname = []string{host}
	}
	return names, hostname
}
