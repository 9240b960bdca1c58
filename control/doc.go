// Package control is the overview of what runs clusters: nothing but this text is
// in it.
//
//	spec       what people ask for: clusters, users, ACLs, parameter groups, snapshots;
//	           defaults and validation. Pure.
//	fleet      what there is to run it on, and what runs: hosts, the nodes assigned to
//	           them and how those fare, in etcd. The agent and the control plane meet
//	           here and nowhere else.
//	placement  which host a node belongs on. Pure.
//	reconcile  from spec and observed state to the next actions (pure), and the driver
//	           that carries them out.
//	backup     begins shards, makes and removes snapshots, deletes data: the long work,
//	           away from the nodes.
//	certs      certificates of nodes, from an authority for each cluster.
//	store      resources, operations and events in etcd, with versions.
//	token      bearer tokens in etcd.
//	agent      the process on each host that runs the nodes assigned to it.
//	api        HTTP/JSON with bearer tokens, over the store.
//	wire       what the API says in JSON.
//	client     the API from Go: for the CLI and the Terraform provider.
//	plane      one control plane: the API, and the reconciler while it is elected.
//
// # Where it is in etcd
//
// All of it is below /redoubt-control/, beside the clusters' own /redoubt/<cluster>/
// (package etcdfence), whose layout this package only reads, but for the users, ACLs
// and parameters that nodes of managed clusters take from there:
//
//	hosts/<host>                 fleet.Host, under the agent's lease
//	draining/<host>              there when everything is to leave the host
//	assigned/<host>/<node>       fleet.Assignment, written by the control plane
//	status/<host>/<node>         fleet.Status, written by the agent
//	leader/<lease>               control planes that would reconcile; the oldest does
//	clusters/<name>              a resource each: spec, version, status
//	users/, acls/, parameter-groups/, snapshots/<name>
//	operations/<id>, events/<id>, tokens/<id>
//	deletions/<cluster>/...      objects that are being deleted (package backup)
//	ca/<cluster>                 the authority of a cluster with TLS
package control
