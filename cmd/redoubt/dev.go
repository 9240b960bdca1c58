package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/internal/recovery"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

const devLong = `Runs a whole Redoubt in one process, without any configuration: etcd, an S3
endpoint, a primary and its replicas, which talk only through etcd and S3 as they
do in production. All data is in one directory. It serves once it has printed where.

A control plane runs inside, with a host in each of three zones: "redoubt cluster",
"redoubt user" and so on find it by the directory, Terraform by what is printed. The
nodes of the clusters that it makes are processes of their own, on ports of 127.0.0.1
(--node-ports). They stop with dev, and the next dev on the directory starts them
again. When dev was killed, they run on, to no avail, until the next one ends them.

Ctrl-C hands over and stops; kill -9, at any moment, loses nothing that was
acknowledged. Start it again with the same --dir and everything is there. Removing
the directory removes the data.

If etcd's part of the directory is lost and the objects in s3/ are not, --recover
rebuilds the data of the first cluster from them, up to the last segment that was
sealed ("redoubt recover" does the same for others). --import begins
a new directory with the data of a redis-server's dump.rdb.

--tls serves clients over TLS beside the plain ports. The certificates come from an
authority that is made in tls/ of the directory; its certificate, tls/ca.crt, is what
clients are told to trust. They need not show one themselves.

` + exitHelp

const devExample = `  redoubt dev
  redoubt dev --dir /tmp/try --port 7000 --replicas 2 --s3-port 9100
  redoubt dev --dir /tmp/copy --import dump.rdb
  redoubt dev --tls --tls-port 7443
  redoubt dev --segment-age 1s --log-level info`

// slowStart is when a start that takes long is worth a word.
const slowStart = 3 * time.Second

func newDev() *cobra.Command {
	var c dev.Config
	segmentSize, headLimit := byteSize(s3segments.DefaultSegmentSize), byteSize(etcdfence.DefaultHeadLimit)
	var logLevel, nodePorts string
	cmd := &cobra.Command{
		Use: "dev", Short: "Run a whole Redoubt in one process, on this machine",
		Long: devLong, Example: devExample, Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.Dir, "dir", defaultDir, "directory for the data")
	f.IntVar(&c.Port, "port", 6379, "port of the first node; replicas get the next ones")
	f.IntVar(&c.Replicas, "replicas", 1, "replicas beside the primary")
	f.BoolVar(&c.TLS, "tls", false, "serve clients over TLS as well, with certificates made in the directory")
	f.IntVar(&c.TLSPort, "tls-port", 7379, "port over TLS of the first node; replicas get the next ones; 0: free ones")
	f.IntVar(&c.S3Port, "s3-port", 9000, "port of the S3 endpoint")
	f.IntVar(&c.MetricsPort, "metrics-port", 0, "port for /metrics and /healthz; 0: none")
	f.IntVar(&c.APIPort, "api-port", 8443, "port of the control plane's API, on 127.0.0.1; 0: no control plane")
	f.StringVar(&nodePorts, "node-ports", "6500-6559", "ports on 127.0.0.1 for nodes of clusters that the control plane makes")
	f.StringVar(&c.Bind, "bind", "127.0.0.1", "address to listen on")
	f.Var(&segmentSize, "segment-size", "bytes of log that are sealed into a segment")
	f.DurationVar(&c.SegmentAge, "segment-age", s3segments.DefaultSegmentAge, "age at which entries are sealed all the same")
	f.Var(&headLimit, "head-limit", "bytes of log that etcd may hold; writes are refused beyond")
	f.DurationVar(&c.LeaseTTL, "lease-ttl", etcdfence.DefaultLeaseTTL, "how long a dead primary keeps the shard")
	f.StringVar(&c.RequirePass, "requirepass", "", "password that clients must AUTH with")
	f.StringVar(&c.EnableDebugCommand, "enable-debug-command", "no", "allow DEBUG: no, yes or local")
	f.BoolVar(&c.Recover, "recover", false, "rebuild the data from s3/ when etcd/ was lost")
	f.StringSliceVar(&c.Import, "import", nil, "RDB files to begin with, in a new directory")
	f.StringVar(&logLevel, "log-level", "warn", "debug, info, warn or error")
	// The variable by which the other commands find the directory. No others: a
	// Kubernetes service called redoubt sets REDOUBT_PORT to something else.
	src := sourcesOf("dir")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := src.fill(cmd); err != nil {
			return err
		}
		log, err := newLogger(cmd.ErrOrStderr(), logLevel, "text")
		if err != nil {
			return usagef(cmd, "%w", err)
		}
		c.Logger = log
		c.SegmentSize, c.HeadLimit = int64(segmentSize), int64(headLimit)
		c.Metrics, c.Control = c.MetricsPort != 0, c.APIPort != 0
		if c.FirstNodePort, c.LastNodePort, err = portRange(nodePorts); err != nil {
			return usagef(cmd, "--node-ports: %w", err)
		}
		if c.Program, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		return runDev(cmd, c)
	}
	return cmd
}

func runDev(cmd *cobra.Command, c dev.Config) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	began := time.Now()
	slow := time.AfterFunc(slowStart, func() {
		fmt.Fprintf(cmd.ErrOrStderr(), "redoubt: still starting: reading the data of %s\n", c.Dir)
	})
	d, err := dev.Start(ctx, c)
	slow.Stop()
	if err != nil {
		return startError(ctx, err, c.Dir)
	}
	if r := d.Recovered(); r != nil {
		fmt.Fprintln(out, describeRecovery(r))
	}
	if in := d.Imported(); in != nil {
		describeImport(out, in, time.Since(began))
	}
	printWelcome(out, d, c, time.Since(began))
	select {
	case <-ctx.Done():
		fmt.Fprintln(cmd.ErrOrStderr(), "redoubt: stopping")
		return d.Close()
	case <-d.Failed():
		return errors.Join(d.Err(), d.Close())
	}
}

// startError adds what to do about it.
func startError(ctx context.Context, err error, dir string) error {
	if errors.Is(err, snapshot.ErrDataLeft) {
		return fmt.Errorf("%w.\nThe log head in %s is gone. To rebuild the data from the objects in %s, up to the\nlast sealed segment, start with --recover. To start empty, remove the directory",
			err, filepath.Join(dir, "etcd"), filepath.Join(dir, "s3"))
	}
	if errors.Is(err, recovery.ErrKnown) {
		return fmt.Errorf("%w.\nThe directory %s has data: start without --import and --recover, or choose another with --dir", err, dir)
	}
	return ignoreCanceled(ctx, err)
}

// printWelcome says where everything is, in lines to copy. What is kept in files is named
// by them: a terminal is scrolled back in, and copied from.
func printWelcome(w io.Writer, d *dev.Dev, c dev.Config, took time.Duration) {
	e := d.Endpoints()
	fmt.Fprintf(w, "Redoubt %s is ready after %s. Data is in %s\n\n", e.Version, span(took), c.Dir)
	var rows [][]string
	roles := d.Roles()
	for i, n := range e.Nodes {
		rows = append(rows, []string{"  " + roles[i].String(), n.ID, n.Address, cliCommand(n.Address, "", c.RequirePass, roles[i])})
		if n.TLSAddress != "" {
			rows = append(rows, []string{"", "over TLS", n.TLSAddress, cliCommand(n.TLSAddress, e.TLSCA, c.RequirePass, roles[i])})
		}
	}
	rows = append(rows, []string{"  etcd", "", strings.TrimPrefix(e.Etcd[0], "http://"), ""})
	rows = append(rows, []string{"  s3", "", strings.TrimPrefix(e.S3.Endpoint, "http://"), e.S3.URL()})
	if e.API != nil {
		rows = append(rows, []string{"  api", "", strings.TrimPrefix(e.API.URL, "https://"), programName() + " cluster ls" + dirFlag(c.Dir)})
	}
	if e.Metrics != "" {
		rows = append(rows, []string{"  metrics", "", strings.TrimSuffix(strings.TrimPrefix(e.Metrics, "http://"), "/metrics"), "curl " + e.Metrics})
	}
	_ = table(w, rows) // stdout is gone: nobody reads the rest either
	fmt.Fprintf(w, `
List what is in object storage:
  AWS_SHARED_CREDENTIALS_FILE=%s AWS_REGION=%s \
    aws --profile default --endpoint-url %s s3 ls --recursive %s/

In another terminal:
  %[6]s status%[5]s
  %[6]s snapshot create%[5]s --name first
  %[6]s failover%[5]s
`, shellQuote(e.S3.CredentialsFile), e.S3.Region, e.S3.Endpoint, e.S3.URL(), dirFlag(c.Dir), programName())
	if e.API != nil {
		printAPI(w, e.API, dirFlag(c.Dir))
	}
	fmt.Fprint(w, "\nCtrl-C stops it; nothing that was acknowledged is lost, not even by kill -9.\n")
	if ip := net.ParseIP(c.Bind); c.RequirePass == "" && ip != nil && !ip.IsLoopback() {
		fmt.Fprintf(w, "\nWarning: on %s only clients of this machine are let in as long as there is no password; give --requirepass.\n", c.Bind)
	}
}

// printAPI says how another cluster is made.
func printAPI(w io.Writer, a *dev.API, dir string) {
	fmt.Fprintf(w, `
Make another cluster:
  %s cluster create%s shop --node-memory 256MiB --acl-name open-access --tls-enabled=false --wait

Or by Terraform, with this to paste:
provider "redoubt" {
  endpoint = %s
  ca_file  = %s
  token    = trimspace(file(%s))
}

or, where no provider block says so, with these in the environment:
  export REDOUBT_API=%s REDOUBT_API_CA=%s
  export REDOUBT_TOKEN=$(cat %s)
`, programName(), dir, hclString(a.URL), hclString(a.CAFile), hclString(a.TokenFile),
		shellQuote(a.URL), shellQuote(a.CAFile), shellQuote(a.TokenFile))
}

// hclString is a string as Terraform reads it.
func hclString(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}

// programName is how to run this program once more: `go run` leaves nothing on
// the search path.
func programName() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/redoubt"
	}
	return "redoubt"
}

// cliCommand is a redis-cli command for a node, over TLS if ca names a file.
func cliCommand(addr, ca, password string, role node.Role) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	cmd := "redis-cli -p " + port
	if host != "127.0.0.1" {
		cmd = "redis-cli -h " + host + " -p " + port
	}
	if ca != "" {
		cmd += " --tls --cacert " + shellQuote(ca)
	}
	if password != "" { // not as an argument, which everybody on the machine can see
		cmd = "REDISCLI_AUTH=" + shellQuote(password) + " " + cmd
	}
	if role != node.RolePrimary {
		cmd += "    (reads, after READONLY)"
	}
	return cmd
}

// dirFlag is the flag that names a directory, "" for the default.
func dirFlag(dir string) string {
	if filepath.Clean(dir) == filepath.Clean(defaultDir) {
		return ""
	}
	return " --dir " + shellQuote(dir)
}

// shellQuote quotes a word for a POSIX shell where it needs it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
