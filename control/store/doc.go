// Package store keeps resources, operations and events in etcd.
//
// # Keys, below /redoubt-control/
//
//	clusters/, users/, acls/, parameter-groups/, snapshots/<name>   wire.Resource as JSON
//	operations/<id>                                                 wire.Operation as JSON
//	events/<id>                                                     wire.Event as JSON
//
// Ids of operations and events are UUIDs of version 7, which sort by time.
//
// # Changes
//
// A change is one transaction: the resource is as it was read, what it refers to is
// still there, nobody refers to what is deleted; then the resource, its operation and
// its event are written together. When the comparison fails, all is read and judged
// again. The version that a caller names is compared with the one read, so a change
// that was made from an older one is never applied.
//
// Users, ACLs and parameter groups are changed by that alone: their operations are
// done at once, and nodes follow. Changes of clusters and snapshots are pending
// operations, which the reconciler carries out and finishes; deleted ones are marked
// and stay until it has removed what belongs to them.
//
// The default user, the ACL "open-access" and the parameter group "default" are
// there always. Nobody can change or delete them.
//
// # The reconciler
//
// Status is written by the reconciler alone, and means nothing here. Each of its
// writes carries a Fence, the key by which it was elected: one that was deposed
// changes nothing more.
package store
