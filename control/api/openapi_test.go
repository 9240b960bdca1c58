package api_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// document is as much of OpenAPI as the tests look at.
type document struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas    map[string]schema          `json:"schemas"`
		Parameters map[string]json.RawMessage `json:"parameters"`
		Responses  map[string]json.RawMessage `json:"responses"`
	} `json:"components"`
}

type schema struct {
	AllOf []struct {
		Ref string `json:"$ref"`
	} `json:"allOf"`
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
}

func readDocument(t *testing.T) (d document, text string) {
	t.Helper()
	b, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d, string(b)
}

// The document has the routes that there are.
func TestOpenAPIRoutes(t *testing.T) {
	d, _ := readDocument(t)
	var described, served []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range api.Routes() {
		served = append(served, r.Method+" "+r.Path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described: %q\nserved: %q", described, served)
	}
}

// The document has the fields that the types have.
func TestOpenAPIFields(t *testing.T) {
	d, text := readDocument(t)
	types := map[string]reflect.Type{
		"UserStatus": reflect.TypeFor[spec.UserStatus](), "SetStatus": reflect.TypeFor[spec.SetStatus](),
		"Health": api.Health, "Page": reflect.TypeFor[wire.List[string]](), "Resource": reflect.TypeFor[wire.Resource[string]](),
		"Deletion": reflect.TypeFor[wire.Deletion](), "Cluster": reflect.TypeFor[spec.Cluster](), "User": reflect.TypeFor[wire.User](),
		"UserInput": reflect.TypeFor[wire.UserInput](), "ACL": reflect.TypeFor[spec.ACL](), "ParameterGroup": reflect.TypeFor[spec.ParameterGroup](),
		"Snapshot": reflect.TypeFor[spec.Snapshot](), "DeleteCluster": reflect.TypeFor[wire.DeleteCluster](), "Failover": reflect.TypeFor[wire.Failover](),
		"Host": reflect.TypeFor[fleet.Host](), "Operation": reflect.TypeFor[wire.Operation](), "Progress": reflect.TypeFor[wire.Progress](),
		"Event": reflect.TypeFor[wire.Event](), "Token": reflect.TypeFor[wire.Token](), "NewToken": reflect.TypeFor[wire.NewToken](),
		"CreatedToken": reflect.TypeFor[wire.CreatedToken](), "Problem": reflect.TypeFor[wire.Problem](), "FieldProblem": reflect.TypeFor[spec.Problem](),
	}
	for name, s := range d.Components.Schemas {
		if _, ok := types[name]; !ok && len(s.Properties) > 0 && !strings.HasSuffix(name, "Resource") {
			t.Errorf("the document has a schema %s, of which no type is known", name)
		}
	}
	for name, typ := range types {
		described := d.properties(name)
		has := slices.Sorted(slices.Values(fieldsOf(typ)))
		if !slices.Equal(described, has) {
			t.Errorf("%s is described with %q\nand has %q", name, described, has)
		}
		for _, r := range d.Components.Schemas[name].Required {
			if !slices.Contains(has, r) {
				t.Errorf("%s requires %s, which it does not have", name, r)
			}
		}
	}
	for _, part := range strings.Split(text, `$ref: "`)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		if !d.has(ref) {
			t.Errorf("%s is referred to and not there", ref)
		}
	}
}

// properties are a schema's, with those of what it is made of.
func (d *document) properties(name string) []string {
	s := d.Components.Schemas[name]
	all := slices.Collect(maps.Keys(s.Properties))
	for _, of := range s.AllOf {
		all = append(all, d.properties(of.Ref[strings.LastIndex(of.Ref, "/")+1:])...)
	}
	slices.Sort(all)
	return all
}

func (d *document) has(ref string) bool {
	parts := strings.Split(ref, "/")
	if len(parts) != 4 || parts[0] != "#" || parts[1] != "components" {
		return false
	}
	_, s := d.Components.Schemas[parts[3]]
	_, p := d.Components.Parameters[parts[3]]
	_, r := d.Components.Responses[parts[3]]
	return map[string]bool{"schemas": s, "parameters": p, "responses": r}[parts[2]]
}

func fieldsOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			names = append(names, fieldsOf(f.Type)...)
		} else if name != "-" {
			names = append(names, name)
		}
	}
	return names
}
