package api

import (
	"reflect"

	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Route is a route, for tests.
type Route struct {
	Method, Path string
	Role         wire.Role
}

// Routes are all there are.
func Routes() []Route {
	var all []Route
	for _, r := range New(Config{Store: &store.Store{}}).table {
		all = append(all, Route{r.method, r.path, r.role})
	}
	return all
}

// Health is what /healthz answers.
var Health = reflect.TypeFor[healthy]()

// ParseFields is the reading of a body.
func ParseFields(body []byte) (map[string]string, error) {
	f, err := parseFields(body)
	out := map[string]string{}
	for k, v := range f {
		out[k] = string(v)
	}
	return out, err
}

// Bounds that tests need.
const (
	MaxBody  = maxBody
	MaxDepth = maxDepth
	Failures = failures
)
