package snapshot

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"first", "2026-03-04", "a", "A.b_c-1", DefaultName(time.Now()), strings.Repeat("x", 100)} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "/a", "-a", "_a", ".a", "a b", "a\n", "ä", "a\x00", "a:b", "a*", "a%2f", strings.Repeat("x", 101)} {
		if err := CheckName(bad); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func goodManifest() *Manifest {
	digest := strings.Repeat("ab", 32)
	return &Manifest{
		Format: 1, Name: "n", Cluster: "c", Engine: 1, WrittenBy: "redoubt test",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), VerifiedAt: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
		Shards: []Shard{{
			Shard: 0, Slots: "0-16383", Position: Position{Seq: 7, Epoch: 3, Chain: 255}, EntryTime: time.UnixMilli(1700000000000).UTC(),
			RDB: File{Key: "snapshots/n/0000.rdb", Size: 100, SHA256: digest}, Keys: 3, Databases: map[string]int{"0": 2, "5": 1}, Expires: 1, Digest: digest,
		}},
	}
}

func TestManifestRoundTrip(t *testing.T) {
	want := goodManifest()
	b, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"chain": "00000000000000ff"`) {
		t.Errorf("%s", b)
	}
	got, err := parseManifest("n", b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	// A later version of the same format may say more.
	if _, err := parseManifest("n", []byte(strings.Replace(string(b), "{", `{"more": [1], `, 1))); err != nil {
		t.Error(err)
	}
	if _, err := got.Find(1); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestManifestRefused(t *testing.T) {
	for name, change := range map[string]func(m *Manifest){
		"another name":        func(m *Manifest) { m.Name = "x" },
		"no shards":           func(m *Manifest) { m.Shards = nil },
		"never verified":      func(m *Manifest) { m.VerifiedAt = time.Time{} },
		"format 0":            func(m *Manifest) { m.Format = 0 },
		"engine 0":            func(m *Manifest) { m.Engine = 0 },
		"shard twice":         func(m *Manifest) { m.Shards = append(m.Shards, m.Shards[0]) },
		"shard out of range":  func(m *Manifest) { m.Shards[0].Shard = 10000 },
		"another's file":      func(m *Manifest) { m.Shards[0].RDB.Key = "snapshots/x/0000.rdb" },
		"no size":             func(m *Manifest) { m.Shards[0].RDB.Size = 0 },
		"no SHA-256":          func(m *Manifest) { m.Shards[0].RDB.SHA256 = "ab" },
		"upper case":          func(m *Manifest) { m.Shards[0].Digest = strings.ToUpper(m.Shards[0].Digest) },
		"negative epoch":      func(m *Manifest) { m.Shards[0].Position.Epoch = -1 },
		"more expiries":       func(m *Manifest) { m.Shards[0].Expires = 4 },
		"sum of the keys":     func(m *Manifest) { m.Shards[0].Keys = 4 },
		"database no number":  func(m *Manifest) { m.Shards[0].Databases = map[string]int{"x": 3} },
		"database negative":   func(m *Manifest) { m.Shards[0].Databases = map[string]int{"-1": 3} },
		"fewer than no keys":  func(m *Manifest) { m.Shards[0].Databases = map[string]int{"0": 4, "1": -1} },
		"negative shard":      func(m *Manifest) { m.Shards[0].Shard = -1 },
		"another shard's key": func(m *Manifest) { m.Shards[0].Shard = 1 },
	} {
		m := goodManifest()
		change(m)
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseManifest("n", b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	b, err := goodManifest().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format": 2}`))
	f.Add([]byte(`{"format": 1, "engine": 1, "name": "n", "shards": [{"position": {"chain": "x"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest("n", b)
		switch {
		case err == nil:
			again, err := m.encode()
			if err == nil {
				_, err = parseManifest("n", again)
			}
			if err != nil {
				t.Fatalf("accepted once: %v", err)
			}
		case !errors.Is(err, ErrDamaged) && !errors.Is(err, wal.ErrNewerFormat):
			t.Fatal(err)
		}
	})
}
