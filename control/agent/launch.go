package agent

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
)

// Shares of a node's memory, in percent. What is between them is for the buffers of
// clients, the log and the garbage collector.
const (
	dataShare = 70 // maxmemory, unless a parameter says otherwise
	heapShare = 90 // GOMEMLIMIT
)

// site is what all nodes of a host have in common.
type site struct {
	AZ      string
	Address string // told to clients
	Bind    string // listened on
	// FirstPort and LastPort are what nodes may serve on.
	FirstPort, LastPort int
	// Flags are those of `redoubt node` that name etcd and the object storage, and
	// what else is the same for all nodes, by name.
	Flags map[string]any
	Env   []string // of nodes, before what the agent's has
}

// address is where clients reach a node.
func (s site) address(a fleet.Assignment) string {
	return net.JoinHostPort(s.Address, strconv.Itoa(a.Port))
}

func (s site) listen(a fleet.Assignment) string {
	return net.JoinHostPort(s.Bind, strconv.Itoa(a.Port))
}

// check refuses what must not get near a folder, a command line or a port.
func (s site) check(a fleet.Assignment) error {
	if err := errors.Join(fleet.CheckNode(a.Node), etcdfence.CheckName(a.Cluster)); err != nil {
		return err
	}
	if a.Port < s.FirstPort || a.Port > s.LastPort {
		return fmt.Errorf("port %d is not one of this host's, %d-%d", a.Port, s.FirstPort, s.LastPort)
	}
	return nil
}

// own are the flags that follow from the assignment, in place of parameters.
func (s site) own(a fleet.Assignment, dir string) map[string]any {
	own := map[string]any{
		"cluster": a.Cluster, "shard": a.Shard, "node-id": a.Node, "az": s.AZ,
		"listen": s.listen(a), "announce": s.address(a),
		// Who may reach a node is for its network to say, who may log in for its users.
		"protected-mode": "no", "managed-users": a.Managed, "managed-parameters": a.Managed,
	}
	if socket := folder(dir).metrics(); s.Flags["metrics-listen"] == nil && len(socket) <= maxSocket {
		own["metrics-listen"] = metricsserver.UnixPrefix + socket
	}
	if a.TLS != nil {
		own["listen"] = net.JoinHostPort(s.Bind, "0") // TLS alone
		own["tls-port"] = a.Port
		own["tls-auth-clients"] = "no"
		own["tls-cert-file"] = filepath.Join(dir, certFile)
		own["tls-key-file"] = filepath.Join(dir, keyFile)
		if strings.HasSuffix(a.TLS.MinVersion, "1.3") {
			own["tls-protocols"] = "TLSv1.3"
		}
	}
	return own
}

// config is the content of a node's configuration file. Everything is there and
// nothing on the command line, which every user of the machine can read.
func (s site) config(a fleet.Assignment, dir string) ([]byte, error) {
	own := s.own(a, dir)
	values := map[string]any{}
	if a.Memory > 0 {
		values["maxmemory"] = strconv.FormatInt(share(a, dataShare), 10)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Parameters)) {
		_, isOwn := own[name]
		if _, isSite := s.Flags[name]; isOwn || isSite || name == "config" {
			return nil, fmt.Errorf("%s is no parameter", name)
		}
		values[name] = a.Parameters[name]
	}
	maps.Copy(values, s.Flags)
	maps.Copy(values, own)
	b, err := yaml.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("write the node's configuration: %w", err)
	}
	return b, nil
}

// args is a node's command line.
func args(configFile string) []string { return []string{"node", "--config", configFile} }

// environment is a node's, made from the agent's: without REDOUBT_ variables, which
// would go before the configuration file.
func (s site) environment(agent []string, a fleet.Assignment) []string {
	env := slices.DeleteFunc(slices.Clone(agent), func(kv string) bool {
		return strings.HasPrefix(kv, "REDOUBT_") || strings.HasPrefix(kv, "GOMEMLIMIT=")
	})
	env = append(env, s.Env...) // of two, the last one counts
	if a.Memory > 0 {
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(share(a, heapShare), 10))
	}
	return env
}

func share(a fleet.Assignment, percent int64) int64 { return int64(a.Memory) / 100 * percent }

// What a node shows to its clients; it reads these files again when they change.
const (
	certFile = "tls/cert.pem"
	keyFile  = "tls/key.pem"
)

// renewable tells whether a process that was started with one assignment is what
// another one says once it has that one's certificate.
func renewable(a, b fleet.Assignment) bool {
	return a.TLS != nil && b.TLS != nil && *a.TLS != *b.TLS && !needsRestart(a, b)
}
