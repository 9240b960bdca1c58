// Package token keeps the API's bearer tokens in etcd.
//
// A token is rdt_<id>_<secret>. The id is public: lists and logs have it. Of the
// secret, 260 random bits, only SHA-256 is kept, at /redoubt-control/tokens/<id>.
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

const prefix = "/redoubt-control/tokens/"

const maxDescription = 255

var (
	// ErrNotFound: there is no token of that id.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: that is no token, or none that is valid now.
	ErrInvalid = errors.New("not a valid token")
)

// Store is all tokens.
type Store struct {
	etcd *clientv3.Client
	now  func() time.Time
}

// Open returns the tokens in an etcd. The client stays the caller's to close.
func Open(etcd *clientv3.Client) *Store { return &Store{etcd: etcd, now: time.Now} }

// record is what is kept of a token.
type record struct {
	wire.Token
	Hash string `json:"hash"` // SHA-256 of the secret, in hex
}

// Create makes a token; by is who asks. It is shown here and never again.
func (s *Store) Create(ctx context.Context, by string, n wire.NewToken) (*wire.CreatedToken, error) {
	if err := s.check(n).Err(); err != nil {
		return nil, err
	}
	id := strings.ToLower(rand.Text()[:12])
	secret := strings.ToLower(rand.Text() + rand.Text())
	r := record{
		Token: wire.Token{ID: id, Description: n.Description, Role: n.Role, CreatedBy: by, Expires: n.Expires.UTC(),
			Created: s.now().UTC().Truncate(time.Millisecond)},
		Hash: hashOf(secret),
	}
	if n.Expires.IsZero() {
		r.Expires = time.Time{}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("create a token: %w", err)
	}
	resp, err := s.etcd.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(prefix+id), "=", 0)).
		Then(clientv3.OpPut(prefix+id, string(b))).Commit()
	if err != nil {
		return nil, fmt.Errorf("create a token: %w", err)
	}
	if !resp.Succeeded {
		return nil, fmt.Errorf("create a token: the id %s is taken, try again", id)
	}
	return &wire.CreatedToken{Token: r.Token, Secret: wire.Secret("rdt_" + id + "_" + secret)}, nil
}

func (s *Store) check(n wire.NewToken) spec.Problems {
	var p spec.Problems
	if !slices.Contains(wire.Roles, n.Role) {
		p = append(p, spec.Problem{Path: "role", Message: fmt.Sprintf("must be read, operate or admin, not %q", n.Role)})
	}
	if utf8.RuneCountInString(n.Description) > maxDescription {
		p = append(p, spec.Problem{Path: "description", Message: fmt.Sprintf("may have at most %d characters", maxDescription)})
	}
	if !n.Expires.IsZero() && !n.Expires.After(s.now()) {
		p = append(p, spec.Problem{Path: "expires", Message: "must be in the future"})
	}
	return p
}

// List returns all tokens, the oldest first.
func (s *Store) List(ctx context.Context) ([]wire.Token, error) {
	resp, err := s.etcd.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	all := make([]wire.Token, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		var r record
		if err := json.Unmarshal(kv.Value, &r); err != nil {
			return nil, fmt.Errorf("read %s: %w", kv.Key, err)
		}
		all = append(all, r.Token)
	}
	slices.SortFunc(all, func(a, b wire.Token) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// Revoke ends a token, at once and everywhere.
func (s *Store) Revoke(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("token %q: %w", id, ErrNotFound)
	}
	resp, err := s.etcd.Delete(ctx, prefix+id)
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	if resp.Deleted == 0 {
		return fmt.Errorf("token %s: %w", id, ErrNotFound)
	}
	return nil
}

var (
	idForm   = regexp.MustCompile(`^[a-z2-7]{12}$`)
	textForm = regexp.MustCompile(`^rdt_([a-z2-7]{12})_([a-z2-7]{52})$`)
)

// Authenticate finds the token that a text is; ErrInvalid when it is none. It asks
// etcd each time, so that a token that is revoked has no effect from then on.
func (s *Store) Authenticate(ctx context.Context, text string) (*wire.Token, error) {
	m := textForm.FindStringSubmatch(text)
	if m == nil {
		return nil, ErrInvalid
	}
	resp, err := s.etcd.Get(ctx, prefix+m[1])
	if err != nil {
		return nil, fmt.Errorf("read a token: %w", err)
	}
	var r record
	if len(resp.Kvs) > 0 {
		if err := json.Unmarshal(resp.Kvs[0].Value, &r); err != nil {
			return nil, fmt.Errorf("read token %s: %w", m[1], err)
		}
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(m[2])), []byte(r.Hash)) != 1 {
		return nil, ErrInvalid
	}
	if !r.Expires.IsZero() && !s.now().Before(r.Expires) {
		return nil, ErrInvalid
	}
	return &r.Token, nil
}

var anywhere = regexp.MustCompile(`rdt_([a-z2-7]{12})_[a-z2-7]{52}`)

// Redact takes the secrets of tokens out of a text, which people put into the wrong
// places.
func Redact(text string) string { return anywhere.ReplaceAllString(text, "rdt_${1}_(secret)") }

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
