package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/etcdpick"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/s3segments"
)

const (
	etcdDialTimeout = 5 * time.Second
	// etcdProbe is how long etcd's members may take to show their certificates.
	etcdProbe = 5 * time.Second
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
	storeCA   string
	region    string

	accessKey, secretKey string // of a dev; else the SDK's default chain

	beforeDelete func(context.Context) error // see s3segments.Config; may be nil
}

func (c *connection) addFlags(set *pflag.FlagSet) {
	set.StringVar(&c.cluster, "cluster", "", "name of the cluster")
	c.addPartFlags(set)
}

// addPartFlags are those that are the same for all clusters.
func (c *connection) addPartFlags(set *pflag.FlagSet) {
	set.StringSliceVar(&c.etcd, "etcd", nil, "URLs of etcd's members, separated by commas")
	set.StringVar(&c.etcdCA, "etcd-ca", "", "file with the CA that etcd's certificates are checked against (default: the system's)")
	set.StringVar(&c.etcdCert, "etcd-cert", "", "file with the certificate to show to etcd")
	set.StringVar(&c.etcdKey, "etcd-key", "", "file with that certificate's private key")
	set.StringVar(&c.store, "store", "", "object storage, as s3://bucket/prefix")
	set.StringVar(&c.endpoint, "store-endpoint", "", "URL of an S3-compatible service (default: AWS)")
	set.BoolVar(&c.pathStyle, "store-path-style", false, "put the bucket into the path and not into the host name; most services beside AWS need it")
	set.StringVar(&c.storeCA, "store-ca", "", "file with the CA that the service's certificate is checked against (default: AWS_CA_BUNDLE, or the system's)")
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
		if (u.Scheme == "https") != c.etcdOverTLS() {
			return usagef(cmd, "--etcd: all URLs begin with http, or all with https")
		}
		if u.Port() == "" {
			return usagef(cmd, "--etcd: %q names no port, etcd's is 2379", e)
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

// dialEtcd makes a client; it does not wait for a connection. Over TLS it finds out
// first whether etcd and this program come to terms: the client itself would only
// try again and again.
func (c *connection) dialEtcd(ctx context.Context) (*clientv3.Client, error) {
	config := clientv3.Config{
		Endpoints: c.etcd, DialTimeout: etcdDialTimeout, DialKeepAliveTime: etcdPing, DialKeepAliveTimeout: etcdPingTimeout,
		PermitWithoutStream: true, Logger: zap.NewNop(), DialOptions: etcdpick.DialOptions(),
	}
	if c.etcdOverTLS() {
		if err := c.probeEtcd(ctx); err != nil {
			return nil, err
		}
		config.DialOptions = append(config.DialOptions, grpc.WithTransportCredentials(c.etcdTLS().Credentials()))
	}
	cli, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return cli, nil
}

// etcdTLS and storeTLS are the files that connections are made with, each anew.
func (c *connection) etcdTLS() tlsfiles.Client {
	return tlsfiles.Client{CAFile: c.etcdCA, CertFile: c.etcdCert, KeyFile: c.etcdKey, CAFlag: "--etcd-ca", CertFlag: "--etcd-cert"}
}

func (c *connection) storeTLS() tlsfiles.Client {
	ca := c.storeCA
	if ca == "" {
		ca = os.Getenv("AWS_CA_BUNDLE") // as the AWS tools do
	}
	return tlsfiles.Client{CAFile: ca, CAFlag: "--store-ca"}
}

// etcdOverTLS tells whether etcd's URLs ask for TLS; check has made sure that they
// agree.
func (c *connection) etcdOverTLS() bool {
	return len(c.etcd) > 0 && strings.HasPrefix(c.etcd[0], "https:")
}

// probeEtcd returns why no member can be talked to when all that are there refuse
// this program's certificate, or show one that it does not trust.
func (c *connection) probeEtcd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, etcdProbe)
	defer cancel()
	files := c.etcdTLS()
	errs := make([]error, len(c.etcd))
	var wg sync.WaitGroup
	for i, e := range c.etcd {
		u, err := url.Parse(e)
		if err != nil { // check has looked
			return err
		}
		wg.Go(func() { errs[i] = files.Probe(ctx, u.Host) })
	}
	wg.Wait()
	var refused error
	for i, err := range errs {
		switch {
		case err == nil:
			return nil
		case errors.Is(err, tlsfiles.ErrSettings):
			return err
		case refused == nil && files.Refused(err):
			refused = fmt.Errorf("etcd at %s: %w", c.etcd[i], err)
		}
	}
	return refused
}

// plainHint is a word on members that were asked without TLS and speak it.
func (c *connection) plainHint(ctx context.Context) string {
	if c.etcdOverTLS() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, etcdProbe)
	defer cancel()
	for _, e := range c.etcd {
		// What is shown is not trusted, only that something is.
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		if nc, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(e, "http://")); err == nil {
			nc.Close()
			return "; " + e + " speaks TLS, its URL begins with https://"
		}
	}
	return ""
}

func (c *connection) openStore(ctx context.Context, log *slog.Logger, m s3segments.Observer) (*s3segments.Store, error) {
	return s3segments.OpenStore(ctx, s3segments.Config{
		URL: c.store, Cluster: c.cluster, Endpoint: c.endpoint, Region: c.region, PathStyle: c.pathStyle,
		AccessKey: c.accessKey, SecretKey: c.secretKey, DialTLS: c.storeTLS().Dial, Logger: log, Metrics: m,
		BeforeDelete: c.beforeDelete,
	})
}

// closeEtcd closes a client; that its context ended with it is no error.
func closeEtcd(cli *clientv3.Client) error {
	if err := cli.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close etcd client: %w", err)
	}
	return nil
}
