package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/node"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/snapshot"
)

const (
	defaultDir = "./redoubt-data"
	// reachTimeout is how long a command waits for etcd's first answer.
	reachTimeout = 5 * time.Second
	// devPoll is how often it is looked whether a dev still runs.
	devPoll = 500 * time.Millisecond
)

// errDevStopped: the dev that was worked on runs no more.
var errDevStopped = errors.New("redoubt dev has stopped")

// targetHelp ends the help of every command that has a target.
const targetHelp = `The data is that of a running "redoubt dev", found by its directory (--dir), or of
a real cluster, named by --cluster, --etcd and --store. These flags are also read
from the environment (REDOUBT_CLUSTER, REDOUBT_ETCD, ...) and from the file that
--config names, which may be a node's. AWS credentials come from the usual places.`

// target says which shard of which cluster a command works on.
type target struct {
	dir     string
	shard   int
	conn    connection
	noEtcd  bool // the command does without etcd
	noStore bool // the command does without object storage
	devPID  int  // of the dev that is worked on; 0: a real cluster
	sources *sources
	log     *slog.Logger
}

// addTarget gives a command the flags that choose its target, and the reading
// of the environment and the configuration file before it runs.
func addTarget(cmd *cobra.Command) *target {
	t := &target{log: slog.New(slog.DiscardHandler)}
	set := pflag.NewFlagSet("target", pflag.ContinueOnError)
	set.StringVar(&t.dir, "dir", defaultDir, "directory of a running redoubt dev")
	set.IntVar(&t.shard, "shard", 0, "number of the shard")
	set.String(configFlag, "", "YAML file with values of flags, by their names")
	t.conn.addFlags(set)
	t.sources = newSources(set, nodeFlagNames()...)
	showApart(cmd, set, "Flags for where the data is:")
	cmd.Flags().AddFlagSet(set)
	cmd.Long = strings.TrimSpace(cmd.Long) + "\n\n" + targetHelp
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := t.sources.fill(cmd); err != nil {
			return err
		}
		return t.resolve(cmd)
	}
	return t
}

// showApart shows a command's own flags, which it must have by now, and those of
// a set apart from each other, the latter below a heading.
func showApart(cmd *cobra.Command, set *pflag.FlagSet, heading string) {
	cmd.InitDefaultHelpFlag()
	set.SortFlags = false
	const all = "{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), all,
		strings.TrimRight(cmd.Flags().FlagUsages(), "\n")+"\n\n"+heading+"\n"+strings.TrimRight(set.FlagUsages(), "\n"), 1))
}

// resolve fills in the connection to a running dev, unless a cluster is named.
func (t *target) resolve(cmd *cobra.Command) error {
	if t.shard < 0 || t.shard > 9999 {
		return usagef(cmd, "--shard must be between 0 and 9999, not %d", t.shard)
	}
	if err := t.conn.check(cmd); err != nil {
		return err
	}
	useDir, err := chooseTarget(t.sources.from)
	if err != nil {
		return usagef(cmd, "%w", err)
	}
	if !useDir {
		if missing := t.conn.missing(!t.noEtcd, !t.noStore); len(missing) > 0 {
			return usagef(cmd, "a real cluster needs %s as well", strings.Join(missing, ", "))
		}
		return nil
	}
	e, err := dev.ReadEndpoints(t.dir)
	if errors.Is(err, dev.ErrNotRunning) {
		return fmt.Errorf("%w.\nStart it with `redoubt dev --dir %s`, give the directory of another with --dir,\nor name a real cluster with --cluster, --etcd and --store", err, t.dir)
	}
	if err != nil {
		return err
	}
	t.devPID = e.PID
	s := e.StoreConfig()
	t.conn = connection{
		cluster: e.Cluster, etcd: e.Etcd, store: s.URL, endpoint: s.Endpoint, region: s.Region,
		pathStyle: s.PathStyle, accessKey: s.AccessKey, secretKey: s.SecretKey,
	}
	return nil
}

// chooseTarget decides whether the directory of a dev or a cluster is meant:
// what is given closer to the command line wins.
func chooseTarget(from map[string]source) (useDir bool, err error) {
	cluster := max(from["cluster"], from["etcd"], from["store"])
	switch dir := from["dir"]; {
	case cluster == fromDefault || dir > cluster:
		return true, nil
	case dir == cluster:
		return false, errors.New("--dir means a redoubt dev, --cluster, --etcd and --store mean a real cluster: give one or the other")
	}
	return false, nil
}

// session is an open target.
type session struct {
	*target
	etcd  *clientv3.Client  // nil when the command does without
	store *s3segments.Store // nil when the command does without
}

// open connects and makes sure that etcd answers.
func (t *target) open(ctx context.Context) (*session, error) {
	s := &session{target: t}
	var err error
	if err := s.fenceDeletions(os.Getenv(reconcile.FenceEnv)); err != nil {
		return nil, err
	}
	if !t.noStore {
		if s.store, err = t.conn.openStore(ctx, t.log, nil); err != nil {
			return nil, err
		}
	}
	if t.noEtcd {
		return s, nil
	}
	if s.etcd, err = t.conn.dialEtcd(ctx); err != nil {
		return nil, err
	}
	rctx, cancel := context.WithTimeoutCause(ctx, reachTimeout, fmt.Errorf("no answer within %v", reachTimeout))
	defer cancel()
	if _, err := s.fence().State(rctx); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd at %s: %w%s", strings.Join(t.conn.etcd, ", "), err, t.conn.plainHint(ctx)), s.close())
	}
	return s, nil
}

// fenceDeletions lets objects be deleted only while the control plane is elected that this
// is a child of. "": it is none.
func (s *session) fenceDeletions(text string) error {
	if text == "" {
		return nil
	}
	f, err := reconcile.ParseFence(text)
	if err != nil {
		return fmt.Errorf("%s: %w", reconcile.FenceEnv, err)
	}
	s.conn.beforeDelete = func(ctx context.Context) error {
		if s.etcd == nil {
			return fmt.Errorf("%w: this command does not ask etcd", f.Lost())
		}
		return f.Check(ctx, s.etcd)
	}
	return nil
}

// fence is the shard in etcd.
func (s *session) fence() *etcdfence.Shard {
	o := etcdfence.Options{Logger: s.log}
	if s.store != nil {
		o.Spill = s.segments()
	}
	return etcdfence.Open(s.etcd, s.conn.cluster, s.shard, o)
}

// segments is the shard in object storage.
func (s *session) segments() *s3segments.Shard { return s3segments.NewShard(s.store, s.shard) }

// state is what etcd knows of the shard; an error when it does not know it.
func (s *session) state(ctx context.Context) (etcdfence.State, error) {
	st, err := s.fence().State(ctx)
	if err == nil && !st.Initialized {
		err = fmt.Errorf("cluster %s has no shard %d: %w", s.conn.cluster, s.shard, errNotFound)
	}
	return st, err
}

// on is the session for another shard.
func (s *session) on(shard int) *session {
	t := *s.target
	t.shard = shard
	return &session{target: &t, etcd: s.etcd, store: s.store}
}

// repo is the cluster's snapshots.
func (s *session) repo() *snapshot.Repo {
	return snapshot.Open(s.store, s.conn.cluster, snapshot.Options{Version: node.Version(), Logger: s.log})
}

// whileRunning ends with ctx, and when the dev that is worked on has stopped: its
// etcd will not come back at the same address.
func (s *session) whileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.devPID == 0 {
		return ctx, func() { cancel(nil) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(devPoll)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if e, err := dev.ReadEndpoints(s.dir); errors.Is(err, dev.ErrNotRunning) || err == nil && e.PID != s.devPID {
				cancel(errDevStopped)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

func (s *session) close() error {
	if s.etcd == nil {
		return nil
	}
	return closeEtcd(s.etcd)
}

// withTarget is the RunE of a command that works on an open target.
func withTarget(t *target, run func(*cobra.Command, *session, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		s, err := t.open(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		return run(cmd, s, args)
	}
}
