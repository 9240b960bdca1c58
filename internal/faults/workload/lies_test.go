package workload

import (
	"context"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// history is short for the tables.
type history = []porcupine.Operation

// always tells a lie in place of every command of a name.
func always(name string, instead func(command []string) []string) lie {
	return func(_ map[string]int, command []string) []string {
		if command[0] == name {
			return instead(command)
		}
		return command
	}
}

// sometimes tells a lie in place of every fifth command of a name on a
// connection.
func sometimes(name string, instead func(command []string) []string) lie {
	return func(said map[string]int, command []string) []string {
		if command[0] == name && said[name]%5 == 4 {
			return instead(command)
		}
		return command
	}
}

// eval is a command that runs a script on a key.
func eval(lua string, keyAndArgs ...string) []string {
	keys := "0"
	if len(keyAndArgs) > 0 {
		keys = "1"
	}
	return append([]string{"EVAL", lua, keys}, keyAndArgs...)
}

// lyingServer is a primary that tells a lie.
func lyingServer(t *testing.T, l lie) *Env {
	t.Helper()
	addr := newLiar(t, testenv.StartRedis(t).Addr, lie(asPrimary).then(l))
	return newEnv(Target{"node-0", addr})
}

// runOnly runs a workload for d and leaves it unjudged.
func runOnly(env *Env, w Workload, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	env.Run(ctx, []Workload{w})
}

func judgeRun(t *testing.T, env *Env, w Workload) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := env.NewClient()
	defer c.Close()
	if err := w.Check(ctx, c); err != nil {
		t.Fatalf("%s: %v", w.Name(), err)
	}
}
