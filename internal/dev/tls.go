package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/internal/pki"
	"github.com/redoubtdb/redoubt/internal/tlsfiles"
)

// Names in the directory's tls/.
const (
	tlsDir    = "tls"
	caName    = "ca.crt"
	caKeyName = "ca.key"
	// serverName has certificate and key in one file, so that both are replaced
	// at once.
	serverName = "server.pem"
)

// renewEvery is how often it is looked whether the certificate is to be renewed.
const renewEvery = time.Hour

// issuer keeps the nodes' certificate current. The directory's lock makes it the
// only one.
type issuer struct {
	dir     string // tls/ of the Dev's directory
	request pki.Request
	ca      *pki.Authority
	current *pki.Issued
}

// newIssuer makes or reads the authority and issues a certificate for nodes that
// are reached at bind.
func newIssuer(dir, bind string, now time.Time) (*issuer, error) {
	i := &issuer{dir: filepath.Join(dir, tlsDir)}
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		return nil, fmt.Errorf("dev: %w", err)
	}
	ips, err := serverIPs(bind)
	if err != nil {
		return nil, fmt.Errorf("dev: %w", err)
	}
	i.request = pki.Request{Name: "redoubt dev", DNSNames: []string{"localhost"}, IPs: ips, Server: true}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		i.request.DNSNames = append(i.request.DNSNames, host)
	}
	if err := i.loadAuthority(now); err != nil {
		return nil, err
	}
	return i, i.issue(now)
}

// serverIPs are the addresses that nodes are reached at when they listen on bind.
func serverIPs(bind string) ([]net.IP, error) {
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	at := net.ParseIP(bind)
	if at == nil {
		return nil, fmt.Errorf("%q is no IP address", bind)
	}
	found := []net.IP{at}
	if at.IsUnspecified() {
		all, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list this machine's addresses: %w", err)
		}
		found = nil
		for _, a := range all {
			if n, ok := a.(*net.IPNet); ok {
				found = append(found, n.IP)
			}
		}
	}
	for _, ip := range found {
		if !slices.ContainsFunc(ips, ip.Equal) {
			ips = append(ips, ip)
		}
	}
	return ips, nil
}

// loadAuthority reads the authority, or makes one when there is none or it is to
// be renewed.
func (i *issuer) loadAuthority(now time.Time) error {
	cert, err := os.ReadFile(i.path(caName))
	key, kerr := os.ReadFile(i.path(caKeyName))
	switch err := errors.Join(err, kerr); {
	case err == nil:
		if i.ca, err = pki.ParseAuthority(cert, key); err != nil {
			return fmt.Errorf("dev: %s: %w; remove the directory %s for a new authority", i.path(caName), err, i.dir)
		}
		if now.Before(pki.Renewal(i.ca.Certificate())) {
			return nil
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("dev: %w", err)
	}
	if i.ca, err = pki.NewAuthority("redoubt dev CA", now); err != nil {
		return err
	}
	if key, err = i.ca.KeyPEM(); err != nil {
		return err
	}
	if err := writeFile(i.path(caKeyName), key); err != nil {
		return err
	}
	return writeFile(i.path(caName), i.ca.CertPEM())
}

func (i *issuer) path(name string) string { return filepath.Join(i.dir, name) }

func (i *issuer) issue(now time.Time) error {
	c, err := i.ca.Issue(i.request, now)
	if err != nil {
		return err
	}
	if err := writeFile(i.path(serverName), slices.Concat(c.CertPEM, c.KeyPEM)); err != nil {
		return err
	}
	i.current = c
	return nil
}

// renew issues another certificate when it is time for that.
func (i *issuer) renew(now time.Time) error {
	if !pki.RenewDue(i.current.Certificate, i.ca.Certificate(), now) {
		return nil
	}
	return i.issue(now)
}

// files are what a node serves TLS with.
func (i *issuer) files() tlsfiles.Server {
	return tlsfiles.Server{CertFile: i.path(serverName), KeyFile: i.path(serverName), AuthClients: "no"}
}

// startTLS makes the certificates and has them renewed until Close.
func (d *Dev) startTLS(context.Context) error {
	if !d.cfg.TLS {
		return nil
	}
	var err error
	if d.issuer, err = newIssuer(d.cfg.Dir, d.cfg.Bind, time.Now()); err != nil {
		return err
	}
	if d.endpoints.TLSCA, err = filepath.Abs(d.issuer.path(caName)); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	d.watching.Add(1)
	go func() {
		defer d.watching.Done()
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-d.stop:
				return
			}
			if err := d.issuer.renew(time.Now()); err != nil {
				d.cfg.Logger.Warn("certificate not renewed, trying again later", "err", err)
			}
		}
	}()
	return nil
}
