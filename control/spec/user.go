package spec

import (
	"fmt"
	"regexp"
)

// How a user logs in.
const (
	ByPassword = "password"
	NoPassword = "no-password-required"
)

// DefaultUser is the user that is there always; OpenAccess consists of it. Clients
// that have not logged in are it, as in Redis.
const DefaultUser = "default"

// MaxPasswords that a user may have at the same time.
const MaxPasswords = 2

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Default fills in what may be left out.
func (u *User) Default() {
	if u.Authentication == "" {
		u.Authentication = ByPassword
	}
	noNil(&u.PasswordHashes)
	noNilMap(&u.Tags)
}

// Validate reports all that is wrong with a user. Its passwords are judged before they
// are hashed, see CheckPassword.
func (u *User) Validate() Problems {
	var p Problems
	p.check("name", CheckName(u.Name))
	p.check("access_string", CheckAccessString(u.AccessString))
	switch n := len(u.PasswordHashes); {
	case u.Authentication != ByPassword && u.Authentication != NoPassword:
		p.add("authentication", "must be %q or %q, not %q", ByPassword, NoPassword, u.Authentication)
	case u.Authentication == NoPassword && n > 0:
		p.add("passwords", "must not be given when authentication is %q", NoPassword)
	case u.Authentication == ByPassword && n == 0:
		p.add("passwords", "one or two must be given, or authentication %q", NoPassword)
	case n > MaxPasswords:
		p.add("passwords", "there may be at most %d, not %d", MaxPasswords, n)
	}
	for i, h := range u.PasswordHashes {
		if !hashForm.MatchString(h) {
			p.add(fmt.Sprintf("password_hashes[%d]", i), "must be SHA-256 in hex")
		}
		if i > 0 && h == u.PasswordHashes[0] {
			p.add(fmt.Sprintf("passwords[%d]", i), "is the same as the first")
		}
	}
	checkTags(&p, u.Tags)
	return p
}

// CheckChange reports what cannot be changed: the name.
func (u *User) CheckChange(next *User) Problems { return sameName(u.Name, next.Name) }

// Passwords have as many characters as MemoryDB's. They are kept by SHA-256 without
// salt, as in Redis, so short ones would be guessed from it.
const (
	minPassword = 16
	maxPassword = 128
)

// CheckPassword judges a password, and never repeats it.
func CheckPassword(password string) error {
	if n := len(password); n < minPassword || n > maxPassword {
		return fmt.Errorf("must have %d to %d bytes, not %d", minPassword, maxPassword, n)
	}
	for _, r := range password {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("must not have control characters")
		}
	}
	return nil
}
