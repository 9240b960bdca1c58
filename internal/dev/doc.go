// Package dev assembles `redoubt dev`: a whole Redoubt in one process. An etcd
// of one member, an S3 endpoint and the nodes of one shard run side by side,
// and the nodes talk only through etcd and S3, as they do in production. Beside
// them, a control plane and three host agents make and run further clusters, whose
// nodes are child processes.
//
// # The directory
//
//	LOCK           held with flock while a dev runs on the directory; its pid
//	redoubt.json   Endpoints of the dev that runs now; removed on a clean stop
//	credentials    keys of the S3 endpoint, in the AWS tools' own format
//	tls/           with Config.TLS: the nodes' authority (ca.crt, ca.key) and
//	               certificate, which is issued at each start and renewed
//	token          with Config.Control: an administrator's, for the API
//	api/           the API's self-signed certificate, made at the first start
//	hosts/<zone>/  a host agent's directory, in which its nodes have theirs
//	etcd/          the log head, leases and pointers
//	s3/<bucket>/   segments and snapshots, each object a file
//
// Only etcd/ and s3/ are data. LOCK is the one proof of life: flock ends with
// the process that holds it, however it ends, so whoever gets it knows that the
// nodes of the last run are dead and may revoke their leases at once. That
// redoubt.json exists proves nothing.
//
// # Start and stop
//
// Start brings up etcd, S3 and the first node, waits until the shard has a
// primary, and then adds the replicas: after a clean stop and after a kill the
// first node is the primary. Later failovers may change that. Close stops the
// replicas, lets the primary commit what it has executed, and then ends S3 and
// etcd.
//
// The control plane comes last and goes first, before the host agents, so that it
// never sees hosts go; these stop their nodes, which etcd must outlive. What a killed
// dev has left of those runs on without an etcd, so that it can acknowledge nothing.
// The next dev kills it, ends the leases that it held, and starts it again.
package dev
