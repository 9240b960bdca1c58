package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// leavesAHost: the primary's host is drained. The primary hands over, and ends when another
// node has been made. Nodes may be placed on the host again afterwards, and none
// comes back by itself.
func (l *life) leavesAHost() {
	t := l.t
	was := primaryOf(t, l.status())
	end := l.watchShard()
	start := time.Now()
	if out := l.redoubt("host", "drain", was.Host); !strings.Contains(out, was.Host+" is draining") {
		t.Errorf("host drain: %s", out)
	}
	testenv.Eventually(t, 2*time.Minute, was.Host+" to be empty", func(ctx context.Context) error {
		if err := l.isAway(was.Host); err != nil {
			return err
		}
		all, err := l.hosts.fleet.Overview(ctx)
		if err == nil && len(all.Assigned[was.Host])+len(all.Statuses[was.Host]) > 0 {
			err = fmt.Errorf("it has %v, %v", all.Assigned[was.Host], all.Statuses[was.Host])
		}
		return err
	})
	led, happened := end()
	t.Logf("%s, the primary on a drained host, was replaced within %v: %s", led, time.Since(start).Round(100*time.Millisecond), strings.Join(happened, "; "))
	if led != was.Name || len(happened) < 3 {
		t.Fatalf("%s being the primary: %v", led, happened)
	}
	// The entry of a node that has ended is gone a lease later at the latest.
	if happened[len(happened)-1] != led+ended {
		happened = append(happened, led+ended)
	}
	made := slices.IndexFunc(happened, func(what string) bool { return strings.HasSuffix(what, starts+l.want.Engine) })
	if made < 0 || made == len(happened)-1 {
		t.Fatalf("%v; want another node to start before %s ends", happened, led)
	}
	happened = slices.Delete(happened, made, made+1)
	to := strings.TrimPrefix(happened[0], led+asked)
	if want := []string{led + asked + to, to + leads, led + ended}; !slices.Equal(happened, want) {
		t.Errorf("%v; want a hand-over by %s, that it is followed, and its end", happened, led)
	}

	if out := l.redoubt("host", "undrain", was.Host); !strings.Contains(out, was.Host+" is ready") {
		t.Errorf("host undrain: %s", out)
	}
	l.settled()
	if err := l.isAway(was.Host); err != nil {
		t.Errorf("after host undrain: %v", err)
	}
}

// redoubt runs a command over the API that Terraform uses.
func (l *life) redoubt(args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	out, code, err := testenv.Run(ctx, testenv.Command{Name: "redoubt", Path: testenv.Redoubt(l.t), Args: args, Env: l.tf.env, Forbid: testenv.RedoubtForbid})
	if code != 0 {
		err = errors.Join(err, fmt.Errorf("exit code %d", code))
	}
	if err != nil {
		l.t.Fatalf("redoubt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
