package awsstub

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// source is the generated JavaScript of one resource or data source, cut into what
// the schema is read from. It is machine-made and regular; a shape that is not known
// here is an error, never skipped.
type source struct {
	typeName string // aws_s3_bucket
	data     bool   // a data source
	provider bool   // the provider itself, whose blocks have no classes to tell what is required
	root     string // class of the resource itself
	classes  map[string]class
	settable map[string][]argument // by function, or one of the keys below
}

// class is what can be read of an object: its attributes, and which of its
// arguments can be left out.
type class struct {
	attributes map[string]string // attribute to the expression that reads it
	resettable map[string]bool   // in camelCase
}

// argument is one entry of what an object is configured with.
type argument struct {
	name    string // snake_case
	value   string // expression
	kind    string // simple, list, set, map, struct
	storage string // string, stringList, ...
}

// Keys of settable beside the functions' names.
const (
	rootArguments = "the resource itself"
	noArguments   = "nothing" // of objects that can only be read
)

var (
	classLine    = regexp.MustCompile(`^class (\w+) extends cdktf\.(\w+) \{`)
	resetLine    = regexp.MustCompile(`^    reset\w+\(\) \{`)
	unsetLine    = regexp.MustCompile(`^        this\._(\w+?)(?:\.internalValue)? = undefined;`)
	readLine     = regexp.MustCompile(`^        return (.*this\.get\w+Attribute\('(\w+)'\)\)?);`)
	memberLine   = regexp.MustCompile(`^        this\._\w+ = (new [\w.]+)\(this, "(\w+)"(?:, (true|false))?\);`)
	functionLine = regexp.MustCompile(`^function (\w+ToHclTerraform)\(struct\) \{`)
	rootHclLine  = regexp.MustCompile(`^    synthesizeHclAttributes\(\) \{`)
	entryLine    = regexp.MustCompile(`^ {8,12}(\w+): \{$`)
	fieldLine    = regexp.MustCompile(`^ {12,16}(value|isBlock|type|storageClassType): (.*),$`)
	typeNameLine = regexp.MustCompile(`^(\w+)\.tfResourceType = "(\w+)";`)
)

// parseSource cuts up the text of one resource's files.
func parseSource(text string) (*source, error) {
	s := &source{classes: map[string]class{}, settable: map[string][]argument{}}
	var current class
	base := map[string]string{}
	target, inAttrs, inReset := noArguments, false, false
	var entry *argument
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := classLine.FindStringSubmatch(line); m != nil {
			current = class{attributes: map[string]string{}, resettable: map[string]bool{}}
			s.classes[m[1]], base[m[1]] = current, m[2]
			target = noArguments
		} else if m := unsetLine.FindStringSubmatch(line); m != nil && inReset {
			current.resettable[m[1]] = true
		} else if m := readLine.FindStringSubmatch(line); m != nil {
			current.attributes[m[2]] = m[1]
		} else if m := memberLine.FindStringSubmatch(line); m != nil {
			current.attributes[m[2]] = m[1] + " " + m[3]
		} else if m := functionLine.FindStringSubmatch(line); m != nil {
			target = m[1]
		} else if rootHclLine.MatchString(line) {
			target = rootArguments
		} else if m := typeNameLine.FindStringSubmatch(line); m != nil {
			s.root, s.typeName = m[1], m[2]
		}
		inReset = resetLine.MatchString(line)
		switch {
		case strings.TrimSpace(line) == "const attrs = {":
			inAttrs = true
		case inAttrs && entry == nil && strings.TrimSpace(line) == "};":
			inAttrs = false
		case inAttrs && entry == nil:
			m := entryLine.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("not understood: %q", line)
			}
			entry = &argument{name: m[1]}
		case inAttrs && strings.TrimSpace(line) == "},":
			s.settable[target] = append(s.settable[target], *entry)
			entry = nil
		case inAttrs:
			if err := entry.field(line); err != nil {
				return nil, err
			}
		}
	}
	if s.root == "" {
		return nil, errors.New("no tfResourceType")
	}
	s.data = base[s.root] == "TerraformDataSource"
	s.provider = base[s.root] == "TerraformProvider"
	return s, nil
}

func (a *argument) field(line string) error {
	m := fieldLine.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("not understood: %q", line)
	}
	switch m[1] {
	case "value":
		a.value = m[2]
	case "type":
		a.kind = strings.Trim(m[2], `"`)
	case "storageClassType":
		a.storage = strings.Trim(m[2], `"`)
	}
	return nil
}
