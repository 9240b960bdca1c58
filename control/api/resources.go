package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// endpoint is the routes of one kind of resource: S is what is stored, In what is asked
// for and Out what is shown.
type endpoint[S, In, Out any] struct {
	kind  string
	store *store.Collection[S]
	name  func(*In) *string // where the name is
	blank func() In         // what a request is put over
	input func(*S) In       // what is stored, as it was asked for
	// build makes what is stored; was is nil when it is new.
	build func(r *request, was *S, in *In) (S, error)
	show  func(*S) Out
	// status answers with what the status of each is, as all of them are now; nil: what
	// is stored is.
	status func(context.Context) (func(*wire.Resource[S]) any, error)
}

// plain is an endpoint of a kind that is asked for, stored and shown alike.
func plain[S any](kind string, c *store.Collection[S], name func(*S) *string) *endpoint[S, S, S] {
	return &endpoint[S, S, S]{
		kind: kind, store: c, name: name,
		blank: func() (s S) { return s },
		input: func(s *S) S { return *s },
		build: func(_ *request, _ *S, in *S) (S, error) { return *in, nil },
		show:  func(s *S) S { return *s },
	}
}

func (e *endpoint[S, In, Out]) routes() []route {
	all, one := "/v1/"+e.kind, "/v1/"+e.kind+"/{name}"
	return []route{
		{http.MethodGet, all, wire.Read, e.list},
		{http.MethodPost, all, wire.Operate, e.create},
		{http.MethodGet, one, wire.Read, e.get},
		{http.MethodPut, one, wire.Operate, e.replace},
		{http.MethodPatch, one, wire.Operate, e.patch},
		{http.MethodDelete, one, wire.Operate, e.delete},
	}
}

// view is a resource as it is shown.
func (e *endpoint[S, In, Out]) view(r *wire.Resource[S]) *wire.Resource[Out] {
	return &wire.Resource[Out]{
		Version: r.Version, Spec: e.show(&r.Spec), Status: r.Status,
		Created: r.Created, Updated: r.Updated, Deleting: r.Deleting, Operation: r.Operation,
	}
}

func (e *endpoint[S, In, Out]) answer(status int, r *wire.Resource[S]) reply {
	return reply{status: status, body: e.view(r), version: r.Version}
}

// fill sets the statuses of what was read.
func (e *endpoint[S, In, Out]) fill(ctx context.Context, all []wire.Resource[S]) error {
	if e.status == nil {
		return nil
	}
	of, err := e.status(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Status, err = json.Marshal(of(&all[i])); err != nil {
			return fmt.Errorf("status of %s: %w", e.kind, err)
		}
	}
	return nil
}

func (e *endpoint[S, In, Out]) list(r *request) (reply, error) {
	after, limit, err := r.page()
	if err != nil {
		return reply{}, err
	}
	found, more, err := e.store.List(r.Context(), after, limit)
	if err != nil {
		return reply{}, err
	}
	if err := e.fill(r.Context(), found); err != nil {
		return reply{}, err
	}
	page := wire.List[wire.Resource[Out]]{Items: make([]wire.Resource[Out], len(found))}
	for i := range found {
		page.Items[i] = *e.view(&found[i])
	}
	if more {
		in := e.input(&found[len(found)-1].Spec)
		page.Next = *e.name(&in)
	}
	return ok(page), nil
}

func (e *endpoint[S, In, Out]) get(r *request) (reply, error) {
	name, err := r.name()
	if err != nil {
		return reply{}, err
	}
	found, err := e.store.Get(r.Context(), name)
	if err != nil {
		return reply{}, err
	}
	one := []wire.Resource[S]{*found}
	if err := e.fill(r.Context(), one); err != nil {
		return reply{}, err
	}
	return e.answer(http.StatusOK, &one[0]), nil
}

func (e *endpoint[S, In, Out]) create(r *request) (reply, error) {
	fields, err := r.fields()
	if err != nil {
		return reply{}, err
	}
	in := e.blank()
	if err := fields.over(&in, false).Err(); err != nil {
		return reply{}, err
	}
	s, err := e.build(r, nil, &in)
	if err != nil {
		return reply{}, err
	}
	key, err := r.idempotencyKey()
	if err != nil {
		return reply{}, err
	}
	made, err := e.store.CreateOnce(r.Context(), r.by(), key, s)
	if err != nil {
		return reply{}, err
	}
	out := e.answer(http.StatusCreated, made)
	out.location = "/v1/" + e.kind + "/" + *e.name(&in)
	return out, nil
}

// replace is PUT: what is left out is as if it had never been given.
func (e *endpoint[S, In, Out]) replace(r *request) (reply, error) {
	return e.change(r, func(*S) In { return e.blank() }, false)
}

// patch is PATCH: what is left out stays, as in RFC 7396.
func (e *endpoint[S, In, Out]) patch(r *request) (reply, error) {
	return e.change(r, e.input, true)
}

func (e *endpoint[S, In, Out]) change(r *request, from func(*S) In, merge bool) (reply, error) {
	name, err := r.name()
	if err != nil {
		return reply{}, err
	}
	fields, err := r.fields()
	if err != nil {
		return reply{}, err
	}
	version, err := r.version(fields)
	if err != nil {
		return reply{}, err
	}
	if version == nil {
		return reply{}, errVersionRequired
	}
	now, err := e.store.Get(r.Context(), name)
	if err != nil {
		return reply{}, err
	}
	if now.Version != *version && now.Deleting == nil {
		return reply{}, &store.VersionError{Resource: e.kind + "/" + name, Version: now.Version}
	}
	in := from(&now.Spec)
	problems := fields.over(&in, merge)
	if given := e.name(&in); *given == "" {
		*given = name
	} else if *given != name {
		problems = append(problems, spec.Problem{Path: "name", Message: "must be " + strconv.Quote(name) + ", as in the path, or left out: names cannot be changed"})
	}
	if err := problems.Err(); err != nil {
		return reply{}, err
	}
	s, err := e.build(r, &now.Spec, &in)
	if err != nil {
		return reply{}, err
	}
	changed, err := e.store.Update(r.Context(), r.by(), name, *version, s)
	if err != nil {
		return reply{}, err
	}
	return e.answer(http.StatusOK, changed), nil
}

func (e *endpoint[S, In, Out]) delete(r *request) (reply, error) {
	name, err := r.name()
	if err != nil {
		return reply{}, err
	}
	fields, err := r.optionalFields()
	if err != nil {
		return reply{}, err
	}
	var o store.DeleteOptions
	if o.Version, err = r.version(fields); err != nil {
		return reply{}, err
	}
	if e.kind == wire.Clusters {
		var d wire.DeleteCluster
		err = fields.over(&d, false).Err()
		o.FinalSnapshotName = d.FinalSnapshotName
	} else {
		err = fields.over(&struct{}{}, false).Err()
	}
	if err != nil {
		return reply{}, err
	}
	gone, err := e.store.Delete(r.Context(), r.by(), name, o)
	if err != nil {
		return reply{}, err
	}
	if gone.Deleting != nil {
		return e.answer(http.StatusAccepted, gone), nil
	}
	return e.answer(http.StatusOK, gone), nil
}

// users takes passwords and hashes them.
func (a *API) users() *endpoint[spec.User, wire.UserInput, wire.User] {
	return &endpoint[spec.User, wire.UserInput, wire.User]{
		kind: wire.Users, store: a.store.Users,
		name:  func(u *wire.UserInput) *string { return &u.Name },
		blank: func() wire.UserInput { return wire.UserInput{} },
		input: func(u *spec.User) wire.UserInput {
			return wire.UserInput{Name: u.Name, AccessString: u.AccessString, Authentication: u.Authentication, Tags: maps.Clone(u.Tags)}
		},
		build:  buildUser,
		show:   wire.ViewUser,
		status: a.userStatus,
	}
}

func (a *API) acls() *endpoint[spec.ACL, spec.ACL, spec.ACL] {
	e := plain(wire.ACLs, a.store.ACLs, func(s *spec.ACL) *string { return &s.Name })
	e.status = a.aclStatus
	return e
}

func (a *API) parameterGroups() *endpoint[spec.ParameterGroup, spec.ParameterGroup, spec.ParameterGroup] {
	e := plain(wire.ParameterGroups, a.store.ParameterGroups, func(s *spec.ParameterGroup) *string { return &s.Name })
	e.status = a.groupStatus
	return e
}

// fieldNames are the names that a type has in JSON, and where they are.
func fieldNames(t reflect.Type) map[string]int {
	names := map[string]int{}
	for i := range t.NumField() {
		if name := jsonName(t.Field(i)); name != "" {
			names[name] = i
		}
	}
	return names
}
