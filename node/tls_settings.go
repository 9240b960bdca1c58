package node

import (
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

const (
	errTLSNotServed badValue = "TLS is not served: --tls-port is given when the node starts"
	errTLSUpdate    badValue = "Unable to update TLS configuration. Check server logs."
)

// tlsParam is a setting of TLS. New ones are staged, and judged together once a
// whole CONFIG SET has been read: a certificate and its key change at the same
// time.
func tlsParam(name string, at func(*tlsfiles.Server) *string) parameter {
	get := func(_ *engine, s *settings) string {
		t := s.tlsSettings()
		return *at(&t)
	}
	return parameter{name: name, get: get, set: func(e *engine, s *settings, v string) error {
		if s.tlsFiles == nil {
			if v == get(e, s) {
				return nil
			}
			return errTLSNotServed
		}
		t := s.tlsSettings()
		*at(&t) = v
		if s.tlsStaged == nil {
			s.tlsStagedBy = name
		}
		s.tlsStaged = &t
		return nil
	}}
}

// tlsSettings are those that CONFIG shows, or is about to.
func (s *settings) tlsSettings() tlsfiles.Server {
	switch {
	case s.tlsStaged != nil:
		return *s.tlsStaged
	case s.tlsFiles != nil:
		return s.tlsFiles.Settings()
	}
	return tlsfiles.Server{AuthClients: "yes"}
}

// applyStaged uses what CONFIG SET has staged, all of it or nothing. It returns
// the parameter to name in an error, the first as in Redis.
func (s *settings) applyStaged() (name string, err error) {
	if s.tlsStaged == nil {
		return "", nil
	}
	staged := *s.tlsStaged
	s.tlsStaged = nil
	if err := s.tlsFiles.Change(staged); err != nil {
		s.log.Warn("CONFIG SET of TLS refused", "err", err)
		return s.tlsStagedBy, errTLSUpdate
	}
	return "", nil
}

// tlsParameters are the rows of CONFIG for TLS, by name in order.
var tlsParameters = []parameter{
	authClientsParam(),
	tlsParam("tls-ca-cert-file", func(t *tlsfiles.Server) *string { return &t.CACertFile }),
	tlsParam("tls-cert-file", func(t *tlsfiles.Server) *string { return &t.CertFile }),
	tlsParam("tls-ciphers", func(t *tlsfiles.Server) *string { return &t.Ciphers }),
	tlsParam("tls-key-file", func(t *tlsfiles.Server) *string { return &t.KeyFile }),
	heldParam("tls-port", "Unable to listen on this port: it is fixed when the node starts", func(s *settings) string { return strconv.Itoa(s.tlsPort) }),
	tlsParam("tls-protocols", func(t *tlsfiles.Server) *string { return &t.Protocols }),
}

// authClientsParam is tls-auth-clients, whose words Redis judges at once.
func authClientsParam() parameter {
	p := tlsParam("tls-auth-clients", func(t *tlsfiles.Server) *string { return &t.AuthClients })
	stage := p.set
	p.set = func(e *engine, s *settings, v string) error {
		switch lower := strings.ToLower(v); lower {
		case "no", "yes", "optional":
			return stage(e, s, lower)
		}
		return badValue("argument(s) must be one of the following: no, yes, optional")
	}
	return p
}
