// Package cluster is one shard as a fault campaign sees it: three etcd members,
// an S3 server and redoubt nodes, each a process of its own, and a TCP proxy on
// every link, so that any of them can be broken for any node:
//
//	clients -- Node.Client --> node -- Node.Etcd[i] --> etcd member i
//	                            |
//	                            +---- Node.S3 --------> versitygw
//
//	etcd member i -- Etcd.PeerLink(i, j) --> etcd member j
//
// Clients, and whoever asks the shard where its nodes are, get the address of the
// proxy. What observes the shard (Primary, Info, Digest, EtcdClient, Store and the
// like) goes around all proxies, so that what it sees is what is there and not what
// a fault lets through.
//
// Nothing here breaks anything; a fault is made with the methods of the proxies,
// the processes and the etcd cluster. Heal undoes them all.
//
// Methods return errors and may be called from any goroutine. Those of
// testenv.Process and testenv.Etcd that say so fail the TB, which for a
// testenv.Program means a panic in the caller's goroutine.
package cluster
