package awsstub

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var (
	argumentMember = regexp.MustCompile(`\((?:this\._|struct\.|struct!\.)(\w+?)(?:\.internalValue)?\)$`)
	structFunction = regexp.MustCompile(`^(?:cdktf\.listMapperHcl\()?(\w+ToHclTerraform)(?:, (true|false)\))?\(`)
)

// block reads the schema of one object: class says what it has, arguments what can
// be set.
func (s *source) block(className, arguments string) (Block, error) {
	block := Block{Attributes: map[string]Attribute{}, Blocks: map[string]NestedBlock{}}
	cls, ok := s.classes[className]
	if !ok && !s.provider {
		return block, fmt.Errorf("no class %s", className)
	}
	for _, a := range s.settable[arguments] {
		m := argumentMember.FindStringSubmatch(a.value)
		if m == nil {
			return block, fmt.Errorf("%s.%s: not understood: %q", className, a.name, a.value)
		}
		required := ok && !cls.resettable[m[1]]
		if err := s.argument(&block, a, required); err != nil {
			return block, fmt.Errorf("%s.%s: %w", className, a.name, err)
		}
	}
	for name, expression := range cls.attributes {
		if _, ok := block.Attributes[name]; ok {
			continue
		}
		if _, ok := block.Blocks[name]; ok {
			continue
		}
		kind, err := s.readType(expression)
		if err != nil {
			return block, fmt.Errorf("%s.%s: %w", className, name, err)
		}
		block.Attributes[name] = Attribute{Type: kind, Computed: true}
	}
	return block, nil
}

// argument adds one argument to block, as attribute or as nested block.
func (s *source) argument(block *Block, a argument, required bool) error {
	m := structFunction.FindStringSubmatch(a.value)
	if m == nil {
		kind, err := simpleType(a)
		if err != nil {
			return err
		}
		block.Attributes[a.name] = Attribute{Type: kind, Required: required, Optional: !required, Computed: !required && !s.provider}
		return nil
	}
	name := strings.TrimSuffix(m[1], "ToHclTerraform")
	inner, err := s.block(strings.ToUpper(name[:1])+name[1:]+"OutputReference", m[1])
	if err != nil {
		return err
	}
	nested := NestedBlock{Nesting: a.kind, Block: inner}
	if required {
		nested.Min = 1
	}
	switch {
	case a.kind == "struct":
		nested.Nesting = "single"
	case a.kind != "list" && a.kind != "set":
		return fmt.Errorf("a block that is a %q", a.kind)
	case m[2] == "": // not mapped over a list: there is one at most
		nested.Max = 1
	case m[2] == "false": // an attribute that is written like a block
		block.Attributes[a.name] = Attribute{
			Type: collection(a.kind, objectType(inner)), Required: required, Optional: !required, Computed: !required,
		}
		return nil
	}
	block.Blocks[a.name] = nested
	return nil
}

func simpleType(a argument) (json.RawMessage, error) {
	element := map[string]string{
		"string": "string", "number": "number", "boolean": "bool",
		"stringList": "string", "numberList": "number",
		"stringMap": "string", "numberMap": "number", "booleanMap": "bool",
	}[a.storage]
	if element == "" {
		if a.storage == "stringMapList" {
			return collection("list", collection("map", primitive("string"))), nil
		}
		return nil, fmt.Errorf("an argument that is stored as %q", a.storage)
	}
	switch a.kind {
	case "simple":
		return primitive(element), nil
	case "list", "set", "map":
		return collection(a.kind, primitive(element)), nil
	}
	return nil, fmt.Errorf("an argument that is a %q", a.kind)
}

var readCall = regexp.MustCompile(`^(cdktf\.Fn\.tolist\()?this\.get(\w+)Attribute\(`)

// readType is the type of an attribute that cannot be set.
func (s *source) readType(expression string) (json.RawMessage, error) {
	if m := readCall.FindStringSubmatch(expression); m != nil {
		list := "list"
		if m[1] != "" {
			list = "set"
		}
		switch m[2] {
		case "String":
			return primitive("string"), nil
		case "Number":
			return primitive("number"), nil
		case "Boolean":
			return primitive("bool"), nil
		case "List":
			return collection(list, primitive("string")), nil
		case "NumberList":
			return collection(list, primitive("number")), nil
		case "StringMap":
			return collection("map", primitive("string")), nil
		case "NumberMap":
			return collection("map", primitive("number")), nil
		case "BooleanMap":
			return collection("map", primitive("bool")), nil
		}
		return nil, fmt.Errorf("read by %q", expression)
	}
	name, set, _ := strings.Cut(strings.TrimPrefix(expression, "new "), " ")
	switch name {
	case "cdktf.StringMap":
		return collection("map", primitive("string")), nil
	case "cdktf.NumberMap":
		return collection("map", primitive("number")), nil
	case "cdktf.BooleanMap":
		return collection("map", primitive("bool")), nil
	case "cdktf.StringMapList":
		return collection("list", collection("map", primitive("string"))), nil
	}
	element := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "OutputReference"), "List"), "Map")
	if _, ok := s.classes[element+"OutputReference"]; !ok {
		return nil, fmt.Errorf("no class %sOutputReference", element)
	}
	inner, err := s.block(element+"OutputReference", noArguments)
	if err != nil {
		return nil, err
	}
	kind := "list"
	switch {
	case set == "true":
		kind = "set"
	case strings.HasSuffix(name, "Map"):
		kind = "map"
	}
	return collection(kind, objectType(inner)), nil
}

func primitive(name string) json.RawMessage { return json.RawMessage(`"` + name + `"`) }

func collection(kind string, element json.RawMessage) json.RawMessage {
	return json.RawMessage(`["` + kind + `",` + string(element) + `]`)
}

// objectType is a block as the type of an attribute.
func objectType(block Block) json.RawMessage {
	fields := make(map[string]json.RawMessage, len(block.Attributes)+len(block.Blocks))
	for name, attribute := range block.Attributes {
		fields[name] = attribute.Type
	}
	for name, nested := range block.Blocks {
		kind := nested.Nesting
		if kind == "single" {
			fields[name] = objectType(nested.Block)
			continue
		}
		fields[name] = collection(kind, objectType(nested.Block))
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of what was encoded here
	}
	return json.RawMessage(`["object",` + string(text) + `]`)
}
