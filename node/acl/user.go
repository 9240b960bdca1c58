package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"

	"github.com/redoubtdb/redoubt/node/command"
)

// Default is the name of the user that connections have before they authenticate.
const Default = "default"

// User is a user and what it may do. It is immutable.
type User struct {
	name      string
	enabled   bool
	noPass    bool
	sanitize  sanitizing
	passwords []hash
	root      *selector
	more      []*selector // those in parentheses
}

// hash is the SHA-256 of a password.
type hash [sha256.Size]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

// sanitizing is which of the two words about RESTORE's payloads was said last. They are
// kept for what describes a user: payloads are always checked here.
type sanitizing bool

const (
	sanitizeAlways sanitizing = false
	sanitizeSkip   sanitizing = true
)

// Name is the user's name.
func (u *User) Name() string { return u.name }

// Enabled tells whether one can log in as the user. Connections that have done so
// before it was disabled go on, as in Redis.
func (u *User) Enabled() bool { return u.enabled }

// NoPass tells that every password is the user's password. Of the default user it
// means that connections need not authenticate.
func (u *User) NoPass() bool { return u.noPass }

// HasPasswords tells whether the user has a password of its own.
func (u *User) HasPasswords() bool { return len(u.passwords) > 0 }

// Unrestricted tells that the user may do everything, so that nothing need be checked.
func (u *User) Unrestricted() bool { return u.root.unrestricted() }

// Authenticate reports whether one can log in as u with the password. It takes the same
// time for each password that is wrong, and as long for a user that does not exist,
// which is nil.
func (u *User) Authenticate(password []byte) bool {
	got := hash(sha256.Sum256(password))
	if u == nil || !u.enabled {
		return false
	}
	if u.noPass {
		return true
	}
	match := 0
	for i := range u.passwords {
		match |= subtle.ConstantTimeCompare(got[:], u.passwords[i][:])
	}
	return match == 1
}

// clone is a copy that may be changed.
func (u *User) clone() *User {
	c := *u
	c.passwords = slices.Clone(u.passwords)
	c.root = u.root.clone()
	c.more = slices.Clone(u.more) // selectors are added and dropped, never changed
	return &c
}

// Grammar is what rules are read by.
type Grammar struct {
	Table *command.Table
	// AllChannels is acl-pubsub-default allchannels: new users and selectors may use
	// every channel.
	AllChannels bool
}

// New is a user as it is before any rule: disabled, without passwords, allowed nothing.
func (g Grammar) New(name string) *User {
	return &User{name: name, root: g.newSelector()}
}

// NewDefault is the default user as a server begins with: it may do everything, and
// needs no password.
func (g Grammar) NewDefault() *User {
	u, err := g.Apply(g.New(Default), "+@all", "~*", "&*", "on", "nopass")
	if err != nil {
		panic("acl: " + err.Error())
	}
	return u
}

// ValidName tells whether a user can have the name.
func ValidName(name string) bool { return !hasSpaces(name) }

// hasSpaces is true for blanks, as C's isspace, and NUL.
func hasSpaces(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == ' ' || '\t' <= c && c <= '\r' || c == 0 {
			return true
		}
	}
	return false
}
