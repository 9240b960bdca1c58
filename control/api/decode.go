package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/control/spec"
)

const (
	maxBody  = 256 << 10
	maxDepth = 8
)

// fields are a request's body: the members of a JSON object.
type fields map[string]json.RawMessage

// fields reads the body, which must be one JSON object.
func (r *request) fields() (fields, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, malformed("the body could not be read: %v", err)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" && kind != "application/merge-patch+json" {
		return nil, errMediaType
	}
	return parseFields(body)
}

// optionalFields is fields of a request that may have no body.
func (r *request) optionalFields() (fields, error) {
	if r.ContentLength == 0 {
		return fields{}, nil
	}
	return r.fields()
}

func parseFields(body []byte) (fields, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("the body must be one JSON object")
	}
	if err := walkObject(d, 1); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("the body must be one JSON object, and something follows it")
	}
	var f fields
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, malformed("the body is not JSON: %v", err)
	}
	return f, nil
}

// walkObject reads the rest of an object. It refuses names that are in it twice, of
// which encoding/json would take the last, and great depth.
func walkObject(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return malformed("the body is nested more than %d deep", maxDepth)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return malformed("the body is not JSON: %v", err)
		}
		name, _ := t.(string)
		if seen[name] {
			return malformed("the field %q is in the body twice", name)
		}
		seen[name] = true
		if err := walkValue(d, depth); err != nil {
			return err
		}
	}
	return closing(d)
}

func walkValue(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return malformed("the body is not JSON: %v", err)
	}
	switch t {
	case json.Delim('{'):
		return walkObject(d, depth+1)
	case json.Delim('['):
		if depth+1 > maxDepth {
			return malformed("the body is nested more than %d deep", maxDepth)
		}
		for d.More() {
			if err := walkValue(d, depth+1); err != nil {
				return err
			}
		}
		return closing(d)
	}
	return nil
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return malformed("the body is not JSON: %v", err)
	}
	return nil
}

// over puts the fields over dst, a pointer to a struct, and reports those that it does
// not have or that cannot be what they are. Members that are null are as if left out,
// or, when they are merged as RFC 7396 has it, taken away.
func (f fields) over(dst any, merge bool) spec.Problems {
	var problems spec.Problems
	v := reflect.ValueOf(dst).Elem()
	known := fieldNames(v.Type())
	for _, name := range slices.Sorted(maps.Keys(f)) {
		i, ok := known[name]
		if !ok {
			problems = append(problems, unknownField(name, known))
			continue
		}
		if why := setField(v.Field(i), f[name], merge); why != "" {
			problems = append(problems, spec.Problem{Path: name, Message: why})
		}
	}
	return problems
}

func unknownField(name string, known map[string]int) spec.Problem {
	p := spec.Problem{Path: name, Message: "there is no such field"}
	like := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	if _, ok := known[like]; ok {
		p.Message += ", did you mean " + strconv.Quote(like) + "?"
	}
	return p
}

// setField sets one field, or says why not.
func setField(v reflect.Value, raw json.RawMessage, merge bool) string {
	if string(raw) == "null" {
		if merge {
			v.SetZero()
		}
		return ""
	}
	if m, ok := v.Addr().Interface().(*map[string]string); ok {
		return setMap(m, raw, merge)
	}
	fresh := reflect.New(v.Type())
	if err := json.Unmarshal(raw, fresh.Interface()); err != nil {
		return whyNot(v.Type(), err)
	}
	v.Set(fresh.Elem())
	return ""
}

func setMap(m *map[string]string, raw json.RawMessage, merge bool) string {
	var given map[string]*string
	if err := json.Unmarshal(raw, &given); err != nil {
		return whyNot(reflect.TypeOf(*m), err)
	}
	next := map[string]string{}
	if merge {
		maps.Copy(next, *m)
	}
	for k, v := range given {
		if v == nil {
			delete(next, k)
		} else {
			next[k] = *v
		}
	}
	*m = next
	return ""
}

// whyNot is what a value should have been. It never repeats the value, which may be a
// password.
func whyNot(t reflect.Type, err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err.Error() // of an UnmarshalText of ours
	}
	kind, _, _ := strings.Cut(wrong.Value, " ")
	return fmt.Sprintf("must be %s; there is a JSON %s", inWords(t), kind)
}

func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		if t.Name() != "int" && t.Name() != "int64" {
			return "a text such as \"2GiB\""
		}
		return "a whole number"
	case reflect.Slice:
		return "a list of texts"
	case reflect.Map:
		return "an object of texts"
	}
	return "a text"
}

// jsonName is a field's name in JSON, "" when it is not in it.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

// version is that which a change is made from: If-Match, or the field version, which
// is taken out of the body. nil: none is given.
func (r *request) version(f fields) (*int64, error) {
	var fromBody, fromHeader *int64
	if raw, ok := f["version"]; ok {
		delete(f, "version")
		if err := json.Unmarshal(raw, &fromBody); err != nil {
			return nil, spec.Problems{{Path: "version", Message: "must be a whole number"}}
		}
	}
	if h := r.Header.Get("If-Match"); h != "" && h != "*" {
		text, quoted := strings.CutPrefix(h, `"`)
		text, ends := strings.CutSuffix(text, `"`)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !quoted || !ends {
			return nil, malformed(`If-Match must be the version in quotes, as in ETag: "3"`)
		}
		fromHeader = &n
	}
	switch {
	case fromBody == nil:
		return fromHeader, nil
	case fromHeader != nil && *fromHeader != *fromBody:
		return nil, malformed("If-Match and the field version differ")
	}
	return fromBody, nil
}
