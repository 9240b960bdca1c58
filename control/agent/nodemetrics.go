package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/internal/metricsserver"
)

// Routes are what an agent serves beside its own metrics: those of its nodes, which have
// no address of their own to be asked at but a socket in their folder.
//
//	GET /nodes                   the nodes, as Prometheus's HTTP service discovery wants it
//	GET /nodes/<name>/metrics    what the node exports
//	GET /nodes/<name>/healthz    whether it serves
func (a *Agent) Routes() []metricsserver.Route {
	n := nodeMetrics{dir: a.nodes, host: a.cfg.HostID}
	proxy := n.proxy()
	return []metricsserver.Route{
		{Pattern: "GET /nodes", Handler: http.HandlerFunc(n.list)},
		{Pattern: "GET /nodes/{node}/metrics", Handler: proxy},
		{Pattern: "GET /nodes/{node}/healthz", Handler: proxy, Health: true},
	}
}

type nodeMetrics struct {
	dir  string // of nodes
	host string
}

// target is an entry of Prometheus's HTTP service discovery.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func (n nodeMetrics) list(w http.ResponseWriter, r *http.Request) {
	sockets, err := filepath.Glob(folder(filepath.Join(n.dir, "*")).metrics())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	all := []target{}
	for _, s := range sockets {
		node := filepath.Base(filepath.Dir(s))
		all = append(all, target{
			Targets: []string{r.Host},
			Labels:  map[string]string{"__metrics_path__": "/nodes/" + node + "/metrics", "instance": node, "host": n.host},
		})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // whoever asked has gone
}

// proxy asks the node that the path names.
func (n nodeMetrics) proxy() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.PathValue("node")
			r.Out.URL.Path = "/" + filepath.Base(r.In.URL.Path)
		},
		Transport: &http.Transport{
			DisableKeepAlives: true, // scrapes are seconds apart, and the node may be another process by then
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				node, _, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return new(net.Dialer).DialContext(ctx, "unix", folder(filepath.Join(n.dir, node)).metrics())
			},
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the node does not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		node := r.PathValue("node")
		if fleet.CheckNode(node) != nil {
			http.NotFound(w, r)
			return
		}
		if _, err := os.Stat(folder(filepath.Join(n.dir, node)).metrics()); errors.Is(err, fs.ErrNotExist) {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}
