package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// What is asked for of users, ACLs and parameter groups is all that is kept of them.
// Their statuses follow from the clusters' at each look, so they cannot be out of date.

// applied is what was written for a cluster's nodes.
type applied struct {
	cluster spec.Cluster
	at      map[string]time.Time
	leaving bool // nothing more is written for one that is being deleted
}

// phase is that of a resource whose last change was at some time: what a cluster's nodes
// were told of it before is another. A cluster that has not had it is itself changing.
func phase(resource string, updated time.Time, clusters []applied) spec.Phase {
	for _, c := range clusters {
		if at, ok := c.at[resource]; ok && !c.leaving && !at.Equal(updated) {
			return spec.Modifying
		}
	}
	return spec.Active
}

// allApplied reads it of every cluster.
func (a *API) allApplied(ctx context.Context) ([]applied, error) {
	all, err := a.store.Clusters.All(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]applied, len(all))
	for i, c := range all {
		var s spec.ClusterStatus
		_ = json.Unmarshal(c.Status, &s) // absent at first; what a newer control plane says otherwise is left out
		out[i] = applied{cluster: c.Spec, at: s.Applied, leaving: c.Deleting != nil}
	}
	return out, nil
}

// setStatus is the status of a set that clusters name.
func setStatus(kind, name string, updated time.Time, all []applied, names func(*spec.Cluster) string) spec.SetStatus {
	s := spec.SetStatus{Clusters: []string{}}
	var with []applied
	for _, c := range all {
		if names(&c.cluster) == name {
			with = append(with, c)
			s.Clusters = append(s.Clusters, c.cluster.Name)
		}
	}
	s.Status = phase(kind+"/"+name, updated, with)
	return s
}

func (a *API) aclStatus(ctx context.Context) (func(*wire.Resource[spec.ACL]) any, error) {
	all, err := a.allApplied(ctx)
	return func(r *wire.Resource[spec.ACL]) any {
		return setStatus(wire.ACLs, r.Spec.Name, r.Updated, all, func(c *spec.Cluster) string { return c.ACLName })
	}, err
}

func (a *API) groupStatus(ctx context.Context) (func(*wire.Resource[spec.ParameterGroup]) any, error) {
	all, err := a.allApplied(ctx)
	return func(r *wire.Resource[spec.ParameterGroup]) any {
		return setStatus(wire.ParameterGroups, r.Spec.Name, r.Updated, all, func(c *spec.Cluster) string { return c.ParameterGroupName })
	}, err
}

func (a *API) userStatus(ctx context.Context) (func(*wire.Resource[spec.User]) any, error) {
	all, err := a.allApplied(ctx)
	if err != nil {
		return nil, err
	}
	acls, err := a.store.ACLs.All(ctx)
	if err != nil {
		return nil, err
	}
	in := map[string][]string{}
	for _, acl := range acls {
		for _, u := range acl.Spec.UserNames {
			in[u] = append(in[u], acl.Spec.Name)
		}
	}
	return func(r *wire.Resource[spec.User]) any {
		names := append([]string{}, in[r.Spec.Name]...)
		return spec.UserStatus{Status: phase(wire.Users+"/"+r.Spec.Name, r.Updated, all), ACLNames: names}
	}, nil
}
