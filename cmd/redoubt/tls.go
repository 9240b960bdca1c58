package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
	"github.com/redoubtdb/redoubt/node"
)

// tlsOptions are the flags by which a node serves TLS, named as Redis's.
type tlsOptions struct {
	port     int
	announce string
	files    tlsfiles.Server
}

func (o *tlsOptions) addFlags(set *pflag.FlagSet) {
	set.IntVar(&o.port, "tls-port", 0, "port to serve clients on over TLS, at the address of --listen; 0: none")
	set.StringVar(&o.announce, "announce-tls", "", "address over TLS to tell others (default: --tls-port at the address of --announce)")
	set.StringVar(&o.files.CertFile, "tls-cert-file", "", "file with the certificate to show to clients, and those between it and its CA")
	set.StringVar(&o.files.KeyFile, "tls-key-file", "", "file with that certificate's private key")
	set.StringVar(&o.files.CACertFile, "tls-ca-cert-file", "", "file with the CAs that clients' certificates are checked against")
	set.StringVar(&o.files.AuthClients, "tls-auth-clients", "yes", "whether clients show a certificate: yes, optional or no")
	set.StringVar(&o.files.Protocols, "tls-protocols", "", `protocols to speak, "TLSv1.2", "TLSv1.3" or both (default: both)`)
	set.StringVar(&o.files.Ciphers, "tls-ciphers", "", "cipher suites of TLS 1.2, in OpenSSL's names with colons between (default: those that are safe)")
}

// config says where to listen without and with TLS, given --listen.
func (o *tlsOptions) config(listen string) (plain string, _ node.TLSConfig, err error) {
	if o.port == 0 {
		if o.files.CertFile+o.files.KeyFile+o.files.CACertFile+o.announce != "" {
			return "", node.TLSConfig{}, fmt.Errorf("--tls-cert-file, --tls-key-file, --tls-ca-cert-file and --announce-tls do nothing without --tls-port")
		}
		return listen, node.TLSConfig{}, nil
	}
	host, port, err := net.SplitHostPort(listen)
	switch {
	case err != nil:
		return "", node.TLSConfig{}, fmt.Errorf("--listen must be host:port: %w", err)
	case o.port < 0 || o.port > 65535:
		return "", node.TLSConfig{}, fmt.Errorf("--tls-port must be between 0 and 65535, not %d", o.port)
	case port == strconv.Itoa(o.port):
		return "", node.TLSConfig{}, fmt.Errorf("--listen and --tls-port name the same port; to serve TLS alone, give --listen %s", net.JoinHostPort(host, "0"))
	case port == "0":
		listen = ""
	}
	return listen, node.TLSConfig{
		Listen: net.JoinHostPort(host, strconv.Itoa(o.port)), Announce: o.announce, Files: o.files,
	}, nil
}
