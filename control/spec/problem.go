package spec

import (
	"fmt"
	"strings"
)

// Problem is what is wrong with one field.
type Problem struct {
	// Path is the field's, as in JSON: node_memory, user_names[1], parameters.timeout.
	Path    string `json:"path"`
	Message string `json:"message"` // what is wrong, and what to do
}

// Problems are all that is wrong with a resource; as an error there is at least one.
type Problems []Problem

func (p Problems) Error() string {
	parts := make([]string, len(p))
	for i, one := range p {
		parts[i] = one.Path + ": " + one.Message
	}
	return strings.Join(parts, "; ")
}

// Err is p as an error, nil when nothing is wrong.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

func (p *Problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// check adds what err says, if it says something.
func (p *Problems) check(path string, err error) {
	if err != nil {
		p.add(path, "%v", err)
	}
}
