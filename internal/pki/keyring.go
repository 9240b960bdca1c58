package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Spread is how long the next authority is in the bundle before it signs: every
// peer reads its bundle well within that.
const Spread = 24 * time.Hour

// ErrStep: the keyring is not where that step begins.
var ErrStep = errors.New("pki: rotation is not at this step")

// Renewal is when a certificate is to be renewed: after two thirds of its life.
func Renewal(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}

// RenewDue tells whether a certificate is to be renewed: its time has come, or
// the authority that signs now is another than its own.
func RenewDue(c, signer *x509.Certificate, now time.Time) bool {
	return !now.Before(Renewal(c)) || c.CheckSignatureFrom(signer) != nil
}

// Keyring is the authorities of a cluster. Its steps return a changed copy.
type Keyring struct {
	Signer  *Authority // signs
	Next    *Authority // trusted, does not sign yet; nil outside of a rotation
	NextAt  time.Time  // when Next joined
	Retired []Retiree  // trusted, sign no more
}

// Retiree is an authority's certificate that has been followed by another.
type Retiree struct {
	Certificate *x509.Certificate
	Until       time.Time // nothing it signed is valid after that
}

// Step is what a Keyring needs next.
type Step uint8

const (
	StepNone   Step = iota // nothing
	StepBegin              // call Begin with a new authority
	StepSwitch             // call Switch
	StepRetire             // call Retire
)

func (s Step) String() string {
	return [...]string{"none", "begin", "switch", "retire"}[s]
}

// Due says which step is next.
func (k Keyring) Due(now time.Time) Step {
	switch {
	case slices.ContainsFunc(k.Retired, func(r Retiree) bool { return now.After(r.Until) }):
		return StepRetire
	case k.Next != nil && !now.Before(k.NextAt.Add(Spread)):
		return StepSwitch
	case k.Next == nil && !now.Before(Renewal(k.Signer.cert)):
		return StepBegin
	}
	return StepNone
}

// Begin lets next join the bundle. It may be called before it is due, when a key
// has to be replaced.
func (k Keyring) Begin(next *Authority, now time.Time) (Keyring, error) {
	if k.Next != nil {
		return k, fmt.Errorf("%w: %s is already next", ErrStep, k.Next.cert.Subject)
	}
	k.Next, k.NextAt = next, now
	return k, nil
}

// Switch lets the next authority sign. It refuses while a peer may not have read
// the bundle yet.
func (k Keyring) Switch(now time.Time) (Keyring, error) {
	switch {
	case k.Next == nil:
		return k, fmt.Errorf("%w: no authority is next", ErrStep)
	case now.Before(k.NextAt.Add(Spread)):
		return k, fmt.Errorf("%w: %s joined only %v ago", ErrStep, k.Next.cert.Subject, now.Sub(k.NextAt))
	}
	old := Retiree{Certificate: k.Signer.cert, Until: earlier(now.Add(Life), k.Signer.cert.NotAfter)}
	return Keyring{Signer: k.Next, Retired: append(slices.Clone(k.Retired), old)}, nil
}

// Retire removes authorities of which nothing is valid any more.
func (k Keyring) Retire(now time.Time) Keyring {
	k.Retired = slices.DeleteFunc(slices.Clone(k.Retired), func(r Retiree) bool { return now.After(r.Until) })
	return k
}

// Trusted is every authority that peers have to trust.
func (k Keyring) Trusted() []*x509.Certificate {
	all := []*x509.Certificate{k.Signer.cert}
	if k.Next != nil {
		all = append(all, k.Next.cert)
	}
	for _, r := range k.Retired {
		all = append(all, r.Certificate)
	}
	return all
}

// BundlePEM is Trusted for a file.
func (k Keyring) BundlePEM() []byte {
	var b []byte
	for _, c := range k.Trusted() {
		b = append(b, certPEM(c)...)
	}
	return b
}
