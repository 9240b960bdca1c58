package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// categories are those of Redis 7.
var categories = strings.Fields(`admin all bitmap blocking connection dangerous fast geo hash
	hyperloglog keyspace list pubsub read scripting set slow sortedset stream string transaction write`)

// plainRules are the rules without an argument that an access string may have.
var plainRules = []string{
	"on", "off", "allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands",
	"clearselectors", "sanitize-payload", "skip-sanitize-payload",
}

const maxAccessString = 16 << 10

var (
	commandForm = regexp.MustCompile(`^[a-z0-9_.-]+(\|[a-z0-9_.:-]+)?$`)
	keyForm     = regexp.MustCompile(`^%([Rr][Ww]?|[Ww][Rr]?)~.*$`)
)

// CheckAccessString judges the form of Redis's ACL rules, without passwords. Whether
// each command exists the nodes know: an engine may have more than another.
func CheckAccessString(text string) error {
	if len(text) > maxAccessString {
		return fmt.Errorf("may have at most %d bytes, not %d", maxAccessString, len(text))
	}
	rules := strings.Fields(text)
	if len(rules) == 0 {
		return errors.New(`must be given, such as "on ~app:* +@read"`)
	}
	var inSelector bool
	for _, rule := range rules {
		if strings.HasPrefix(rule, "(") {
			if inSelector {
				return fmt.Errorf("%q begins a selector inside of another", rule)
			}
			inSelector, rule = true, rule[1:]
		}
		ends := inSelector && strings.HasSuffix(rule, ")")
		if ends {
			rule = strings.TrimSuffix(rule, ")")
		}
		if rule != "" {
			if err := checkRule(rule, inSelector); err != nil {
				return err
			}
		}
		inSelector = inSelector && !ends
	}
	if inSelector {
		return errors.New("a selector that begins with ( does not end with )")
	}
	return nil
}

func checkRule(rule string, inSelector bool) error {
	lower := strings.ToLower(rule)
	switch {
	case strings.ContainsRune("><#!", rune(rule[0])) || lower == "nopass" || lower == "resetpass":
		// Not the rule itself: it may be a password.
		return errors.New("must not have passwords (>, <, #, !, nopass, resetpass): they are the user's passwords and authentication")
	case lower == "reset":
		return errors.New("must not have \"reset\": the access string is always applied to a new user")
	case slices.Contains(plainRules, lower):
		if inSelector && (lower == "on" || lower == "off" || lower == "clearselectors" || strings.HasSuffix(lower, "payload")) {
			return fmt.Errorf("%q cannot be in a selector", rule)
		}
		return nil
	case rule[0] == '~', rule[0] == '&', keyForm.MatchString(rule):
		return nil
	case strings.HasPrefix(lower, "+@"), strings.HasPrefix(lower, "-@"):
		if !slices.Contains(categories, lower[2:]) {
			return fmt.Errorf("%q: there is no such category; they are %s", rule, strings.Join(categories, ", "))
		}
		return nil
	case rule[0] == '+' || rule[0] == '-':
		if !commandForm.MatchString(lower[1:]) {
			return fmt.Errorf("%q is not a command such as +get or +config|get", rule)
		}
		return nil
	}
	return fmt.Errorf("%q is not an ACL rule such as on, ~app:*, &news:*, +@read, -flushall", rule)
}
