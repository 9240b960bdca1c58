package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/redoubtdb/redoubt/control/agent"
	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/backup"
	"github.com/redoubtdb/redoubt/control/plane"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/bytesize"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/node"
)

const (
	// loopback is what the API and the nodes of further clusters listen on, whatever
	// Config.Bind says: such a cluster may let in everybody.
	loopback = "127.0.0.1"
	// engineVersion is what the nodes of further clusters run: the program of the dev,
	// whichever that is at the time. With its version for a name, a cluster would not
	// start after the program was built anew.
	engineVersion = "devel"
	apiDir        = "api"
	hostsDir      = "hosts"
	tokenName     = "token"
)

// zones are the availability zones that there is a host in each of, so that
// replicas have somewhere to go.
var zones = []string{"a", "b", "c"}

// control is the control plane of a Dev and its host agents.
type control struct {
	certificate *tlsfiles.Keeper
	server      *api.Server
	agents      []*agent.Agent

	stopPlane, stopAgents context.CancelFunc // nil: not started
	planes, running       sync.WaitGroup

	mu   sync.Mutex
	errs []error // of agents' ends
}

// startControl runs the hosts, and when they are known, the API and the reconciler.
func (d *Dev) startControl(ctx context.Context) error {
	if !d.cfg.Control {
		return nil
	}
	d.control = &control{}
	env, err := d.childEnv()
	if err != nil {
		return err
	}
	if err := d.startAgents(ctx, env); err != nil {
		return err
	}
	return d.startPlane(ctx, env)
}

func (d *Dev) startAgents(ctx context.Context, env []string) error {
	actx, cancel := context.WithCancel(context.Background())
	d.control.stopAgents = cancel
	ports := (d.cfg.LastNodePort - d.cfg.FirstNodePort + 1) / len(zones)
	for i, az := range zones {
		first := d.cfg.FirstNodePort + i*ports
		host := "laptop-" + az
		a, err := agent.Open(agent.Config{
			HostID: host, AZ: az, Address: loopback, Memory: bytesize.Size(node.AvailableMemory()) / 2 / bytesize.Size(len(zones)),
			FirstPort: first, LastPort: first + ports - 1, Dir: filepath.Join(d.cfg.Dir, hostsDir, az),
			Engines: agent.Engines{Own: d.cfg.Program, OwnVersion: engineVersion}, Version: node.Version(),
			Etcd: d.etcd.client, NodeFlags: d.nodeFlags(), NodeEnv: env,
			// Without this process there is no etcd: what it leaves running is of no use.
			StopNodes: true, EndLeft: true, NoGroups: true,
			Logger: d.cfg.Logger, Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"host": host}, d.registry),
		})
		if err != nil {
			return fmt.Errorf("dev: host %s: %w", host, err)
		}
		d.control.agents = append(d.control.agents, a)
		d.control.running.Go(func() {
			err := a.Run(actx)
			if actx.Err() == nil {
				d.fail(fmt.Errorf("dev: the agent of host %s ended: %w", host, err))
				return
			}
			d.control.mu.Lock()
			defer d.control.mu.Unlock()
			d.control.errs = append(d.control.errs, err)
		})
	}
	return d.await(ctx, func(context.Context) (bool, error) {
		for _, a := range d.control.agents {
			if a.Healthy() != nil {
				return false, nil
			}
		}
		return true, nil
	})
}

// nodeFlags are those with which nodes of further clusters reach etcd and S3.
func (d *Dev) nodeFlags() map[string]any {
	return map[string]any{
		"etcd": d.endpoints.Etcd, "store": d.endpoints.S3.URL(), "store-endpoint": d.endpoints.S3.Endpoint,
		"store-path-style": true, "region": d.endpoints.S3.Region,
	}
}

// childEnv is what child processes have in their environment to find the S3
// endpoint's keys, and nothing of the user's own.
func (d *Dev) childEnv() ([]string, error) {
	file, err := filepath.Abs(filepath.Join(d.cfg.Dir, credentialsName))
	if err != nil {
		return nil, fmt.Errorf("dev: %w", err)
	}
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			env = append(env, name+"=")
		}
	}
	return append(env, "AWS_SHARED_CREDENTIALS_FILE="+file, "AWS_CONFIG_FILE="+os.DevNull), nil
}

func (d *Dev) startPlane(ctx context.Context, env []string) error {
	flags := d.nodeFlags()
	p, err := plane.Open(ctx, plane.Config{
		ID: "dev", Etcd: d.etcd.client, Reserved: []string{Cluster}, Logger: d.cfg.Logger, Metrics: d.registry,
		Backup: backup.Config{
			Program: d.cfg.Program, Env: env, Store: d.endpoints.StoreConfig(),
			Args: []string{
				"--etcd", strings.Join(d.endpoints.Etcd, ","), "--store", fmt.Sprint(flags["store"]),
				"--store-endpoint", d.endpoints.S3.Endpoint, "--store-path-style", "--region", d.endpoints.S3.Region,
			},
		},
	})
	if err != nil {
		return fmt.Errorf("dev: control plane: %w", err)
	}
	if err := d.serveAPI(ctx, p.API()); err != nil {
		return err
	}
	pctx, cancel := context.WithCancel(context.Background())
	d.control.stopPlane = cancel
	d.control.planes.Go(func() {
		err := p.Reconcile(pctx)
		if pctx.Err() == nil {
			d.fail(fmt.Errorf("dev: the control plane ended: %w", err))
		}
	})
	return nil
}

// serveAPI serves the API with a certificate and a token that are the directory's.
func (d *Dev) serveAPI(ctx context.Context, a *api.API) error {
	dir, err := filepath.Abs(d.cfg.Dir)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	cert, key, err := api.SelfSigned(filepath.Join(dir, apiDir), []string{"localhost", loopback, "::1"}, nil, d.cfg.Logger)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	if d.control.certificate, err = tlsfiles.Keep(tlsfiles.Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, 0, d.cfg.Logger); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	d.endpoints.API = &API{CAFile: cert, TokenFile: filepath.Join(dir, tokenName)}
	if err := d.makeToken(ctx, d.endpoints.API.TokenFile); err != nil {
		return err
	}
	addr := net.JoinHostPort(loopback, strconv.Itoa(d.cfg.APIPort))
	if d.control.server, err = api.Serve(ctx, addr, a, d.control.certificate.Config, d.cfg.Logger); err != nil {
		return listenError(err, "--api-port", d.cfg.APIPort)
	}
	d.endpoints.API.URL = "https://" + d.control.server.Addr()
	ended := make(chan error, 1)
	d.control.planes.Go(func() {
		<-d.control.server.Done()
		ended <- errors.New("it serves no more")
	})
	d.watch(ended, "API")
	return nil
}

// makeToken makes the administrator's token, unless the one in the file is good.
func (d *Dev) makeToken(ctx context.Context, file string) error {
	tokens := token.Open(d.etcd.client)
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("dev: %w", err)
	}
	if err == nil {
		t, err := tokens.Authenticate(ctx, strings.TrimSpace(string(b)))
		if err == nil && t.Role == wire.Admin {
			return nil
		}
		if err != nil && !errors.Is(err, token.ErrInvalid) {
			return fmt.Errorf("dev: look at the token in %s: %w", file, err)
		}
	}
	made, err := tokens.Create(ctx, "redoubt dev", wire.NewToken{Role: wire.Admin, Description: "of redoubt dev, in " + file})
	if err != nil {
		return fmt.Errorf("dev: make a token: %w", err)
	}
	return writeFile(file, []byte(string(made.Secret)+"\n"))
}

// stop ends the control plane first: to one that runs, hosts that go are hosts that
// died. The nodes hand over and stop with their agents.
func (c *control) stop() error {
	var errs []error
	if c.stopPlane != nil {
		c.stopPlane()
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	}
	c.planes.Wait()
	if c.stopAgents != nil {
		c.stopAgents()
	}
	c.running.Wait()
	errs = append(errs, c.errs...)
	for _, a := range c.agents {
		if left := a.Running(); len(left) > 0 {
			errs = append(errs, fmt.Errorf("dev: nodes go on running: %s", strings.Join(left, ", ")))
		}
		errs = append(errs, a.Close())
	}
	if c.certificate != nil {
		errs = append(errs, c.certificate.Close())
	}
	return errors.Join(errs...)
}
