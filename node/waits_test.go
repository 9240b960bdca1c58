package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func aList() content { return content{found: true, typ: keyspace.TypeList} }

// waitScript is a wait table together with what keys hold: a number of elements of
// one type.
type waitScript struct {
	*waitTable
	names  map[*waiter]string
	by     map[string]*waiter
	holds  map[watchKey]content
	left   map[watchKey]int
	served []string
}

func newWaitScript() *waitScript {
	return &waitScript{waitTable: newWaitTable(), names: map[*waiter]string{}, by: map[string]*waiter{},
		holds: map[watchKey]content{}, left: map[watchKey]int{}}
}

func (s *waitScript) wait(name string, typ keyspace.Type, anyChange bool, keys ...string) {
	w := &waiter{typ: typ, anyChange: anyChange}
	for _, k := range keys {
		w.keys = append(w.keys, watchKey{0, k})
	}
	s.names[w], s.by[name] = name, w
	s.add(w)
}

// put gives a key n more elements, or with -1 deletes it.
func (s *waitScript) put(key string, typ keyspace.Type, n int) {
	k := watchKey{0, key}
	if n < 0 {
		s.left[k], s.holds[k] = 0, content{}
	} else {
		s.left[k] += n
		s.holds[k] = content{found: true, typ: typ}
	}
	s.touched(k, s.holds[k])
}

// serveAll lets each waiter take one element of the first of its keys that has one of its
// type; who finds none waits on.
func (s *waitScript) serveAll() {
	err := s.serve(func(k watchKey) content { return s.holds[k] }, func(w *waiter) error {
		for _, k := range w.keys {
			if c := s.holds[k]; c.found && c.typ == w.typ {
				s.served = append(s.served, s.names[w]+":"+k.key)
				s.remove(w)
				if s.left[k]--; s.left[k] <= 0 {
					s.holds[k] = content{}
				}
				return nil
			}
		}
		s.served = append(s.served, s.names[w]+":-")
		return nil
	})
	if err != nil {
		panic(err)
	}
}

func TestWhoIsServed(t *testing.T) {
	const l, z, x = keyspace.TypeList, keyspace.TypeZSet, keyspace.TypeStream
	for _, c := range []struct {
		name string
		run  func(s *waitScript)
		want string
	}{
		{"nobody waits", func(s *waitScript) { s.put("k", l, 1) }, ""},
		{"who waits longest", func(s *waitScript) {
			s.wait("a", l, false, "k")
			s.wait("b", l, false, "k")
			s.put("k", l, 1)
		}, "a:k"},
		{"as many as there are elements", func(s *waitScript) {
			s.wait("a", l, false, "k")
			s.wait("b", l, false, "k")
			s.wait("c", l, false, "k")
			s.put("k", l, 2)
		}, "a:k b:k"},
		{"keys as they became ready", func(s *waitScript) {
			s.wait("a", l, false, "1")
			s.wait("b", l, false, "2")
			s.wait("c", l, false, "2", "1")
			s.put("2", l, 2)
			s.put("1", l, 1)
			s.put("2", l, 0)
		}, "b:2 c:2 a:1"},
		{"the client's first key, whichever woke it", func(s *waitScript) {
			s.wait("a", l, false, "1", "2")
			s.put("2", l, 1)
			s.put("1", l, 1)
		}, "a:1"},
		{"another type leaves it waiting", func(s *waitScript) {
			s.wait("a", l, false, "k")
			s.wait("b", z, false, "k")
			s.put("k", z, 1)
		}, "b:k"},
		{"gone before it is looked at", func(s *waitScript) {
			s.wait("a", l, false, "k")
			s.put("k", l, 1)
			s.put("k", l, -1)
		}, ""},
		{"a deleted key wakes who asked for it", func(s *waitScript) {
			s.wait("a", x, false, "k")
			s.wait("b", x, true, "k")
			s.put("k", x, -1)
		}, "b:-"},
		{"another type wakes who asked for it", func(s *waitScript) {
			s.wait("b", x, true, "k")
			s.put("k", l, 1)
		}, "b:-"},
		{"a key named twice", func(s *waitScript) {
			s.wait("a", l, false, "k", "k")
			s.wait("b", l, false, "k")
			s.put("k", l, 3)
			s.serveAll()
			s.put("k", l, 1)
		}, "a:k b:k"},
		{"who left is not served", func(s *waitScript) {
			s.wait("a", l, false, "k", "m")
			s.wait("b", l, false, "k")
			s.put("k", l, 1)
			s.remove(s.by["a"])
			s.remove(s.by["a"])
		}, "b:k"},
		{"nobody is left", func(s *waitScript) {
			s.wait("a", l, false, "k")
			s.put("k", l, 1)
			s.remove(s.by["a"])
		}, ""},
	} {
		s := newWaitScript()
		c.run(s)
		s.serveAll()
		if got := strings.Join(s.served, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if len(s.ready) > 0 {
			t.Errorf("%s: %v is still ready", c.name, s.ready)
		}
	}
}

// What serving makes ready is served in the same go; an error ends it.
func TestServingMakesKeysReady(t *testing.T) {
	s := newWaitScript()
	for i := range 4 {
		s.wait(fmt.Sprint(i), keyspace.TypeList, false, fmt.Sprint("k", i))
	}
	s.touched(watchKey{0, "k0"}, aList())
	var order []string
	move := func(w *waiter) error {
		order = append(order, s.names[w])
		s.remove(w)
		s.touched(watchKey{0, "k" + fmt.Sprint(len(order))}, aList())
		return nil
	}
	if err := s.serve(func(watchKey) content { return aList() }, move); err != nil || strings.Join(order, "") != "0123" {
		t.Errorf("served %v, %v", order, err)
	}
	if len(s.queues)+len(s.waiting)+len(s.ready) != 0 {
		t.Errorf("left: %v %v %v", s.queues, s.waiting, s.ready)
	}
	s.wait("a", keyspace.TypeList, false, "k")
	s.touched(watchKey{0, "k"}, aList())
	failed := errors.New("term over")
	if err := s.serve(func(watchKey) content { return aList() }, func(*waiter) error { return failed }); err != failed {
		t.Errorf("error %v", err)
	}
}

func TestKeysOfADatabase(t *testing.T) {
	s := newWaitTable()
	for _, k := range []watchKey{{1, "z"}, {0, "other"}, {1, "a"}, {1, "m"}, {1, "z"}} {
		s.add(&waiter{keys: []watchKey{k}})
	}
	if got := fmt.Sprint(s.keysOf(1)); got != "[{1 z} {1 a} {1 m}]" {
		t.Errorf("%s", got)
	}
}

// Whatever happens, the table serves as a plain list of waits, searched from the front
// each time, does.
func TestWaitTableAgainstModel(t *testing.T) {
	type wait struct {
		name string
		typ  keyspace.Type
		keys []string
	}
	rapid.Check(t, func(t *rapid.T) {
		s := newWaitScript()
		var model []wait
		names := 0
		key := rapid.SampledFrom([]string{"a", "b", "c"})
		typ := rapid.SampledFrom([]keyspace.Type{keyspace.TypeList, keyspace.TypeZSet})
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				w := wait{fmt.Sprint(names), typ.Draw(t, "type"), rapid.SliceOfN(key, 1, 4).Draw(t, "keys")}
				for _, k := range w.keys {
					if c := s.holds[watchKey{0, k}]; c.found && c.typ == w.typ {
						return // it would not have to wait
					}
				}
				names++
				s.wait(w.name, w.typ, false, w.keys...)
				model = append(model, w)
			},
			"leave": func(t *rapid.T) {
				if len(model) == 0 {
					return
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "who")
				s.remove(s.by[model[i].name])
				model = slices.Delete(model, i, i+1)
			},
			"put": func(t *rapid.T) {
				k, ty, n := key.Draw(t, "key"), typ.Draw(t, "type"), rapid.IntRange(1, 3).Draw(t, "n")
				if c := s.holds[watchKey{0, k}]; c.found && c.typ != ty {
					s.left[watchKey{0, k}] = 0
				}
				s.put(k, ty, n)
				var want []string
				for left := s.left[watchKey{0, k}]; left > 0; left-- {
					i := slices.IndexFunc(model, func(w wait) bool { return w.typ == ty && slices.Contains(w.keys, k) })
					if i < 0 {
						break
					}
					want = append(want, model[i].name+":"+k)
					model = slices.Delete(model, i, i+1)
				}
				s.served = nil
				s.serveAll()
				if !slices.Equal(s.served, want) {
					t.Fatalf("served %v, want %v", s.served, want)
				}
			},
			"": func(t *rapid.T) {
				if len(s.waiting) != len(model) || len(s.all()) != len(model) {
					t.Fatalf("%d wait, want %d", len(s.waiting), len(model))
				}
				for k, q := range s.queues {
					n := 0
					for _, w := range model {
						if slices.Contains(w.keys, k.key) {
							n++
						}
					}
					if q.Len() != n || n == 0 || q.types[keyspace.TypeList]+q.types[keyspace.TypeZSet] != n {
						t.Fatalf("queue of %v: %d, %v; want %d", k, q.Len(), q.types, n)
					}
				}
			},
		})
	})
}
