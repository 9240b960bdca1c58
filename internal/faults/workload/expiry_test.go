package workload

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	env := shard(t, nil, nil)
	w := NewExpiry(env)
	runFor(t, env, w, 4*time.Second, func() bool { return metEnd(w) })
	expectClean(t, env, w)
}

// metEnd reports whether a writer has met a key that had expired.
func metEnd(w *Expiry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.recent {
		k.mu.Lock()
		held := slices.ContainsFunc(k.phases, func(p phase) bool { return !slices.Contains(p.lives, life{}) })
		last := k.phases[len(k.phases)-1]
		k.mu.Unlock()
		if held && slices.Equal(last.lives, []life{{}}) {
			return true
		}
	}
	return false
}

func TestExpiryBrokenConnections(t *testing.T) {
	t.Parallel()
	env := shard(t, nil, nil)
	proxy := testenv.NewProxy(t, env.Targets[0].Addr)
	env.Targets[0].Addr = proxy.Addr()
	stop := breakOften(proxy)
	w := NewExpiry(env)
	runFor(t, env, w, 3*time.Second, broken(env))
	stop()
	expectClean(t, env, w)
}

// longer changes the number at the end of a command.
func longer(by int) func([]string) []string {
	return func(c []string) []string {
		n, err := strconv.Atoi(c[len(c)-1])
		if err != nil {
			return c
		}
		c[len(c)-1] = strconv.Itoa(max(10, n+by))
		return c
	}
}

// with picks commands that have this word.
func with(name, option string) func([]string) bool {
	return func(c []string) bool { return c[0] == name && slices.Contains(c, option) }
}

// withoutPTTL leaves finding out to those who look for the key. PERSIST tells as
// much as PTTL.
var withoutPTTL = lie(func(_ map[string]int, c []string) []string {
	if c[0] == "PTTL" || c[0] == "PERSIST" {
		return []string{"EVAL", "return redis.error_reply('LOGFULL not now')", "0"}
	}
	return c
})

func TestExpiryFinds(t *testing.T) {
	const late, early, either, replaced = "there after its end", "gone before its end", "its end", "was overwritten"
	existing := func(c []string) []string { return []string{"EXISTS", c[1]} }
	for _, tt := range []struct {
		name             string
		primary, replica lie
		what             []string // one of these
	}{
		{"SET PX that lasts longer", every(1, with("SET", "PX"), longer(700)).then(withoutPTTL), nil, []string{late}},
		{"SET EX that lasts longer", every(1, with("SET", "EX"), longer(1)).then(withoutPTTL), nil, []string{late}},
		{"SET PX that ends early", every(1, with("SET", "PX"), longer(-90)).then(withoutPTTL), nil, []string{early}},
		{"SET PX that ends not", every(1, with("SET", "PX"), func(c []string) []string { return c[:3] }).then(withoutPTTL), nil, []string{late}},
		{"PEXPIREAT that lasts longer", every(1, named("PEXPIREAT"), longer(700)).then(withoutPTTL), nil, []string{late}},
		{"PEXPIREAT that ends early", every(1, named("PEXPIREAT"), longer(-90)).then(withoutPTTL), nil, []string{early}},
		{"PEXPIRE that does nothing", every(1, named("PEXPIRE"), existing).then(withoutPTTL), nil, []string{either}},
		{"PEXPIRE of what is not there", every(1, named("PEXPIRE"), instead("EVAL", "return 1", "0")), nil, []string{"nothing explains"}},
		{"GETEX that does nothing", every(1, with("GETEX", "PX"), func(c []string) []string { return []string{"GET", c[1]} }).then(withoutPTTL), nil, []string{either}},
		{"PERSIST that does nothing", every(1, named("PERSIST"), func(c []string) []string {
			return []string{"EVAL", "return redis.call('PTTL', KEYS[1]) >= 0 and 1 or 0", "1", c[1]}
		}), nil, []string{early, "another time is left", "nothing explains"}},
		{"KEEPTTL that keeps none", every(1, with("SET", "KEEPTTL"), func(c []string) []string { return c[:3] }).then(withoutPTTL), nil, []string{late}},
		{"PTTL of more than is left", every(1, named("PTTL"), func(c []string) []string {
			return []string{"EVAL", "local t = redis.call('PTTL', KEYS[1]) return t < 0 and t or t + 100", "1", c[1]}
		}), nil, []string{"another time is left"}},
		{"a lost write", every(1, with("SET", "PX"), instead(sayOK...)).then(withoutPTTL), nil, []string{early, replaced}},
		{"a refused write that happened", every(1, with("SET", "PX"), func(c []string) []string {
			return []string{"EVAL", "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return redis.error_reply('LOGFULL not now')", "1", c[1], c[2], c[4]}
		}).then(withoutPTTL), nil, []string{"nobody wrote"}},
		{"a replica that hides nothing", every(1, with("SET", "PX"), func(c []string) []string {
			lua := "redis.call('SET', 'shadow:' .. KEYS[1], ARGV[1]) return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"
			return []string{"EVAL", lua, "1", c[1], c[2], c[4]}
		}), every(1, named("GET"), func(c []string) []string { return []string{"GET", "shadow:" + c[1]} }), []string{"ms after its end"}},
		{"a replica that invents", nil, every(20, named("GET"), instead("ECHO", "5")), []string{"nobody wrote"}},
		{"an error", every(5, named("PERSIST"), instead("EVAL", "return redis.error_reply('ERR no')", "0")), nil, []string{"ERR no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := shard(t, tt.primary, tt.replica)
			w := NewExpiry(env)
			runUntilFound(t, env, w, 30*time.Second, tt.what...)
		})
	}
}
