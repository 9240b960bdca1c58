// Package tlsfiles makes TLS configurations from files whose contents change
// while a process runs: certificates are renewed, authorities are followed by
// others, and connections that exist go on.
//
// A Keeper is for servers: it looks at the files now and then and gives each new
// connection what the last good ones said. A Client reads its files for each new
// connection, which are few, and says in terms of flags what a failed handshake
// is about.
//
// Settings have the names and the values of Redis's tls-* parameters.
package tlsfiles
