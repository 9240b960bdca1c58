package metricsserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets those through to h who may have metrics.
func (c *Config) guard(h http.Handler) http.Handler {
	if c.Open || c.Token == "" && strings.HasPrefix(c.Addr, UnixPrefix) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case c.Token == "" && !fromHere(r.RemoteAddr):
			http.Error(w, "metrics are for this machine alone, since no token is set: --metrics-token-file names one, --metrics-open needs none", http.StatusForbidden)
		case c.Token != "" && !c.shown(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "show the token of --metrics-token-file, as Authorization: Bearer TOKEN", http.StatusUnauthorized)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// shown compares in a time that says nothing of where the token differs, or how long
// it is.
func (c *Config) shown(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(c.Token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func fromHere(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
