package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// Hosts are the machines that nodes run on.
type Hosts interface {
	// Hosts are those that are registered now, by id in order.
	Hosts(ctx context.Context) ([]fleet.Host, error)
	// Drain asks for everything to be moved away from a host, or no more.
	Drain(ctx context.Context, host string, drain bool) error
}

var errNoHost = errors.New("no such host is registered")

func (a *API) listHosts(r *request) (reply, error) {
	hosts, err := a.hosts.Hosts(r.Context())
	if err != nil {
		return reply{}, err
	}
	return ok(wire.List[fleet.Host]{Items: append([]fleet.Host{}, hosts...)}), nil
}

func (a *API) getHost(r *request) (reply, error) {
	hosts, err := a.hosts.Hosts(r.Context())
	if err != nil {
		return reply{}, err
	}
	for _, h := range hosts {
		if h.ID == r.PathValue("name") {
			return ok(h), nil
		}
	}
	return reply{}, fmt.Errorf("host %s: %w", r.PathValue("name"), errNoHost)
}

func (a *API) drain(on bool) handler {
	reason, message := "DrainRequested", "asked for everything to be moved away"
	if !on {
		reason, message = "UndrainRequested", "took back that everything is moved away"
	}
	return func(r *request) (reply, error) {
		if _, err := a.getHost(r); err != nil {
			return reply{}, err
		}
		host := r.PathValue("name")
		if err := a.hosts.Drain(r.Context(), host, on); err != nil {
			return reply{}, err
		}
		a.note(r, "hosts/"+host, reason, message)
		return a.getHost(r)
	}
}

func (a *API) failover(r *request) (reply, error) {
	name, err := r.name()
	if err != nil {
		return reply{}, err
	}
	f, err := r.optionalFields()
	if err != nil {
		return reply{}, err
	}
	var in wire.Failover
	problems := f.over(&in, false)
	if in.Shard < 0 {
		problems = append(problems, spec.Problem{Path: "shard", Message: "must be the number of a shard, from 0"})
	}
	if err := problems.Err(); err != nil {
		return reply{}, err
	}
	cluster, err := a.store.Clusters.Get(r.Context(), name)
	if err != nil {
		return reply{}, err
	}
	if in.Shard >= cluster.Spec.NumShards {
		return reply{}, spec.Problems{{Path: "shard", Message: fmt.Sprintf("there is no shard %d: the cluster has %d, numbered from 0", in.Shard, cluster.Spec.NumShards)}}
	}
	arguments := map[string]string{wire.ArgShard: strconv.Itoa(in.Shard)}
	if in.To != "" {
		arguments[wire.ArgTo] = in.To
	}
	op, err := a.store.Clusters.Request(r.Context(), r.by(), name, wire.OpFailover, arguments)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: op}, nil
}

func (a *API) getOperation(r *request) (reply, error) {
	op, err := a.store.Operations.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return ok(op), nil
}

func (a *API) listOperations(r *request) (reply, error) {
	return listNewest(r, a.store.Operations.List, func(o *wire.Operation) string { return o.ID })
}

func (a *API) listEvents(r *request) (reply, error) {
	return listNewest(r, a.store.Events.List, func(e *wire.Event) string { return e.ID })
}

// listNewest pages through what is listed from the newest on.
func listNewest[T any](r *request, list func(ctx context.Context, resource, before string, limit int) ([]T, bool, error), id func(*T) string) (reply, error) {
	after, limit, err := r.page("resource")
	if err != nil {
		return reply{}, err
	}
	items, more, err := list(r.Context(), r.URL.Query().Get("resource"), after, limit)
	if err != nil {
		return reply{}, err
	}
	page := wire.List[T]{Items: items}
	if more {
		page.Next = id(&items[len(items)-1])
	}
	return ok(page), nil
}

func (a *API) listTokens(r *request) (reply, error) {
	all, err := a.tokens.List(r.Context())
	if err != nil {
		return reply{}, err
	}
	return ok(wire.List[wire.Token]{Items: all}), nil
}

func (a *API) ownToken(r *request) (reply, error) { return ok(r.token), nil }

func (a *API) createToken(r *request) (reply, error) {
	f, err := r.fields()
	if err != nil {
		return reply{}, err
	}
	var n wire.NewToken
	if err := f.over(&n, false).Err(); err != nil {
		return reply{}, err
	}
	made, err := a.tokens.Create(r.Context(), r.by(), n)
	if err != nil {
		return reply{}, err
	}
	a.note(r, "tokens/"+made.ID, "TokenCreated", "created it, with role "+string(made.Role))
	return reply{status: http.StatusCreated, body: made}, nil
}

func (a *API) revokeToken(r *request) (reply, error) {
	id := r.PathValue("id")
	if err := a.tokens.Revoke(r.Context(), id); err != nil {
		return reply{}, err
	}
	a.note(r, "tokens/"+id, "TokenRevoked", "revoked it")
	return reply{status: http.StatusNoContent}, nil
}

// note makes an event of what has been done; that it cannot be noted undoes nothing.
func (a *API) note(r *request, resource, reason, message string) {
	err := a.store.Events.Add(r.Context(), wire.Event{Resource: resource, Type: wire.Normal, Reason: reason, Message: r.by() + " " + message})
	if err != nil {
		a.log.Warn("an event was not noted", "request", r.id, "resource", resource, "reason", reason, "err", err)
	}
}
