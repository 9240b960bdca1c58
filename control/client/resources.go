package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Resources are those of one kind: In is how they are asked for, Out how they are
// shown.
type Resources[In, Out any] struct {
	c    *Client
	kind string
}

// Get reads one.
func (r *Resources[In, Out]) Get(ctx context.Context, name string) (*wire.Resource[Out], error) {
	return r.send(ctx, call{method: http.MethodGet, path: []string{r.kind, name}})
}

// List reads all, by name in order.
func (r *Resources[In, Out]) List(ctx context.Context) ([]wire.Resource[Out], error) {
	return pages[wire.Resource[Out]](ctx, r.c, r.kind, nil, 0)
}

// Create makes one. The resource that is returned names the operation to wait for.
func (r *Resources[In, Out]) Create(ctx context.Context, in In) (*wire.Resource[Out], error) {
	return r.send(ctx, call{method: http.MethodPost, path: []string{r.kind}, body: in, key: uuid.NewString()})
}

// Update replaces all that is asked for, if the resource is at that version;
// ConflictError if not. When nothing changes there is no operation.
func (r *Resources[In, Out]) Update(ctx context.Context, name string, version int64, in In) (*wire.Resource[Out], error) {
	return r.send(ctx, call{method: http.MethodPut, path: []string{r.kind, name}, body: in, version: version})
}

// Patch changes some fields, by their names in JSON, and is else like Update.
func (r *Resources[In, Out]) Patch(ctx context.Context, name string, version int64, fields map[string]any) (*wire.Resource[Out], error) {
	return r.send(ctx, call{method: http.MethodPatch, path: []string{r.kind, name}, body: fields, version: version})
}

// Delete deletes one, whichever version it has. Clusters and snapshots are gone when the
// operation is done.
func (r *Resources[In, Out]) Delete(ctx context.Context, name string) (*wire.Resource[Out], error) {
	return r.send(ctx, call{method: http.MethodDelete, path: []string{r.kind, name}})
}

func (r *Resources[In, Out]) send(ctx context.Context, k call) (*wire.Resource[Out], error) {
	out := new(wire.Resource[Out])
	if err := r.c.do(ctx, k, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Clusters are resources with more to ask for.
type Clusters struct {
	Resources[spec.Cluster, spec.Cluster]
}

// DeleteWith is Delete with a final snapshot.
func (r *Clusters) DeleteWith(ctx context.Context, name string, d wire.DeleteCluster) (*wire.Resource[spec.Cluster], error) {
	return r.send(ctx, call{method: http.MethodDelete, path: []string{r.kind, name}, body: d})
}

// Failover asks for a planned hand-over of a shard.
func (r *Clusters) Failover(ctx context.Context, name string, f wire.Failover) (*wire.Operation, error) {
	op := new(wire.Operation)
	err := r.c.do(ctx, call{method: http.MethodPost, path: []string{r.kind, name, "failover"}, body: f}, op)
	return op, err
}

// pages reads a list; most 0: all of it.
func pages[T any](ctx context.Context, c *Client, kind string, query url.Values, most int) ([]T, error) {
	all := []T{}
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	q.Set("limit", strconv.Itoa(1000))
	if most > 0 && most < 1000 {
		q.Set("limit", strconv.Itoa(most))
	}
	for {
		var page wire.List[T]
		if err := c.do(ctx, call{method: http.MethodGet, path: []string{kind}, query: q}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" || most > 0 && len(all) >= most {
			return all, nil
		}
		q.Set("after", page.Next)
	}
}

// Hosts are the machines that are registered.
func (c *Client) Hosts(ctx context.Context) ([]fleet.Host, error) {
	return pages[fleet.Host](ctx, c, "hosts", nil, 0)
}

// Host is one of them.
func (c *Client) Host(ctx context.Context, id string) (*fleet.Host, error) {
	h := new(fleet.Host)
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"hosts", id}}, h)
	return h, err
}

// Drain asks for everything to be moved away from a host, or no more.
func (c *Client) Drain(ctx context.Context, id string, drain bool) (*fleet.Host, error) {
	verb := "drain"
	if !drain {
		verb = "undrain"
	}
	h := new(fleet.Host)
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"hosts", id, verb}}, h)
	return h, err
}

// Events are the newest of a resource (kind/name), of all when that is "", the newest
// first.
func (c *Client) Events(ctx context.Context, resource string, most int) ([]wire.Event, error) {
	return pages[wire.Event](ctx, c, "events", about(resource), most)
}

func about(resource string) url.Values {
	if resource == "" {
		return nil
	}
	return url.Values{"resource": {resource}}
}

// Tokens are all tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) ([]wire.Token, error) {
	return pages[wire.Token](ctx, c, "tokens", nil, 0)
}

// OwnToken is the one that this client has.
func (c *Client) OwnToken(ctx context.Context) (*wire.Token, error) {
	t := new(wire.Token)
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"tokens", "self"}}, t)
	return t, err
}

// CreateToken makes a token, which is shown this once.
func (c *Client) CreateToken(ctx context.Context, n wire.NewToken) (*wire.CreatedToken, error) {
	t := new(wire.CreatedToken)
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"tokens"}, body: n}, t)
	return t, err
}

// RevokeToken ends a token at once.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"tokens", id}}, nil)
}
