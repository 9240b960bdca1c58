package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Target is the node under attack.
type Target struct {
	Addr     string
	TLSAddr  string // where it speaks TLS
	Password string // of the default user; attackers know it, but for strangers
}

// Attacker is one way to misbehave.
type Attacker struct {
	Name, About string
	Family      Family
	Hands       int // how many do it at once
	// Attack misbehaves once, on one or more connections that it closes, and
	// returns soon after ctx has ended. Its error is an answer that must not be.
	Attack func(ctx context.Context, h *Hand) error
}

// Family groups attackers by what they are after.
type Family string

// The families of attackers.
const (
	Protocol    Family = "protocol"    // bytes that are no commands
	Connections Family = "connections" // many, short and half-open ones
	Slow        Family = "slow"        // clients that hold on to memory
	Commands    Family = "commands"    // absurd counts, lengths and patterns
	Strangers   Family = "strangers"   // clients without the password
	TLS         Family = "tls"         // handshakes, and what is none
)

// Families returns all families.
func Families() []Family { return []Family{Protocol, Connections, Slow, Commands, Strangers, TLS} }

// All returns every attacker.
func All() []Attacker {
	return slices.Concat(protocolAttackers(), connectionAttackers(), slowAttackers(), commandAttackers(), strangers(), tlsAttackers())
}

// Of returns the attackers of a family.
func Of(f Family) []Attacker {
	return slices.DeleteFunc(All(), func(a Attacker) bool { return a.Family != f })
}

// Tally counts what attackers did and what they were answered.
type Tally struct {
	Connections  atomic.Int64 // made
	Refused      atomic.Int64 // not made
	Sent         atomic.Int64 // bytes
	Received     atomic.Int64 // bytes
	ErrorReplies atomic.Int64
}

func (t *Tally) String() string {
	return fmt.Sprintf("%d connections (%d refused), %s sent, %s received, %d error replies",
		t.Connections.Load(), t.Refused.Load(), MiB(t.Sent.Load()), MiB(t.Received.Load()), t.ErrorReplies.Load())
}

// MiB writes bytes for people.
func MiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// maxViolations bounds what one Run reports.
const maxViolations = 20

// Run attacks the target with all the attackers at once until ctx ends and each
// of them has stopped. It returns the answers that must not be.
func Run(ctx context.Context, target Target, attackers []Attacker, seed uint64, tally *Tally) []error {
	var (
		money      budget
		wg         sync.WaitGroup
		mu         sync.Mutex
		violations []error
	)
	for i, a := range attackers {
		for n := range a.Hands {
			h := &Hand{
				Rand:   rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(n))),
				target: target, tally: tally, budget: &money,
			}
			wg.Go(func() {
				for h.Pause(ctx, 5*time.Millisecond) {
					err := a.Attack(ctx, h)
					if err == nil {
						continue
					}
					mu.Lock()
					if len(violations) < maxViolations {
						violations = append(violations, fmt.Errorf("%s: %w", a.Name, err))
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return violations
}

// Hand is one goroutine's worth of attack.
type Hand struct {
	Rand   *rand.Rand
	target Target
	tally  *Tally
	budget *budget
}

// Pause waits about d, and returns false when ctx has ended.
func (h *Hand) Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + time.Duration(h.Rand.Int64N(int64(d))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Bytes are n random bytes.
func (h *Hand) Bytes(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		r := h.Rand.Uint64()
		for j := i; j < min(i+8, n); j++ {
			b[j] = byte(r)
			r >>= 8
		}
	}
	return b
}

// Between draws from low to high, both included.
func (h *Hand) Between(low, high int) int { return low + h.Rand.IntN(high-low+1) }

// OneOf draws one of several.
func OneOf[T any](h *Hand, of ...T) T { return of[h.Rand.IntN(len(of))] }

// Key is one of the few keys that attackers store under.
func (h *Hand) Key() string { return fmt.Sprintf("evil:%02d", h.Rand.IntN(32)) }
