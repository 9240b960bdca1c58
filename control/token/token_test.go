package token

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/internal/etcdtest"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func TestToken(t *testing.T) {
	ctx := t.Context()
	cli := etcdtest.Client(t)
	s := Open(cli)
	now := time.Now()
	s.now = func() time.Time { return now }
	forever, err := s.Create(ctx, "me", wire.NewToken{Role: wire.Admin, Description: "forever"})
	if err != nil {
		t.Fatal(err)
	}
	hour, err := s.Create(ctx, "me", wire.NewToken{Role: wire.Read, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	text, other := string(forever.Secret), string(hour.Secret)
	if got, err := s.Authenticate(ctx, text); err != nil || *got != forever.Token || got.Role != wire.Admin {
		t.Errorf("%+v, %v", got, err)
	}
	flip := map[byte]string{'a': "b"}[text[len(text)-1]]
	if flip == "" {
		flip = "a"
	}
	for _, bad := range []string{
		"", "rdt_", text[:len(text)-1], text + "a", text[:len(text)-1] + flip, strings.ToUpper(text), " " + text,
		"rdt_" + forever.ID + "_" + other[len("rdt_")+13:], // another's secret
		"rdt_aaaaaaaaaaaa_" + other[len("rdt_")+13:],
		"rdt_../clusters/_" + other[len("rdt_")+13:],
	} {
		if _, err := s.Authenticate(ctx, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	now = now.Add(time.Hour - time.Nanosecond)
	if _, err := s.Authenticate(ctx, other); err != nil {
		t.Errorf("just before it expires: %v", err)
	}
	now = now.Add(time.Nanosecond)
	if _, err := s.Authenticate(ctx, other); !errors.Is(err, ErrInvalid) {
		t.Errorf("when it expires: %v", err)
	}
	all, err := s.List(ctx)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	resp, err := cli.Get(ctx, "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range resp.Kvs {
		for _, c := range []*wire.CreatedToken{forever, hour} {
			if secret := string(c.Secret)[len("rdt_")+13:]; strings.Contains(string(kv.Value), secret) {
				t.Errorf("etcd has a secret at %s", kv.Key)
			}
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", forever, *forever, *forever, forever.Secret); strings.Contains(shown, text[17:]) {
		t.Errorf("fmt prints the secret: %s", shown)
	}
	if got := Redact("a " + text + "/b"); got != "a rdt_"+forever.ID+"_(secret)/b" {
		t.Errorf("redacted: %s", got)
	}
	if err := s.Revoke(ctx, forever.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(ctx, text); !errors.Is(err, ErrInvalid) {
		t.Errorf("when it is revoked: %v", err)
	}
	for _, id := range []string{forever.ID, "", "../clusters/a", "x"} {
		if err := s.Revoke(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("revoke %q: %v", id, err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	s := Open(etcdtest.Client(t))
	for path, n := range map[string]wire.NewToken{
		"role":        {Role: "root"},
		"description": {Role: wire.Read, Description: strings.Repeat("x", 256)},
		"expires":     {Role: wire.Read, Expires: time.Now().Add(-time.Second)},
	} {
		_, err := s.Create(t.Context(), "me", n)
		var p spec.Problems
		if !errors.As(err, &p) || len(p) != 1 || p[0].Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}
