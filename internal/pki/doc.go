// Package pki is a cluster's certificate authority: keys, certificates and the
// decisions when to renew them. It does no I/O and reads no clock; whoever keeps
// the results, in files or in etcd, passes the time in.
//
// An Authority signs. A Keyring is the authorities of a cluster over time: one
// signs, and those before and after it are trusted too, so that a change of
// authority never meets a peer that trusts only the other one:
//
//	Begin    the next authority joins the bundle; the current one goes on signing
//	Switch   once every peer has read the bundle, the next one signs
//	Retire   once nothing the old one signed is valid any more, it leaves the bundle
//
// Keyring.Due says which of the steps is next. Certificates last Life and are
// renewed when two thirds of it have passed, authorities likewise.
//
// All keys are ECDSA P-256; keys are PKCS #8 and everything is PEM outside.
package pki
