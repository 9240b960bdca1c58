package workload

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestLine plays what happens to a line: "ack v", "refuse v", "lose v" are writes
// by their outcome, "see v" is a read; v may be left out for absence.
func TestLine(t *testing.T) {
	for _, tt := range []struct {
		events string
		legal  string // what may be read then; - for absence
		never  string
	}{
		{"", "-", "a"},
		{"ack a", "a", "- b"},
		{"refuse a", "-", "a"},
		{"lose a", "- a", "b"},
		{"ack a, refuse b", "a", "- b"},
		{"ack a, lose b", "a b", "- c"},
		{"ack a, ack", "-", "a"},
		{"ack a, refuse", "a", "-"},
		{"ack a, lose", "- a", "b"},
		{"lose a, ack b", "a b", "-"},
		{"lose a, ack", "- a", "b"},
		{"ack a, lose b, see b", "b", "- a"},
		{"ack a, lose b, see a", "a b", "-"},
		{"ack a, lose, see", "-", "a"},
		{"ack a, lose, lose b, see b, see", "-", "a b"},
		{"lose, ack a, lose, see, ack b", "- b", "a"},
		{"ack a, see z", "a", "- z"},
	} {
		var l line
		for e := range strings.SplitSeq(tt.events, ", ") {
			verb, value, _ := strings.Cut(e, " ")
			before := slices.Clone(l.late)
			was := l
			switch verb {
			case "ack":
				l = l.after(Result{Outcome: Done}, value)
			case "refuse":
				l = l.after(Result{Outcome: Refused}, value)
			case "lose":
				l = l.after(Result{Outcome: Unknown}, value)
			case "see":
				l = l.seen(value)
			}
			if !slices.Equal(was.late, before) {
				t.Errorf("%s: %s changed the line that was", tt.events, e)
			}
		}
		for _, v := range strings.Fields(tt.legal) {
			v = strings.Trim(v, "-")
			if !l.allows(v) {
				t.Errorf("%s: %q is not allowed", tt.events, v)
			}
			if !l.mayHaveExisted(v != "") {
				t.Errorf("%s: a write may not have found %q", tt.events, v)
			}
		}
		for _, v := range strings.Fields(tt.never) {
			if l.allows(strings.Trim(v, "-")) {
				t.Errorf("%s: %q is allowed", tt.events, v)
			}
		}
		if !strings.Contains(tt.legal, "-") && l.mayHaveExisted(false) {
			t.Errorf("%s: a write may have found nothing", tt.events)
		}
		if tt.legal == "-" && l.mayHaveExisted(true) {
			t.Errorf("%s: a write may have found something", tt.events)
		}
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	env := newEnv(Target{"node-0", testenv.StartRedis(t).Addr})
	w := NewLedger(env)
	runFor(t, env, w, 2*time.Second)
	expectClean(t, env, w)
	if n := env.Answers.Counts(); n.Refused+n.Unknown > 0 {
		t.Errorf("counted %+v with a server that answers everything", n)
	}
}

// TestLedgerBrokenConnections: whatever the outcomes, a server that loses nothing
// is not accused.
func TestLedgerBrokenConnections(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.StartRedis(t).Addr)
	env := newEnv(Target{"node-0", proxy.Addr()})
	w := NewLedger(env)
	stop := breakOften(proxy)
	runFor(t, env, w, 3*time.Second, broken(env))
	stop()
	expectClean(t, env, w)
}

func TestLedgerFinds(t *testing.T) {
	server := testenv.StartRedis(t)
	for _, tt := range []struct {
		name string
		lie  lie
		what string
	}{
		{"a string that was not written", every(20, named("SET"), instead(sayOK...)), "acknowledged write lost"},
		{"a field that was not written", every(20, named("HSET"), instead("EVAL", "return 1", "0")), "acknowledged write lost"},
		{"a string that was not deleted", every(5, named("DEL"), func(c []string) []string { return []string{"EXISTS", c[1]} }), "acknowledged write lost"},
		{"a field that was not deleted", every(5, named("HDEL"), func(c []string) []string { return []string{"HEXISTS", c[1], c[2]} }), "acknowledged write lost"},
		{"a string that was altered", every(20, named("SET"), func(c []string) []string { return []string{"SET", c[1], "x" + c[2]} }), "acknowledged write lost"},
		{"a refused write that happened", every(20, named("SET"), func(c []string) []string {
			return []string{"EVAL", "redis.call('SET', KEYS[1], ARGV[1]) return redis.error_reply('LOGFULL not now')", "1", c[1], c[2]}
		}), "acknowledged write lost"},
		{"a deletion of what was not there", every(5, named("DEL"), instead("EVAL", "return 0", "0")), "was answered with 0"},
		{"a field that was there before", every(20, named("HSET"), instead("EVAL", "return 0", "0")), "was answered with 0"},
		{"an error", every(20, named("SET"), instead("EVAL", "return redis.error_reply('ERR no')", "0")), "was answered with ERR no"},
		{"a loss after the last look", func(_ map[string]int, c []string) []string {
			if c[0] == "MGET" {
				return []string{"MGET", c[1], "t:none"}
			}
			return c
		}, "was answered with 2 values"},
		{"a loss after the last look, of fields", func(_ map[string]int, c []string) []string {
			if c[0] == "HMGET" {
				c[1] = "t:none"
			}
			return c
		}, "acknowledged write lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(Target{"node-0", newLiar(t, server.Addr, tt.lie)})
			env.Prefix = t.Name() + ":"
			w := NewLedger(env)
			d := 20 * time.Second
			if strings.HasPrefix(tt.name, "a loss after") {
				d = 500 * time.Millisecond
			}
			runUntilFound(t, env, w, d, tt.what)
		})
	}
}
