package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/api"
	"github.com/redoubtdb/redoubt/control/internal/apitest"
	"github.com/redoubtdb/redoubt/control/internal/etcdtest"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

// concrete is a route's path with something in place of its variables.
func concrete(path string) string {
	return strings.NewReplacer("{name}", "main", "{id}", "0").Replace(path)
}

// Nothing but /healthz is there without a token that may do it.
func TestEveryRouteNeedsItsToken(t *testing.T) {
	a := apitest.Start(t)
	valid := a.Tokens[wire.Admin]
	wrong := valid[:len(valid)-4] + "aaaa"
	var open int
	for _, r := range api.Routes() {
		ask := func(token string, header map[string]string) (int, string) {
			w := a.Do(t, apitest.Request{Method: r.Method, Path: concrete(r.Path), Token: token, Header: header})
			return w.Code, w.Body.String()
		}
		if r.Role == "" {
			open++
			if code, _ := ask("", nil); r.Path != "/healthz" || code != http.StatusOK {
				t.Errorf("%s %s needs no token: %d", r.Method, r.Path, code)
			}
			continue
		}
		for what, token := range map[string]string{"none": "", "wrong": wrong, "nonsense": "x", "half": valid[:20], "two": valid + " " + valid} {
			if code, body := ask(token, nil); code != http.StatusUnauthorized || strings.Contains(body, "main") {
				t.Errorf("%s %s with the token %s: %d %s", r.Method, r.Path, what, code, body)
			}
		}
		for what, header := range map[string]map[string]string{
			"basic":      {"Authorization": "Basic " + valid},
			"lower case": {"Authorization": "bearer" + valid},
			"no scheme":  {"Authorization": valid},
			"cookie":     {"Cookie": "token=" + valid},
		} {
			if code, _ := ask("", header); code != http.StatusUnauthorized {
				t.Errorf("%s %s with the token as %s: %d", r.Method, r.Path, what, code)
			}
		}
		for i, role := range wire.Roles {
			mayDo := i >= indexOf(r.Role)
			code, body := ask(a.Tokens[role], nil)
			if refused := code == http.StatusForbidden; refused == mayDo || code == http.StatusUnauthorized {
				t.Errorf("%s %s, which needs %s, with %s: %d %s", r.Method, r.Path, r.Role, role, code, body)
			}
		}
	}
	if open != 1 {
		t.Errorf("%d routes need no token", open)
	}
	// What there is not needs one as well, so that nobody learns what there is.
	for _, path := range []string{"/", "/v1", "/v2/clusters", "/healthz/", "//healthz", "/v1/../healthz", "/v1//clusters", "/metrics", "/debug/pprof/"} {
		if w := a.Do(t, apitest.Request{Method: http.MethodGet, Path: path}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, w.Code)
		}
		if w := a.Do(t, apitest.Request{Method: http.MethodGet, Path: path, Token: a.Tokens[wire.Read]}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func indexOf(role wire.Role) int {
	for i, r := range wire.Roles {
		if r == role {
			return i
		}
	}
	return -1
}

func TestFailedLoginsAreBounded(t *testing.T) {
	a := apitest.Start(t)
	ask := func(from, token string) int {
		w := a.Do(t, apitest.Request{Method: http.MethodGet, Path: "/v1/hosts", Token: token, From: from})
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("429 does not say when to try again")
		}
		return w.Code
	}
	var refused int
	for i := range 3 * api.Failures {
		unknown := fmt.Sprintf("rdt_%s_%s", strings.Repeat("a", 12), strings.Repeat(string(rune('a'+i%26)), 52))
		switch code := ask(fmt.Sprintf("198.51.100.1:%d", 1000+i), unknown); code {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusUnauthorized:
		default:
			t.Fatal(code)
		}
	}
	if refused < api.Failures {
		t.Errorf("%d of %d were refused", refused, 3*api.Failures)
	}
	// Others may share the address: those with a valid token are let in all the same, the
	// first time, when it is known, and when it has failed there before.
	for i := range 3 {
		if code := ask("198.51.100.1:2", a.Tokens[wire.Read]); code != http.StatusOK {
			t.Errorf("a valid token, time %d: %d", i, code)
		}
	}
	// A token that is revoked is none from then on, however well it is known.
	if err := token.Open(a.Etcd).Revoke(t.Context(), strings.Split(a.Tokens[wire.Read], "_")[1]); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if code := ask("198.51.100.1:3", a.Tokens[wire.Read]); code != http.StatusTooManyRequests && code != http.StatusUnauthorized {
			t.Errorf("a revoked token, time %d: %d", i, code)
		}
	}
	if code := ask("198.51.100.2:1", a.Tokens[wire.Operate]); code != http.StatusOK {
		t.Errorf("from another address: %d", code)
	}
	// Those who log in are not counted.
	for range 3 * api.Failures {
		if code := ask("198.51.100.3:1", a.Tokens[wire.Operate]); code != http.StatusOK {
			t.Fatal(code)
		}
	}
}

// problem does a request that must be refused.
func problem(t *testing.T, a *apitest.API, r apitest.Request) wire.Problem {
	t.Helper()
	w := a.Do(t, r)
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s %s: not a problem: %d %s", r.Method, r.Path, r.Body, w.Code, w.Body)
	}
	if p.Status != w.Code || p.Type == "" || p.Title == "" || p.Detail == "" || p.Instance != w.Header().Get("X-Request-Id") {
		t.Errorf("%s %s: %s", r.Method, r.Path, w.Body)
	}
	return p
}

func TestProblems(t *testing.T) {
	a := apitest.Start(t)
	tok := a.Tokens[wire.Admin]
	const good = `{"name":"mine","parameters":{"timeout":"1"}}`
	if w := a.Do(t, apitest.Request{Method: "POST", Path: "/v1/parameter-groups", Token: tok, Body: good}); w.Code != http.StatusCreated ||
		w.Header().Get("ETag") != `"1"` || w.Header().Get("Location") != "/v1/parameter-groups/mine" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	const one, all = "/v1/parameter-groups/mine", "/v1/parameter-groups"
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
		kind               string
		says               string // in the problem
	}{
		{"POST", all, good, nil, wire.ProblemExists, "mine"},
		{"POST", all, "", nil, wire.ProblemMediaType, "JSON"},
		{"POST", all, `[]`, nil, wire.ProblemMalformed, "one JSON object"},
		{"POST", all, `{`, nil, wire.ProblemMalformed, "not JSON"},
		{"POST", all, good + `{}`, nil, wire.ProblemMalformed, "follows"},
		{"POST", all, `{"name":"a","name":"b"}`, nil, wire.ProblemMalformed, "twice"},
		{"POST", all, `{"name":"a","tags":` + strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20) + `}`, nil, wire.ProblemMalformed, "nested"},
		{"POST", all, `{"name":"` + strings.Repeat("a", api.MaxBody) + `"}`, nil, wire.ProblemTooLarge, "bytes"},
		{"POST", all, good, map[string]string{"Content-Type": "text/plain"}, wire.ProblemMediaType, "application/json"},
		{"POST", all, `{"Name":"a"}`, nil, wire.ProblemInvalid, "did you mean"},
		{"POST", all, `{"nmae":"a"}`, nil, wire.ProblemInvalid, "no such field"},
		{"POST", all, `{"name":1}`, nil, wire.ProblemInvalid, "must be a text"},
		{"POST", all, `{"name":"a","version":1}`, nil, wire.ProblemInvalid, "version"},
		{"POST", all, `{"name":"a","parameters":{"timeout":5}}`, nil, wire.ProblemInvalid, "an object of texts"},
		{"POST", all, `{"name":"A B"}`, nil, wire.ProblemInvalid, "lowercase"},
		{"POST", "/v1/clusters", `{"name":"c","node_memory":"lots","acl_name":"open-access"}`, nil, wire.ProblemInvalid, "is not a size"},
		{"POST", "/v1/clusters", `{"name":"c","node_memory":5,"acl_name":"open-access"}`, nil, wire.ProblemInvalid, "2GiB"},
		{"POST", "/v1/clusters", `{"name":"c","num_shards":1.5}`, nil, wire.ProblemInvalid, "a whole number"},
		{"POST", "/v1/clusters", `{"name":"c","node_memory":"1GiB","acl_name":"nobody"}`, nil, wire.ProblemInvalid, "there is no acls/nobody"},
		{"POST", all, good, map[string]string{"Idempotency-Key": "k"}, wire.ProblemExists, "mine"},
		{"POST", all, good, map[string]string{"Idempotency-Key": "a b"}, wire.ProblemMalformed, "Idempotency-Key"},
		{"POST", all, good, map[string]string{"Idempotency-Key": strings.Repeat("k", 65)}, wire.ProblemMalformed, "64"},
		{"PUT", one, good, nil, wire.ProblemVersionRequired, "version"},
		{"PUT", one, good, map[string]string{"If-Match": "1"}, wire.ProblemMalformed, "in quotes"},
		{"PUT", one, `{"version":"1"}`, nil, wire.ProblemInvalid, "whole number"},
		{"PUT", one, `{"version":1}`, map[string]string{"If-Match": `"2"`}, wire.ProblemMalformed, "differ"},
		{"PUT", one, good, map[string]string{"If-Match": `"7"`}, wire.ProblemVersion, "version 1"},
		{"PATCH", one, `{"version":0}`, nil, wire.ProblemVersion, "version 1"},
		{"PATCH", one, `{"version":1,"name":"other"}`, nil, wire.ProblemInvalid, "as in the path"},
		{"PATCH", one, `{"version":1,"family":"redis6"}`, nil, wire.ProblemInvalid, "redoubt_redis7"},
		{"DELETE", one, `{"version":9}`, nil, wire.ProblemVersion, "version 1"},
		{"DELETE", one, `{"final_snapshot_name":"x"}`, nil, wire.ProblemInvalid, "no such field"},
		{"DELETE", "/v1/acls/open-access", "", nil, wire.ProblemBuiltIn, "there always"},
		{"GET", "/v1/clusters/none", "", nil, wire.ProblemNotFound, "clusters/none"},
		{"GET", "/v1/clusters/..%2fusers", "", nil, wire.ProblemNotFound, ""},
		{"GET", "/v1/operations/none", "", nil, wire.ProblemNotFound, ""},
		{"GET", "/v1/hosts/none", "", nil, wire.ProblemNotFound, ""},
		{"GET", all + "?limit=0", "", nil, wire.ProblemMalformed, "limit"},
		{"GET", all + "?limit=1001", "", nil, wire.ProblemMalformed, "limit"},
		{"GET", all + "?name=x", "", nil, wire.ProblemMalformed, "parameter"},
		{"POST", one, "{}", nil, wire.ProblemMethod, "Allow"},
		{"POST", "/v1/clusters/none/failover", "", nil, wire.ProblemNotFound, ""},
		{"POST", "/v1/tokens", `{"role":"root"}`, nil, wire.ProblemInvalid, "read, operate or admin"},
		{"POST", "/v1/tokens", `{"role":"read","expires":"soon"}`, nil, wire.ProblemInvalid, "expires"},
		{"DELETE", "/v1/tokens/none", "", nil, wire.ProblemNotFound, ""},
	} {
		p := problem(t, a, apitest.Request{Method: c.method, Path: c.path, Token: tok, Body: c.body, Header: c.header})
		if text := p.Detail + fmt.Sprint(p.Errors); p.Type != c.kind || !strings.Contains(text, c.says) {
			t.Errorf("%s %s %.100s: %+v, want %s that says %q", c.method, c.path, c.body, p, c.kind, c.says)
		}
		if (p.Type == wire.ProblemInvalid) != (len(p.Errors) > 0) {
			t.Errorf("%s %s %.100s: fields %v", c.method, c.path, c.body, p.Errors)
		}
	}
	if w := a.Do(t, apitest.Request{Method: "POST", Path: one, Token: tok, Body: "{}"}); w.Header().Get("Allow") != "GET, PUT, PATCH, DELETE" {
		t.Errorf("Allow: %q", w.Header().Get("Allow"))
	}
	a.Hosts.Set()
	p := problem(t, a, apitest.Request{Method: "POST", Path: "/v1/clusters", Token: tok, Body: `{"name":"c","node_memory":"1GiB","acl_name":"open-access"}`})
	if len(p.Errors) != 1 || p.Errors[0].Path != "engine_version" {
		t.Errorf("without hosts: %+v", p)
	}
}

func TestUpdates(t *testing.T) {
	a := apitest.Start(t)
	tok := a.Tokens[wire.Operate]
	do := func(method, path, body string, want int) (r wire.Resource[map[string]any]) {
		t.Helper()
		w := a.Do(t, apitest.Request{Method: method, Path: path, Token: tok, Body: body})
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != want {
			t.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
		}
		return r
	}
	do("POST", "/v1/clusters", `{"name":"main","node_memory":"1GiB","acl_name":"open-access","num_replicas_per_shard":2,"description":"x","tags":{"a":"1","b":"2"}}`, 201)
	r := do("PATCH", "/v1/clusters/main", `{"version":1,"tags":{"a":null,"c":"3"},"description":null}`, 200)
	if fmt.Sprint(r.Spec["tags"]) != "map[b:2 c:3]" || r.Spec["description"] != "" || r.Spec["num_replicas_per_shard"] != 2.0 || r.Version != 2 {
		t.Errorf("patched: %+v", r)
	}
	r = do("PUT", "/v1/clusters/main", `{"version":2,"node_memory":"2GiB","acl_name":"open-access"}`, 200)
	if fmt.Sprint(r.Spec["tags"]) != "map[]" || r.Spec["num_replicas_per_shard"] != 1.0 || r.Spec["engine_version"] != "1.2.0" {
		t.Errorf("put: %+v", r)
	}
	r = do("PUT", "/v1/clusters/main", `{"version":3,"node_memory":"2048mb","acl_name":"open-access"}`, 200)
	if r.Version != 3 || r.Operation != "" {
		t.Errorf("put once more: %+v", r)
	}
	r = do("DELETE", "/v1/clusters/main", `{"version":3}`, 202)
	if r.Deleting == nil || r.Operation == "" {
		t.Errorf("deleted: %+v", r)
	}
}

// Passwords and tokens are in no log, no answer and not in etcd.
func TestNothingLeaks(t *testing.T) {
	a := apitest.Start(t)
	tok := a.Tokens[wire.Admin]
	const password, second, refused = "correct-horse-battery", "staple-staple-staple", "tiny-passw0rd"
	var answers strings.Builder
	do := func(r apitest.Request) int {
		r.Token = tok
		w := a.Do(t, r)
		answers.WriteString(w.Body.String())
		fmt.Fprint(&answers, w.Header())
		return w.Code
	}
	body := func(passwords ...string) string {
		b, _ := json.Marshal(map[string]any{"name": "alice", "access_string": "on ~* +@all", "passwords": passwords})
		return string(b)
	}
	for _, c := range []struct {
		r    apitest.Request
		want int
	}{
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: body(password), Plain: true}, 403},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: body(password, refused)}, 422},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: strings.Replace(body(password), `["`, `"`, 1)}, 400},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: strings.Replace(body(password), "passwords", "pasword", 1)}, 422},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: strings.Replace(body(password), "~*", ">"+second, 1)}, 422},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: `{"name":"alice","passwords":"` + password + `"}`}, 422},
		{apitest.Request{Method: "POST", Path: "/v1/users", Body: body(password)}, 201},
		{apitest.Request{Method: "PATCH", Path: "/v1/users/alice", Body: `{"version":1,"passwords":["` + password + `","` + second + `"]}`}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/users/alice"}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/users"}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/operations"}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/events"}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/tokens"}, 200},
		{apitest.Request{Method: "GET", Path: "/v1/hosts?token=" + tok}, 200},
		{apitest.Request{Method: "DELETE", Path: "/v1/tokens/" + tok}, 404},
	} {
		if got := do(c.r); got != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.r.Method, c.r.Path, c.r.Body, got, c.want)
		}
	}
	made := a.Do(t, apitest.Request{Method: "POST", Path: "/v1/tokens", Token: tok, Body: `{"role":"read"}`})
	var created struct{ Token string }
	if err := json.Unmarshal(made.Body.Bytes(), &created); err != nil || made.Code != 201 || created.Token == "" {
		t.Fatalf("%d %s", made.Code, made.Body)
	}
	stored, err := a.Etcd.Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	var etcd strings.Builder
	for _, kv := range stored.Kvs {
		fmt.Fprintf(&etcd, "%s %s\n", kv.Key, kv.Value)
	}
	hash := "password_hashes"
	if !strings.Contains(etcd.String(), hash) || strings.Contains(answers.String(), hash) {
		t.Error("hashes of passwords are to be in etcd and in no answer")
	}
	secretOf := func(token string) string { return token[len("rdt_")+13:] }
	for where, text := range map[string]string{"the log": a.Log.String(), "an answer": answers.String(), "etcd": etcd.String()} {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for _, secret := range []string{password, second, refused, secretOf(tok), secretOf(created.Token)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has the secret %s", where, secret)
			}
		}
	}
}
