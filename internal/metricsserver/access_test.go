package metricsserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAccess: who gets metrics, and that health is for everybody.
func TestAccess(t *testing.T) {
	const token = "a token of the test"
	for _, x := range []struct {
		name   string
		c      Config
		remote string
		header string
		want   int
	}{
		{"this machine", Config{}, "127.0.0.1:1234", "", 200},
		{"this machine, IPv6", Config{}, "[::1]:1234", "", 200},
		{"this machine, mapped", Config{}, "[::ffff:127.0.0.1]:1234", "", 200},
		{"another machine", Config{}, "10.0.0.1:1234", "", 403},
		{"another machine with some token", Config{}, "10.0.0.1:1234", "Bearer " + token, 403},
		{"who cannot be told", Config{}, "@", "", 403},
		{"open", Config{Open: true}, "10.0.0.1:1234", "", 200},
		{"a socket", Config{Addr: "unix:/x"}, "@", "", 200},
		{"token", Config{Token: token}, "10.0.0.1:1234", "Bearer " + token, 200},
		{"token, scheme in lower case", Config{Token: token}, "10.0.0.1:1234", "bearer " + token, 200},
		{"no token", Config{Token: token}, "10.0.0.1:1234", "", 401},
		{"no token on this machine", Config{Token: token}, "127.0.0.1:1234", "", 401},
		{"no token at a socket", Config{Token: token, Addr: "unix:/x"}, "@", "", 401},
		{"another token", Config{Token: token}, "10.0.0.1:1234", "Bearer " + token + "s", 401},
		{"no scheme", Config{Token: token}, "10.0.0.1:1234", token, 401},
		{"another scheme", Config{Token: token}, "10.0.0.1:1234", "Basic " + token, 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = x.remote
		if x.header != "" {
			r.Header.Set("Authorization", x.header)
		}
		w := httptest.NewRecorder()
		x.c.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != x.want || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") == "Bearer") {
			t.Errorf("%s: %d %s", x.name, w.Code, w.Body)
		}
	}
}

// TestGuarded: everything but health takes the token.
func TestGuarded(t *testing.T) {
	there := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s, err := Start(t.Context(), Config{
		Addr: "127.0.0.1:0", Metrics: NewRegistry(), Healthy: func() error { return nil }, Token: "a token of the test",
		Routes: []Route{{Pattern: "GET /more", Handler: there}, {Pattern: "GET /more/healthz", Handler: there, Health: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, want := range map[string]int{"/metrics": 401, "/more": 401, "/healthz": 200, "/more/healthz": 200, "/": 404} {
		resp, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s without a token: %d, want %d", path, resp.StatusCode, want)
		}
	}
	if err := (*Server)(nil).Close(); err != nil {
		t.Error(err)
	}
}
