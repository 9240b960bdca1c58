package snapshot

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/wal"
)

const (
	// ManifestFormat is the version of the manifest's layout.
	ManifestFormat = 1
	// Engine is the version of what effects and values mean. A snapshot of a newer
	// one is refused: it may hold what this program would misread.
	//
	//	1  strings and hashes
	//	2  lists, sets, sorted sets, streams
	Engine = 2

	// maxManifest bounds a manifest in bytes: 10,000 shards take about 6 MB.
	maxManifest = 16 << 20
	maxShard    = 9999
)

// Manifest describes a published snapshot: one RDB file a shard.
type Manifest struct {
	Format     int       `json:"format"`
	Name       string    `json:"name"`
	Cluster    string    `json:"cluster"`
	Engine     int       `json:"engine"`
	WrittenBy  string    `json:"written_by"` // version of the program
	CreatedAt  time.Time `json:"created_at"`
	VerifiedAt time.Time `json:"verified_at"` // when every file had been loaded back and compared
	Shards     []Shard   `json:"shards"`
}

// Shard is one shard's part of a snapshot.
type Shard struct {
	Shard     int            `json:"shard"`
	Slots     string         `json:"slots"` // as in "0-8191,16383"
	Position  Position       `json:"position"`
	EntryTime time.Time      `json:"entry_time"` // when the last entry was written; zero for an empty log
	RDB       File           `json:"rdb"`
	Keys      int            `json:"keys"`
	Databases map[string]int `json:"keys_per_database"`
	Expires   int            `json:"keys_with_expiry"`
	Digest    string         `json:"digest"` // keyspace.Digest, in hexadecimal
}

// File is an object of a snapshot.
type File struct {
	Key    string `json:"key"`  // relative to the cluster's prefix
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Position is a wal.Position in JSON, with the chain in hexadecimal.
type Position wal.Position

type positionJSON struct {
	Seq   uint64 `json:"seq"`
	Epoch int64  `json:"epoch"`
	Chain string `json:"chain"`
}

func (p Position) String() string { return wal.Position(p).String() }

// MarshalJSON writes {"seq":7,"epoch":3,"chain":"00f3..."}.
func (p Position) MarshalJSON() ([]byte, error) {
	return json.Marshal(positionJSON{p.Seq, p.Epoch, fmt.Sprintf("%016x", p.Chain)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Position) UnmarshalJSON(b []byte) error {
	var j positionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	chain, err := strconv.ParseUint(j.Chain, 16, 64)
	if err != nil || len(j.Chain) != 16 {
		return fmt.Errorf("chain %q is not 16 hexadecimal digits", j.Chain)
	}
	*p = Position{j.Seq, j.Epoch, chain}
	return nil
}

// Find returns the part of a shard. Error: ErrNotFound.
func (m *Manifest) Find(shard int) (*Shard, error) {
	for i := range m.Shards {
		if m.Shards[i].Shard == shard {
			return &m.Shards[i], nil
		}
	}
	return nil, fmt.Errorf("%w: snapshot %s has no shard %d", ErrNotFound, m.Name, shard)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName reports whether a snapshot may be called name: up to 100 letters,
// digits, dots, underscores and hyphens, of which the first is a letter or a
// digit. Such a name is one step of a path everywhere: in S3 keys, in file
// systems, in URLs and in shells. Error: ErrBadName.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%w: %.120q: use 1 to 100 letters, digits, dots, underscores and hyphens, "+
		"and begin with a letter or a digit", ErrBadName, name)
}

// DefaultName is a name for a snapshot that nobody named, which sorts by time.
func DefaultName(t time.Time) string { return t.UTC().Format("20060102T150405.000Z") }

const (
	prefix       = "snapshots/"
	manifestFile = "/manifest.json"
)

func manifestKey(name string) string { return prefix + name + manifestFile }

func rdbKey(name string, shard int) string { return fmt.Sprintf("%s%s/%04d.rdb", prefix, name, shard) }

// nameOf is the snapshot that an object belongs to, false when to none.
func nameOf(key string) (name, file string, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return "", "", false
	}
	name, file, ok = strings.Cut(rest, "/")
	return name, file, ok && CheckName(name) == nil
}

// encode is the form that is stored, indented for people.
func (m *Manifest) encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// parseManifest reads a stored manifest and judges whether it can be what was
// published as name. Errors: ErrNewerFormat, ErrDamaged.
func parseManifest(name string, b []byte) (*Manifest, error) {
	// The versions first: a newer layout need not parse otherwise.
	var v struct {
		Format int `json:"format"`
		Engine int `json:"engine"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("%w: manifest of %s: %v", ErrDamaged, name, err)
	}
	if err := checkVersions(name, v.Format, v.Engine); err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: manifest of %s: %v", ErrDamaged, name, err)
	}
	if err := m.check(name); err != nil {
		return nil, fmt.Errorf("%w: manifest of %s: %v", ErrDamaged, name, err)
	}
	return &m, nil
}

func checkVersions(name string, format, engine int) error {
	switch {
	case format > ManifestFormat:
		return newer("snapshot %s has a manifest of format %d, this redoubt reads up to %d", name, format, ManifestFormat)
	case engine > Engine:
		return newer("snapshot %s was made by engine %d, this redoubt is engine %d", name, engine, Engine)
	case format < 1 || engine < 1:
		return fmt.Errorf("%w: manifest of %s: format %d, engine %d", ErrDamaged, name, format, engine)
	}
	return nil
}

func newer(format string, args ...any) error {
	return fmt.Errorf("%w (%w): %s", ErrNewerFormat, wal.ErrNewerFormat, fmt.Sprintf(format, args...))
}

func (m *Manifest) check(name string) error {
	switch {
	case m.Name != name:
		return fmt.Errorf("it says it is %q", m.Name)
	case len(m.Shards) == 0:
		return errors.New("it has no shards")
	case m.VerifiedAt.IsZero():
		return errors.New("it does not say when it was verified")
	}
	for i := range m.Shards {
		s := &m.Shards[i]
		if s.Shard < 0 || s.Shard > maxShard {
			return fmt.Errorf("shard number %d", s.Shard)
		}
		if slices.ContainsFunc(m.Shards[:i], func(o Shard) bool { return o.Shard == s.Shard }) {
			return fmt.Errorf("shard %d is there twice", s.Shard)
		}
		if err := s.check(name); err != nil {
			return fmt.Errorf("shard %d: %w", s.Shard, err)
		}
	}
	return nil
}

func (s *Shard) check(name string) error {
	switch {
	case s.RDB.Key != rdbKey(name, s.Shard):
		return fmt.Errorf("its data is said to be in %q", s.RDB.Key)
	case s.RDB.Size <= 0:
		return fmt.Errorf("its data has %d bytes", s.RDB.Size)
	case !isHex(s.RDB.SHA256, 32):
		return fmt.Errorf("SHA-256 %q", s.RDB.SHA256)
	case !isHex(s.Digest, 32):
		return fmt.Errorf("digest %q", s.Digest)
	case s.Position.Epoch < 0 || s.Keys < 0 || s.Expires < 0 || s.Expires > s.Keys:
		return fmt.Errorf("%v, %d keys, %d with an expiry", s.Position, s.Keys, s.Expires)
	}
	keys := 0
	for db, n := range s.Databases {
		if i, err := strconv.Atoi(db); err != nil || i < 0 || n < 0 {
			return fmt.Errorf("database %q has %d keys", db, n)
		}
		keys += n
	}
	if keys != s.Keys {
		return fmt.Errorf("%d keys in all, %d in its databases", s.Keys, keys)
	}
	return nil
}

func isHex(s string, bytes int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == bytes && s == strings.ToLower(s)
}
