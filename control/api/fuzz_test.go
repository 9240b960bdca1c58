package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/internal/apitest"
	"github.com/redoubtdb/redoubt/control/store"
	"github.com/redoubtdb/redoubt/control/wire"
)

// FuzzParseFields: whatever is read is an object whose members are JSON each.
func FuzzParseFields(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{}]}`, `{"a":1,"a":2}`, `[]`, `{"a":`, "{\"\xff\":1}", `{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1}}}}}}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := api.ParseFields(body)
		if err != nil {
			return
		}
		for name, raw := range got {
			if !json.Valid([]byte(raw)) {
				t.Errorf("%q is %q", name, raw)
			}
			if strings.Count(raw, "[") == len(raw) && len(raw) > api.MaxDepth {
				t.Errorf("%q is nested %d deep", name, len(raw))
			}
		}
	})
}

// FuzzRequests: whatever is sent as the body of whatever route, the answer is no 5xx.
func FuzzRequests(f *testing.F) {
	routes := api.Routes()
	for i := range routes {
		f.Add(uint8(i), "main", `{"name":"main","node_memory":"1GiB","acl_name":"open-access","version":1}`, `"1"`)
	}
	a := apitest.Start(f)
	f.Fuzz(func(t *testing.T, route uint8, name, body, ifMatch string) {
		r := routes[int(route)%len(routes)]
		path := strings.NewReplacer("{name}", pathSegment(name), "{id}", pathSegment(name)).Replace(r.Path)
		w := a.Do(t, apitest.Request{Method: r.Method, Path: path, Token: a.Tokens[wire.Admin], Body: body, Header: map[string]string{"If-Match": ifMatch}})
		if w.Code >= 500 {
			t.Errorf("%s %s %q: %d %s", r.Method, path, body, w.Code, w.Body)
		}
	})
}

// pathSegment is a text as one segment of a path, every byte of it escaped.
func pathSegment(s string) string {
	if s == "" {
		return "x"
	}
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// storm sends random requests and judges the answers.
type storm struct {
	*apitest.API
	t     *testing.T
	fence store.Fence

	mu   sync.Mutex
	made map[string]int // how often a version of a resource was made, by both
}

// Many send random requests to few resources at the same time: none fails, and each
// version of each resource is made once.
func TestRandomRequests(t *testing.T) {
	const workers, each = 4, 400
	s := &storm{API: apitest.Start(t), t: t, made: map[string]int{}}
	leader, err := s.Etcd.Put(t.Context(), "leader", "")
	if err != nil {
		t.Fatal(err)
	}
	s.fence = store.Fence{Key: "leader", CreateRevision: leader.Header.Revision}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for w := range uint64(workers) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, w))
			for range each {
				s.request(r)
			}
		})
	}
	wg.Wait()
	if len(s.made) < 20 {
		t.Errorf("only %d versions were made", len(s.made))
	}
	for what, n := range s.made {
		if n != 1 {
			t.Errorf("%s was made %d times", what, n)
		}
	}
}

var (
	stormKinds = []string{wire.Clusters, wire.Users, wire.ACLs, wire.ParameterGroups, wire.Snapshots}
	stormNames = []string{"a", "a", "a", "b", "b", "default", "open-access", "A B", ""}
)

func (s *storm) request(r *rand.Rand) {
	method := pick(r, "GET", "POST", "PUT", "PUT", "PUT", "PATCH", "PATCH", "PATCH", "DELETE", "POST")
	kind, name := pick(r, stormKinds...), pick(r, stormNames...)
	path := "/v1/" + kind
	if method != "POST" && r.IntN(10) > 0 {
		path += "/" + pathSegment(name)
	}
	body := s.body(r, kind, name)
	w := s.Do(s.t, apitest.Request{Method: method, Path: path, Token: s.Tokens[wire.Operate], Body: body})
	if w.Code >= 500 {
		s.t.Errorf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		s.t.Errorf("%s %s %s: %d is no problem: %s", method, path, body, w.Code, w.Body)
	}
	s.judge(method, kind, w.Code, w.Body.Bytes())
	if w.Code == http.StatusAccepted {
		s.reconcile(kind, name)
	}
}

// reconcile removes what is being deleted; another may have been quicker.
func (s *storm) reconcile(kind, name string) {
	var err error
	switch kind {
	case wire.Clusters:
		err = s.Store.Clusters.Remove(s.t.Context(), s.fence, name)
	case wire.Snapshots:
		err = s.Store.Snapshots.Remove(s.t.Context(), s.fence, name)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !strings.Contains(err.Error(), "nobody asked") {
		s.t.Errorf("remove %s/%s: %v", kind, name, err)
	}
}

// judge counts the versions that were made. A resource that was deleted and made anew
// is told by when it was made.
func (s *storm) judge(method, kind string, code int, answer []byte) {
	var res wire.Resource[struct{ Name string }]
	changed := method == "POST" || method == "PUT" || method == "PATCH"
	if !changed || code != http.StatusOK && code != http.StatusCreated || json.Unmarshal(answer, &res) != nil || res.Operation == "" {
		return
	}
	op, err := s.Store.Operations.Get(s.t.Context(), res.Operation)
	if err != nil || op.Version != res.Version {
		s.t.Errorf("%s/%s: version %d by operation %+v, %v", kind, res.Spec.Name, res.Version, op, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if res.Version > 1 { // of the first, two may be made in one millisecond
		s.made[fmt.Sprintf("%s/%s of %v, version %d", kind, res.Spec.Name, res.Created, res.Version)]++
	}
}

// body is JSON that is often nearly right.
func (s *storm) body(r *rand.Rand, kind, name string) string {
	good := map[string]map[string]any{
		wire.Clusters: {"name": name, "node_memory": "1GiB", "acl_name": pick(r, "a", "open-access"), "description": fmt.Sprint(r.IntN(100)),
			"num_replicas_per_shard": r.IntN(6), "parameter_group_name": pick(r, "a", "default")},
		wire.Users:           {"name": name, "access_string": pick(r, "on ~* +@all", "off"), "authentication": "no-password-required"},
		wire.ACLs:            {"name": name, "user_names": []string{pick(r, "a", "b")}},
		wire.ParameterGroups: {"name": name, "parameters": map[string]any{"timeout": fmt.Sprint(r.IntN(100))}},
		wire.Snapshots:       {"name": name, "cluster_name": pick(r, "a", "b"), "tags": map[string]any{"a": fmt.Sprint(r.IntN(100))}},
	}[kind]
	switch r.IntN(6) {
	case 0:
	case 1:
		good["version"] = r.IntN(8)
	default:
		good["version"] = s.version(kind, name)
	}
	if r.IntN(5) == 0 {
		for field := range good { // any of them
			good[field] = randomValue(r, 0)
			break
		}
	}
	if r.IntN(20) == 0 {
		good[pick(r, "x", "status", "Name", "password_hashes")] = randomValue(r, 0)
	}
	b, err := json.Marshal(good)
	if err != nil {
		s.t.Error(err)
	}
	if r.IntN(30) == 0 {
		b = b[:r.IntN(len(b))]
	}
	return string(b)
}

// version is that which a resource has now.
func (s *storm) version(kind, name string) int64 {
	var res wire.Resource[json.RawMessage]
	w := s.Do(s.t, apitest.Request{Method: "GET", Path: "/v1/" + kind + "/" + pathSegment(name), Token: s.Tokens[wire.Read]})
	if json.Unmarshal(w.Body.Bytes(), &res) != nil {
		s.t.Errorf("GET %s/%s: %s", kind, name, w.Body)
	}
	return res.Version
}

func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(10); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return r.Int64() - r.Int64()
	case n == 3:
		return r.NormFloat64() * 1e30
	case n == 4:
		return strings.Repeat("x", r.IntN(5000))
	case n == 5:
		return string([]rune{rune(r.IntN(0x11000)), 0, '\u202e'})
	case n == 6 && depth < 12:
		return []any{randomValue(r, depth+1), randomValue(r, depth+1)}
	case n == 7 && depth < 12:
		return map[string]any{"a": randomValue(r, depth+1), "": randomValue(r, depth+1)}
	}
	return pick(r, "", "a", "open-access", "-1", "1GiB", "sun:23:00-mon:01:30", "../../x")
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
