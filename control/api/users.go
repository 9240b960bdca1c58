package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// buildUser makes a user of what is asked for, with hashes instead of passwords. When
// none are given, those it has stay, unless none are needed.
func buildUser(r *request, was *spec.User, in *wire.UserInput) (spec.User, error) {
	u := spec.User{Name: in.Name, AccessString: in.AccessString, Authentication: in.Authentication, Tags: in.Tags}
	if len(in.Passwords) == 0 {
		if was != nil && u.Authentication != spec.NoPassword {
			u.PasswordHashes = was.PasswordHashes
		}
		return u, nil
	}
	if r.TLS == nil {
		return u, errPlain
	}
	var problems spec.Problems
	for i, p := range in.Passwords {
		if err := spec.CheckPassword(string(p)); err != nil {
			problems = append(problems, spec.Problem{Path: fmt.Sprintf("passwords[%d]", i), Message: err.Error()})
		}
		sum := sha256.Sum256([]byte(p))
		u.PasswordHashes = append(u.PasswordHashes, hex.EncodeToString(sum[:]))
	}
	return u, problems.Err()
}
