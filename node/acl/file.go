package acl

import (
	"errors"
	"fmt"
	"strings"
)

// ParseFile reads users in the format of an ACL file, a line "user <name> <rules>" each.
// It tells everything that is wrong with it in one error, and then returns no users.
// name is what the error calls the file.
func (g Grammar) ParseFile(name, text string) (map[string]*User, error) {
	users := map[string]*User{}
	var wrong strings.Builder
	for i, line := range strings.Split(text, "\n") {
		words := strings.Split(strings.Trim(line, " \t\r\n"), " ")
		at := fmt.Sprintf("%s:%d", name, i+1)
		switch {
		case len(words) == 1 && words[0] == "":
		case words[0] != "user" || len(words) < 2:
			fmt.Fprintf(&wrong, "%s should start with user keyword followed by the username. ", at)
		case !ValidName(words[1]):
			fmt.Fprintf(&wrong, "'%s: username '%s' contains invalid characters. ", at, words[1])
		case users[words[1]] != nil:
			fmt.Fprintf(&wrong, "WARNING: Duplicate user '%s' found on line %d. ", words[1], i+1)
		default:
			users[words[1]] = g.parseLine(&wrong, at, words[1], words[2:])
		}
	}
	if wrong.Len() > 0 {
		return nil, errors.New(wrong.String() + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
	}
	return users, nil
}

// parseLine makes the user of one line. Of errors but unknown commands only the first
// is told, and without the rule: it may be a password.
func (g Grammar) parseLine(wrong *strings.Builder, at, name string, rules []string) *User {
	u := g.New(name)
	whole, err := joinSelectors(rules)
	if err != nil {
		fmt.Fprintf(wrong, "%s: Unmatched parenthesis in selector definition.", at)
		return u
	}
	told := false
	for _, r := range whole {
		r = strings.Trim(r, "\t\r\n")
		switch err := g.apply(u, r); {
		case errors.Is(err, ErrUnknownCommand):
			fmt.Fprintf(wrong, "%s: Error in applying operation '%s': %s. ", at, r, err)
		case err != nil && !told:
			fmt.Fprintf(wrong, "%s: %s. ", at, err)
			told = true
		}
	}
	return u
}

// ParseRules makes a user of a line of rules, split at blanks.
func (g Grammar) ParseRules(name, rules string) (*User, error) {
	return g.Apply(g.New(name), strings.Fields(rules)...)
}
