package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Bounds of the pause before a step, in which the shard is left alone.
const (
	pauseMin = 100 * time.Millisecond
	pauseMax = 600 * time.Millisecond
)

// Step is one nemesis of a schedule.
type Step struct {
	Nemesis string
	Seed    uint64        // of its choices
	After   time.Duration // the pause before it
	During  *Step         // begins once this one has been injected; nil: nothing
}

// String is what a schedule is printed as.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s after %v, seed %016x", s.Nemesis, s.After, s.Seed)
	if s.During != nil {
		fmt.Fprintf(&b, "; meanwhile %v", s.During)
	}
	return b.String()
}

// pairs are the nemeses that another one may meet, by that one's name: those in
// which something has to be survived that neither of the two asks for alone, and
// that leave a majority of etcd and one node.
var pairs = map[string][]string{
	"kill-primary":           {"kill-replica"},
	"replica-cut-from-etcd":  {"kill-primary", "stop-primary-long"},
	"stop-replica":           {"kill-primary-known"},
	"hand-overs":             {"kill-etcd-leader", "slow-s3"},
	"slow-etcd":              {"stop-primary-long", "hand-overs"},
	"kill-etcd-follower":     {"stop-primary-long", "drop-primary-from-etcd"},
	"stop-etcd-follower":     {"kill-primary", "hand-overs"},
	"isolate-etcd-leader":    {"kill-primary", "hand-overs"},
	"isolate-etcd-follower":  {"kill-primary", "stop-primary-long", "hand-overs"},
	"cut-etcd-pair":          {"drop-primary-from-etcd", "kill-primary-known"},
	"deaf-etcd-leader":       {"kill-primary"},
	"slow-etcd-peers":        {"kill-etcd-leader", "kill-primary", "hand-overs"},
	"no-space":               {"kill-primary-known"},
	"s3-away":                {"kill-primary", "hand-overs"},
	"slow-s3":                {"kill-primary", "kill-replica"},
	"stop-s3":                {"kill-primary-known", "kill-replica"},
	"pressure":               {"kill-etcd-follower", "slow-s3"},
	"drop-clients":           {"hand-overs"},
	"drop-primary-from-etcd": {"kill-replica"},
}

// Schedule is every nemesis named, once each, in an order that seed decides.
// While some of them last another one happens as well, which does not count: it
// has a step of its own too.
func Schedule(seed uint64, names []string) []Step {
	r := rand.New(rand.NewPCG(seed, 0x6e656d65736973))
	order := slices.Clone(names)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	steps := make([]Step, 0, len(order))
	for _, name := range order {
		s := draw(r, name)
		if guest, ok := guestOf(r, name, names); ok {
			during := draw(r, guest)
			s.During = &during
		}
		steps = append(steps, s)
	}
	return steps
}

// guestOf draws whether another nemesis happens during one, and which.
func guestOf(r *rand.Rand, host string, names []string) (guest string, ok bool) {
	possible := slices.DeleteFunc(slices.Clone(pairs[host]), func(name string) bool {
		return !slices.Contains(names, name)
	})
	if len(possible) == 0 || r.IntN(2) == 0 {
		return "", false
	}
	return possible[r.IntN(len(possible))], true
}

func draw(r *rand.Rand, name string) Step {
	after := pauseMin + time.Duration(r.Int64N(int64(pauseMax-pauseMin)))
	return Step{Nemesis: name, Seed: r.Uint64(), After: after.Round(time.Millisecond)}
}
