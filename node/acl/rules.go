package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/node/resp"
)

// Problem is why a rule is refused, in Redis's words.
type Problem string

func (p Problem) Error() string { return string(p) }

// The problems that rules have.
const (
	ErrUnknownCommand Problem = "Unknown command or category name in ACL"
	ErrSyntax         Problem = "Syntax error"
	ErrAllKeys        Problem = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
	ErrAllChannels    Problem = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
	ErrNoSuchPassword Problem = "The password you are trying to remove from the user does not exist"
	ErrHash           Problem = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
	ErrFirstArg       Problem = "Allowing first-arg of a subcommand is not supported"
)

// RuleError is the rule that could not be applied, and why.
type RuleError struct {
	Rule string
	Err  error
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("Error in ACL SETUSER modifier '%s': %s", e.Rule, e.Err)
}

func (e *RuleError) Unwrap() error { return e.Err }

// UnmatchedError is the beginning of a selector that does not end.
type UnmatchedError struct{ Rule string }

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("Unmatched parenthesis in acl selector starting at '%s'.", e.Rule)
}

// Apply returns u changed by rules, in order: all of them or, with an error
// (*RuleError, *UnmatchedError), none. A selector may be spread over several rules.
func (g Grammar) Apply(u *User, rules ...string) (*User, error) {
	whole, err := joinSelectors(rules)
	if err != nil {
		return nil, err
	}
	changed := u.clone()
	for _, r := range whole {
		if err := g.apply(changed, r); err != nil {
			return nil, &RuleError{r, err}
		}
	}
	return changed, nil
}

// joinSelectors puts selectors that were split at their blanks together again.
func joinSelectors(rules []string) ([]string, error) {
	whole := make([]string, 0, len(rules))
	begin := -1
	for i, r := range rules {
		switch {
		case begin < 0 && strings.HasPrefix(r, "(") && !strings.HasSuffix(r, ")"):
			begin = i
		case begin < 0:
			whole = append(whole, r)
		case strings.HasSuffix(r, ")"):
			whole = append(whole, strings.Join(rules[begin:i+1], " "))
			begin = -1
		}
	}
	if begin >= 0 {
		return nil, &UnmatchedError{rules[begin]}
	}
	return whole, nil
}

// apply applies one rule to u, which nobody else has.
func (g Grammar) apply(u *User, rule string) error {
	switch word := lower(rule); word {
	case "":
	case "on", "off":
		u.enabled = word == "on"
	case "sanitize-payload":
		u.sanitize = sanitizeAlways
	case "skip-sanitize-payload":
		u.sanitize = sanitizeSkip
	case "nopass", "resetpass":
		u.noPass, u.passwords = word == "nopass", nil
	case "clearselectors":
		u.more = nil
	case "reset":
		*u = *g.New(u.name)
	default:
		switch {
		case rule[0] == '>' || rule[0] == '#' || rule[0] == '<' || rule[0] == '!':
			return u.applyPassword(rule)
		case rule[0] == '(' && rule[len(rule)-1] == ')' && len(rule) > 1:
			s, err := g.parseSelector(rule[1 : len(rule)-1])
			if err != nil {
				return err
			}
			u.more = append(u.more, s)
			return nil
		}
		return g.applyToSelector(u.root, rule)
	}
	return nil
}

// applyPassword adds a password (>) or its hash (#), or removes it (<, !).
func (u *User) applyPassword(rule string) error {
	h := hash(sha256.Sum256([]byte(rule[1:])))
	if rule[0] == '#' || rule[0] == '!' {
		var err error
		if h, err = parseHash(rule[1:]); err != nil {
			return err
		}
	}
	at := slices.Index(u.passwords, h)
	switch {
	case rule[0] == '>' || rule[0] == '#':
		if at < 0 {
			u.passwords = append(u.passwords, h)
		}
		u.noPass = false
	case at < 0:
		return ErrNoSuchPassword
	default:
		u.passwords = slices.Delete(u.passwords, at, at+1)
	}
	return nil
}

func parseHash(digits string) (h hash, err error) {
	if len(digits) != hex.EncodedLen(len(h)) || lower(digits) != digits {
		return h, ErrHash
	}
	if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
		return h, ErrHash
	}
	return h, nil
}

// parseSelector reads what is between parentheses. As in Redis, quotes that are not
// balanced make a selector that allows nothing.
func (g Grammar) parseSelector(text string) (*selector, error) {
	s := g.newSelector()
	rules, ok := resp.SplitArgs([]byte(text))
	if !ok {
		return s, nil
	}
	for _, r := range rules {
		if len(r) == 0 {
			return nil, ErrSyntax
		}
		if err := g.applyToSelector(s, string(r)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lower folds ASCII only: other letters have no case here, as in C.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
