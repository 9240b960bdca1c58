package api

import (
	"net/http"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// route is one thing that can be asked for.
type route struct {
	method, path string
	role         wire.Role // that the token must have; "": none is needed
	handle       handler
}

// handler answers a request: with a status and a value, or with an error.
type handler func(*request) (reply, error)

// reply is what a handler answers with.
type reply struct {
	status   int
	body     any
	version  int64  // of the resource in body, for ETag; 0: none
	location string // of what was made
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

// routes are all there are.
func (a *API) routes() []route {
	all := []route{
		{http.MethodGet, "/healthz", "", a.health},
		{http.MethodGet, "/v1/openapi.json", wire.Read, a.openAPI},
		{http.MethodPost, "/v1/clusters/{name}/failover", wire.Operate, a.failover},
		{http.MethodGet, "/v1/hosts", wire.Read, a.listHosts},
		{http.MethodGet, "/v1/hosts/{name}", wire.Read, a.getHost},
		{http.MethodPost, "/v1/hosts/{name}/drain", wire.Operate, a.drain(true)},
		{http.MethodPost, "/v1/hosts/{name}/undrain", wire.Operate, a.drain(false)},
		{http.MethodGet, "/v1/operations", wire.Read, a.listOperations},
		{http.MethodGet, "/v1/operations/{id}", wire.Read, a.getOperation},
		{http.MethodGet, "/v1/events", wire.Read, a.listEvents},
		{http.MethodGet, "/v1/tokens", wire.Admin, a.listTokens},
		{http.MethodPost, "/v1/tokens", wire.Admin, a.createToken},
		{http.MethodGet, "/v1/tokens/self", wire.Read, a.ownToken},
		{http.MethodDelete, "/v1/tokens/{id}", wire.Admin, a.revokeToken},
	}
	all = append(all, a.clusters().routes()...)
	all = append(all, a.users().routes()...)
	all = append(all, a.acls().routes()...)
	all = append(all, a.parameterGroups().routes()...)
	all = append(all, plain(wire.Snapshots, a.store.Snapshots, func(s *spec.Snapshot) *string { return &s.Name }).routes()...)
	return all
}
