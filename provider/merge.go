package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// clashError: others have changed the same fields since the plan was made.
type clashError struct{ fields []string }

func (e *clashError) Error() string {
	return "changed by somebody else since this was planned: " + strings.Join(e.fields, ", ")
}

// merge puts what differs between base and mine over theirs: field by field, lists and
// maps element by element. The fields that theirs has otherwise than both are returned
// as clashes, by their names in JSON.
func merge[T any](base, mine, theirs T) (next T, clashes []string, err error) {
	var b, m, t map[string]any
	for _, one := range []struct {
		from T
		to   *map[string]any
	}{{base, &b}, {mine, &m}, {theirs, &t}} {
		if *one.to, err = members(one.from); err != nil {
			return next, nil, err
		}
	}
	clashes = mergeMembers(b, m, t, "")
	slices.Sort(clashes)
	raw, err := json.Marshal(t)
	if err == nil {
		err = json.Unmarshal(raw, &next)
	}
	if err != nil {
		return next, nil, fmt.Errorf("merge a change: %w", err)
	}
	return next, clashes, nil
}

func mergeMembers(base, mine, theirs map[string]any, at string) (clashes []string) {
	for name := range union(base, mine) {
		b, m, t := base[name], mine[name], theirs[name]
		if reflect.DeepEqual(b, m) {
			continue
		}
		bm, wasMap := b.(map[string]any)
		if mm, ok := m.(map[string]any); ok || wasMap {
			tm, _ := t.(map[string]any)
			tm = maps.Clone(tm)
			if tm == nil {
				tm = map[string]any{}
			}
			clashes = append(clashes, mergeMembers(bm, mm, tm, at+name+".")...)
			theirs[name] = tm
			continue
		}
		bl, wasList := b.([]any)
		if ml, ok := m.([]any); ok || wasList {
			tl, _ := t.([]any)
			theirs[name] = mergeSets(bl, ml, tl)
			continue
		}
		if !reflect.DeepEqual(t, b) && !reflect.DeepEqual(t, m) {
			clashes = append(clashes, at+name)
		} else if theirs[name] = m; m == nil {
			delete(theirs, name)
		}
	}
	return clashes
}

// mergeSets adds to theirs what mine adds to base, and removes what it removes.
func mergeSets(base, mine, theirs []any) []any {
	next := []any{}
	for _, e := range theirs {
		if !slices.Contains(base, e) || slices.Contains(mine, e) {
			next = append(next, e)
		}
	}
	for _, e := range mine {
		if !slices.Contains(base, e) && !slices.Contains(next, e) {
			next = append(next, e)
		}
	}
	return next
}

// members are a struct's fields by their names in JSON.
func members(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("read a %T: %w", v, err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("read a %T: %w", v, err)
	}
	return out, nil
}

func union(a, b map[string]any) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// asked reports whether what is there is what is asked for, but for the fields that
// are not comparable or that were left to the control plane.
func asked[T any](want, have T, except ...string) bool {
	w, err1 := members(want)
	h, err2 := members(have)
	for _, name := range except {
		delete(w, name)
		delete(h, name)
	}
	return err1 == nil && err2 == nil && reflect.DeepEqual(w, h)
}
