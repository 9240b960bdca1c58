// Package integration tests Redoubt as its users run it: the redoubt binary
// against a 3-member etcd and a real S3 server, each part a process of its own
// that is killed, stopped or cut off while writers record what they were
// promised. The package has no code outside of its tests.
package integration
