package tlsfiles

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestServerRefuses(t *testing.T) {
	f, a := newFiles(t), authority(t, "ca")
	cert, key := f.issue(a, "s")
	_, other := f.issue(a, "o")
	ca := f.write("ca.crt", a.CertPEM())
	good := Server{CertFile: cert, KeyFile: key, AuthClients: "no"}
	for name, c := range map[string]struct {
		change func(*Server)
		want   string
	}{
		"good":                 {func(*Server) {}, ""},
		"good with authority":  {func(s *Server) { s.AuthClients, s.CACertFile = "", ca }, ""},
		"no certificate":       {func(s *Server) { s.CertFile = "" }, "no tls-cert-file"},
		"no key":               {func(s *Server) { s.KeyFile = "" }, "tls-key-file"},
		"file is not there":    {func(s *Server) { s.CertFile = f.path("none") }, "none: no such file"},
		"key of another":       {func(s *Server) { s.KeyFile = other }, "does not match"},
		"key is a certificate": {func(s *Server) { s.KeyFile = cert }, "s.crt"},
		"key with a passphrase": {func(s *Server) {
			s.KeyFile = f.write("enc", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
		}, "passphrase"},
		"no authority":        {func(s *Server) { s.AuthClients = "" }, "tls-ca-cert-file"},
		"authority is no PEM": {func(s *Server) { s.CACertFile = f.write("bad", []byte("x")) }, "no certificate"},
		"auth-clients":        {func(s *Server) { s.AuthClients = "maybe" }, `not "maybe"`},
		"old protocol":        {func(s *Server) { s.Protocols = "TLSv1.1 TLSv1.2" }, `"TLSv1.1"`},
		"weak cipher":         {func(s *Server) { s.Ciphers = "AES128-SHA" }, `"AES128-SHA"`},
	} {
		s := good
		c.change(&s)
		k, err := Keep(s, time.Hour, slog.New(slog.DiscardHandler))
		if err == nil {
			k.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func keep(t *testing.T, s Server, every time.Duration, log *slog.Logger) *Keeper {
	t.Helper()
	k, err := Keep(s, every, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// What is configured is what is negotiated.
func TestServerNegotiates(t *testing.T) {
	f, a, stranger := newFiles(t), authority(t, "ca"), authority(t, "stranger")
	cert, key := f.issue(a, "s")
	ca := f.write("ca.crt", a.CertPEM())
	own, ownKey := f.issue(a, "c")
	bad, badKey := f.issue(stranger, "b")
	anonymous, known, unknown := Client{CAFile: ca}, Client{CAFile: ca, CertFile: own, KeyFile: ownKey}, Client{CAFile: ca, CertFile: bad, KeyFile: badKey}
	for _, c := range []struct {
		name    string
		change  func(*Server)
		client  Client
		most    uint16 // the client's newest protocol; 0: all
		good    bool
		version uint16
		suite   string
	}{
		{"newest", func(*Server) {}, anonymous, 0, true, tls.VersionTLS13, ""},
		{"client of 1.2", func(*Server) {}, anonymous, tls.VersionTLS12, true, tls.VersionTLS12, ""},
		{"server of 1.2", func(s *Server) { s.Protocols = "TLSv1.2" }, anonymous, 0, true, tls.VersionTLS12, ""},
		{"1.3 only", func(s *Server) { s.Protocols = "TLSv1.3" }, anonymous, tls.VersionTLS12, false, 0, ""},
		{"cipher", func(s *Server) { s.Protocols, s.Ciphers = "tlsv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305" }, anonymous, 0, true, tls.VersionTLS12, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"must show one, does not", func(s *Server) { s.AuthClients = "yes" }, anonymous, 0, false, 0, ""},
		{"must show one, does", func(s *Server) { s.AuthClients = "yes" }, known, 0, true, tls.VersionTLS13, ""},
		{"must show one, a stranger's", func(s *Server) { s.AuthClients = "yes" }, unknown, 0, false, 0, ""},
		{"may show one, does not", func(s *Server) { s.AuthClients = "optional" }, anonymous, 0, true, tls.VersionTLS13, ""},
		{"may show one, a stranger's", func(s *Server) { s.AuthClients = "optional" }, unknown, 0, false, 0, ""},
		{"is not asked", func(*Server) {}, unknown, 0, true, tls.VersionTLS13, ""},
	} {
		s := Server{CertFile: cert, KeyFile: key, CACertFile: ca, AuthClients: "no"}
		c.change(&s)
		k := keep(t, s, time.Hour, slog.New(slog.DiscardHandler))
		config, err := c.client.Config()
		if err != nil {
			t.Fatal(err)
		}
		config.MaxVersion = c.most
		_, state, serverErr, clientErr := talk(t, k.Config(), config)
		if err := errors.Join(serverErr, clientErr); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if suite := tls.CipherSuiteName(state.CipherSuite); c.good && (state.Version != c.version || c.suite != "" && suite != c.suite) {
			t.Errorf("%s: %s, %s", c.name, tls.VersionName(state.Version), suite)
		}
	}
}

// buffer is a log that a test reads while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestKeeperReloads: new files are used for the next connection; files that are
// no good are logged once and change nothing.
func TestKeeperReloads(t *testing.T) {
	f, a, next := newFiles(t), authority(t, "ca"), authority(t, "next")
	cert, key := f.issue(a, "s")
	ca := f.write("ca.crt", slices.Concat(a.CertPEM(), next.CertPEM()))
	log := &buffer{}
	k := keep(t, Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, time.Hour, slog.New(slog.NewTextHandler(log, nil)))
	client, err := Client{CAFile: ca}.Config()
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want string) {
		t.Helper()
		name, _, serverErr, clientErr := talk(t, k.Config(), client)
		if name != want || serverErr != nil || clientErr != nil {
			t.Errorf("%q, %v, %v; want %q", name, serverErr, clientErr, want)
		}
	}
	look := func(wantLog string, times int) {
		t.Helper()
		last := ""
		for range 3 {
			last = k.look(last)
		}
		if got := strings.Count(log.String(), wantLog); got != times {
			t.Errorf("%q is %d times in the log, want %d:\n%s", wantLog, got, times, log.String())
		}
	}
	serves("s")
	look("TLS files", 0)

	newCert, newKey := f.issue(next, "s2")
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old := k.Config()
	f.write("s.crt", read(newCert)) // as somebody does who copies one after the other
	look("no good, the certificate in use stays", 1)
	serves("s")
	f.write("s.key", read(newKey))
	look("new connections get the new certificate", 1)
	serves("s2")
	if k.Config() == old {
		t.Error("the configuration was changed under connections that use it")
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	look("cannot be read", 1)
	serves("s2")
	f.write("s.crt", []byte("rubbish"))
	f.write("s.key", read(newKey))
	look("no good", 2)
	serves("s2")
}

func TestKeeperLooksByItself(t *testing.T) {
	f, a := newFiles(t), authority(t, "ca")
	cert, key := f.issue(a, "s")
	k := keep(t, Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, time.Millisecond, slog.New(slog.DiscardHandler))
	before := k.Config()
	f.issue(a, "s")
	testenv.Eventually(t, 20*time.Second, "the new files to be read", func(context.Context) error {
		if k.Config() == before {
			return errors.New("still the old ones")
		}
		return nil
	})
	if err := errors.Join(k.Close(), k.Close()); err != nil {
		t.Error(err)
	}
}

func TestKeeperChange(t *testing.T) {
	f, a := newFiles(t), authority(t, "ca")
	cert, key := f.issue(a, "s")
	cert2, key2 := f.issue(a, "s2")
	log := &buffer{}
	k := keep(t, Server{CertFile: cert, KeyFile: key, AuthClients: "no"}, time.Hour, slog.New(slog.NewTextHandler(log, nil)))
	was := k.Config()
	if err := k.Change(Server{CertFile: cert2, KeyFile: key, AuthClients: "no"}); !errors.Is(err, ErrSettings) {
		t.Errorf("a certificate without its key: %v", err)
	}
	if k.Config() != was || k.Settings().CertFile != cert {
		t.Error("what was refused has changed something")
	}
	if err := k.Change(Server{CertFile: cert2, KeyFile: key2, AuthClients: "no"}); err != nil {
		t.Error(err)
	}
	if k.Config() == was || k.Settings().CertFile != cert2 {
		t.Error("what was accepted has changed nothing")
	}
	if log.String() != "" {
		t.Errorf("good certificates are warned of: %s", log)
	}
	for at, want := range map[time.Duration]string{-time.Hour: "not valid yet", 0: "", 91 * 24 * time.Hour: "expired"} {
		got := validity(k.current.Load().leaf, time.Now().Add(at))
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("in %v: %q", at, got)
		}
	}
}

func FuzzBuild(f *testing.F) {
	a, err := os.ReadFile("server.go")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a, []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), []byte(nil), "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256")
	f.Fuzz(func(t *testing.T, cert, key, ca []byte, protocols, ciphers string) {
		s := Server{CertFile: "c", KeyFile: "k", CACertFile: "a", AuthClients: "optional", Protocols: protocols, Ciphers: ciphers}
		l, err := s.build(contents{cert, key, ca})
		switch {
		case err != nil && !errors.Is(err, ErrSettings):
			t.Errorf("an error of another kind: %v", err)
		case err == nil && (l.leaf == nil || l.config.MinVersion < tls.VersionTLS12):
			t.Error("not a configuration to serve with")
		}
	})
}
