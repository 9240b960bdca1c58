// Package acl is access control as Redis 7.2 has it: users, the rules that make them,
// and the decision whether a user may run a command. It knows the command table and
// neither a network nor a clock.
//
// A User never changes. Grammar.Apply returns a changed copy, so that a user can be
// handed to many connections and replaced by storing one pointer. Passwords are kept
// as SHA-256 only.
//
// Commands and categories of a rule are resolved when it is applied, as in Redis: a
// user with +@read has the commands of that category that this program's table has.
// What is described (Describe, Selector) are the rules as they were given, less those
// that a later one has made void, so that a newer program that reads them gives the
// user what its own table says.
package acl
