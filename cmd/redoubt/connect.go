package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/s3segments"
)

const (
	etcdDialTimeout = 5 * time.Second
	// A member that has gone silent is noticed after etcdPing and
	// etcdPingTimeout; gRPC takes no less than 10 s for the first.
	etcdPing        = 10 * time.Second
	etcdPingTimeout = 3 * time.Second
)

// connection is how a cluster's etcd and object storage are reached.
type connection struct {
	cluster   string
	etcd      []string
	etcdCA    string
	etcdCert  string
	etcdKey   string
	store     string
	endpoint  string
	pathStyle bool
	region    string

	accessKey, secretKey string // of a dev; else the SDK's default chain
}

func (c *connection) addFlags(set *pflag.FlagSet) {
	set.StringVar(&c.cluster, "cluster", "", "name of the cluster")
	set.StringSliceVar(&c.etcd, "etcd", nil, "URLs of etcd's members, separated by commas")
	set.StringVar(&c.etcdCA, "etcd-ca", "", "file with the CA that etcd's certificates are checked against (default: the system's)")
	set.StringVar(&c.etcdCert, "etcd-cert", "", "file with the certificate to show to etcd")
	set.StringVar(&c.etcdKey, "etcd-key", "", "file with that certificate's private key")
	set.StringVar(&c.store, "store", "", "object storage, as s3://bucket/prefix")
	set.StringVar(&c.endpoint, "store-endpoint", "", "URL of an S3-compatible service (default: AWS)")
	set.BoolVar(&c.pathStyle, "store-path-style", false, "put the bucket into the path and not into the host name; most services beside AWS need it")
	set.StringVar(&c.region, "region", "", "region of the bucket (default: as the AWS configuration says)")
}

// check reports what is wrong in terms of flags. missing are those that have
// to be given and are not.
func (c *connection) check(cmd *cobra.Command) error {
	if (c.etcdCert == "") != (c.etcdKey == "") {
		return usagef(cmd, "--etcd-cert and --etcd-key go together")
	}
	if c.cluster != "" {
		if err := etcdfence.CheckName(c.cluster); err != nil {
			return usagef(cmd, "--cluster: %w", err)
		}
	}
	for _, e := range c.etcd {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return usagef(cmd, "--etcd: %q is not a URL such as http://10.0.0.1:2379", e)
		}
		if u.Scheme == "http" && c.etcdCA+c.etcdCert != "" {
			return usagef(cmd, "--etcd: %q must begin with https when --etcd-ca or --etcd-cert is given", e)
		}
	}
	return nil
}

// missing names those of the flags that have no value.
func (c *connection) missing(needEtcd, needStore bool) []string {
	var names []string
	if c.cluster == "" {
		names = append(names, "--cluster")
	}
	if needEtcd && len(c.etcd) == 0 {
		names = append(names, "--etcd")
	}
	if needStore && c.store == "" {
		names = append(names, "--store")
	}
	return names
}

// dialEtcd makes a client; it does not wait for a connection.
func (c *connection) dialEtcd() (*clientv3.Client, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: c.etcd, TLS: tlsConfig,
		DialTimeout: etcdDialTimeout, DialKeepAliveTime: etcdPing, DialKeepAliveTimeout: etcdPingTimeout,
		PermitWithoutStream: true, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return cli, nil
}

// tls is nil when no URL asks for TLS.
func (c *connection) tls() (*tls.Config, error) {
	for _, e := range c.etcd {
		if u, err := url.Parse(e); err != nil || u.Scheme != "https" {
			continue
		}
		info := transport.TLSInfo{TrustedCAFile: c.etcdCA, CertFile: c.etcdCert, KeyFile: c.etcdKey}
		t, err := info.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("read --etcd-ca, --etcd-cert and --etcd-key: %w", err)
		}
		return t, nil
	}
	return nil, nil
}

func (c *connection) openStore(ctx context.Context, log *slog.Logger, m s3segments.Observer) (*s3segments.Store, error) {
	return s3segments.OpenStore(ctx, s3segments.Config{
		URL: c.store, Cluster: c.cluster, Endpoint: c.endpoint, Region: c.region, PathStyle: c.pathStyle,
		AccessKey: c.accessKey, SecretKey: c.secretKey, Logger: log, Metrics: m,
	})
}

// closeEtcd closes a client; that its context ended with it is no error.
func closeEtcd(cli *clientv3.Client) error {
	if err := cli.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close etcd client: %w", err)
	}
	return nil
}
