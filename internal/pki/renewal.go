package pki

import (
	"crypto/x509"
	"time"
)

// Renewal is when a certificate is to be renewed: after two thirds of its life.
func Renewal(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}

// RenewDue tells whether a certificate is to be renewed: its time has come, or
// the authority that signs now is another than its own.
func RenewDue(c, signer *x509.Certificate, now time.Time) bool {
	return !now.Before(Renewal(c)) || c.CheckSignatureFrom(signer) != nil
}
