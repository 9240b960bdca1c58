// Package pki is a certificate authority: keys, certificates and the decision when to
// renew them. It does no I/O and reads no clock; whoever keeps the results, in files or
// in etcd, passes the time in.
//
// An Authority signs. Certificates last Life and are renewed when two thirds of it have
// passed. Authorities last AuthorityLife and are not followed by another: who needs that
// has to let peers trust both for a while.
//
// All keys are ECDSA P-256; keys are PKCS #8 and everything is PEM outside.
package pki
