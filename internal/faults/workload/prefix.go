package workload

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// Clients of a Prefix, beside two for every node as a replica.
const (
	prefixWriters = 3
	prefixReaders = 2 // of the primary
	prefixLooks   = 2 // at each node
)

// Prefix counts up in keys of one writer each, so that whatever a reader sees
// tells which prefix of the history it has before it: a and b take every number
// one after the other, all the others, which are of every type, take them together. A replica shows longer and
// longer prefixes on one connection, of what is committed: what it has shown the
// primary shows from then on.
type Prefix struct {
	env    *Env
	judged atomic.Int64

	mu     sync.Mutex
	chains [prefixWriters][]*chain
}

// NewPrefix is the workload of one round.
func NewPrefix(env *Env) *Prefix {
	w := &Prefix{env: env}
	for n := range w.chains {
		w.extend(n)
	}
	return w
}

// Name is "prefix".
func (w *Prefix) Name() string { return "prefix" }

// Clients are the writers, the primary's readers and the nodes' readers.
func (w *Prefix) Clients() int {
	return prefixWriters + prefixReaders + prefixLooks*len(w.env.Targets)
}

// Operations is how many reads were judged.
func (w *Prefix) Operations() int { return int(w.judged.Load()) }

// Run writes, or reads from the primary, or from one node.
func (w *Prefix) Run(ctx context.Context, n int, c *Client) {
	switch node := n - prefixWriters - prefixReaders; {
	case n < prefixWriters:
		w.write(ctx, n, c)
	case node < 0:
		w.read(ctx, c, true)
	default:
		replica := w.env.NewReplicaClient(w.env.Targets[node%len(w.env.Targets)])
		defer replica.Close()
		w.read(ctx, replica, false)
	}
}

// The keys of a chain. A reading is of a and b, or of all the others.
const (
	keyA = iota
	keyB
	keyC
	keyHash
	keyList
	keySet
	keySorted
	keyStream
	chainKeys
)

// keyNames are letters, as are the names of members and fields.
const keyNames = "abchlszx"

// countUp is the command that makes a key's number n.
func countUp(key int, name string, n int64) []any {
	switch key {
	case keyHash:
		return Cmd("HSET", name, "n", n)
	case keyList:
		return Cmd("LPUSH", name, n)
	case keySet:
		return Cmd("SADD", name, n)
	case keySorted:
		return Cmd("ZADD", name, n, "n")
	case keyStream:
		return Cmd("XADD", name, fmt.Sprint(n, "-1"), "n", n)
	}
	return Cmd("SET", name, n)
}

// countOf is the command that reads a key's number.
func countOf(key int, name string) []any {
	switch key {
	case keyHash:
		return Cmd("HGET", name, "n")
	case keyList:
		return Cmd("LINDEX", name, 0)
	case keySet:
		return Cmd("SCARD", name)
	case keySorted:
		return Cmd("ZSCORE", name, "n")
	case keyStream:
		return Cmd("XLEN", name)
	}
	return Cmd("GET", name)
}

// chain is the keys of one writer until the outcome of a write is unknown: that
// write may happen at any later time, when the keys would have moved on.
type chain struct {
	keys      [chainKeys]string
	sent      [chainKeys]atomic.Int64 // the newest number that was sent to a key
	committed [chainKeys]atomic.Int64 // the newest that was acknowledged, or read anywhere
}

// extend gives writer n fresh keys.
func (w *Prefix) extend(n int) *chain {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := &chain{}
	for i := range ch.keys {
		ch.keys[i] = w.env.key(w.Name(), n, ".", len(w.chains[n]), ":", keyNames[i:i+1])
	}
	w.chains[n] = append(w.chains[n], ch)
	return ch
}

// pick returns a chain to read: mostly one that is being written, else one that
// was left of late, and which a failover must not have shortened.
func (w *Prefix) pick(c *Client) *chain {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.chains[c.Rand.IntN(prefixWriters)]
	back := 0
	if c.Rand.IntN(3) == 0 {
		back = c.Rand.IntN(min(4, len(all)))
	}
	return all[len(all)-1-back]
}

// write counts up.
func (w *Prefix) write(ctx context.Context, n int, c *Client) {
	ch := w.chains[n][0]
	for c.Connect(ctx) && c.Think(ctx) {
		if !w.step(c, ch) {
			ch = w.extend(n)
		}
	}
}

// step makes one write and returns false when its outcome is not known. A write
// that was refused is made again before the next.
func (w *Prefix) step(c *Client, ch *chain) bool {
	if c.Rand.IntN(3) == 0 {
		n := ch.committed[keyC].Load() + 1
		commands := make([][]any, 0, chainKeys-keyC)
		for k := keyC; k < chainKeys; k++ {
			ch.sent[k].Store(n)
			commands = append(commands, countUp(k, ch.keys[k], n))
		}
		return w.wrote(c.Exec(true, commands...), ch, n, keyC, keyHash, keyList, keySet, keySorted, keyStream)
	}
	// b follows a before a goes on.
	key, n := keyB, ch.committed[keyA].Load()
	if ch.committed[keyB].Load() == n {
		key, n = keyA, n+1
	}
	ch.sent[key].Store(n)
	return w.wrote(c.Write("SET", ch.keys[key], n), ch, n, key)
}

func (w *Prefix) wrote(r Result, ch *chain, n int64, keys ...int) bool {
	switch {
	case r.Outcome == Refused:
		return true
	case r.Outcome == Unknown:
		return false
	case r.Outcome == Aborted || r.Err != nil:
		w.env.Report(w.Name(), "writing %d to %s was answered with %v, error %v", n, ch.keys[keys[0]], r.Outcome, r.Err)
		return false
	}
	for _, k := range keys {
		raise(&ch.committed[k], n)
	}
	return true
}

// raise sets v to n unless it is larger.
func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if old >= n || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// shown is what one connection has shown of each chain.
type shown map[*chain]*[chainKeys]int64

// read reads until ctx ends.
func (w *Prefix) read(ctx context.Context, c *Client, primary bool) {
	last := shown{}
	for c.Connect(ctx) && c.Think(ctx) {
		from, to := keyA, keyB
		if c.Rand.IntN(2) == 0 {
			from, to = keyC, keyStream
		}
		if !w.look(c, w.pick(c), from, to, last, primary) {
			clear(last) // the next connection may be to another process
		}
	}
}

// look reads some keys of a chain at once and judges what it gets. It returns
// false when it got no answer.
func (w *Prefix) look(c *Client, ch *chain, from, to int, last shown, primary bool) bool {
	seen := reading{keys: ch.keys[from : to+1], committed: make([]int64, to+1-from)}
	if primary {
		load(seen.committed, ch.committed[from:to+1]) // before the read is sent
	}
	var r Result
	if from == keyA {
		r = c.Read("MGET", ch.keys[keyA], ch.keys[keyB])
	} else {
		commands := make([][]any, 0, chainKeys-keyC)
		for k := from; k <= to; k++ {
			commands = append(commands, countOf(k, ch.keys[k]))
		}
		r = c.Exec(false, commands...)
	}
	if r.Outcome != Done {
		return false
	}
	return w.judge(r, seen, ch, from, last)
}

// judge judges an answer and makes it what later readings are judged by.
func (w *Prefix) judge(r Result, seen reading, ch *chain, from int, last shown) bool {
	w.judged.Add(1)
	if r.Err != nil {
		w.env.Report(w.Name(), "reading %v was answered with %v", seen.keys, r.Err)
		return true
	}
	if last[ch] == nil {
		last[ch] = &[chainKeys]int64{}
	}
	n := len(seen.keys)
	seen.last = last[ch][from : from+n]
	seen.sent = make([]int64, n)
	load(seen.sent, ch.sent[from:from+n]) // after the answer has come
	var err error
	if seen.got, err = numbers(r.Value, n); err != nil {
		w.env.Report(w.Name(), "%v of %s: %v", seen.keys, r.Node, err)
		return true
	}
	if wrong := seen.wrong(); len(wrong) > 0 {
		w.env.Report(w.Name(), "%v of %s hold %v, read in %v: %s", seen.keys, r.Node, seen.got, between(r.Call, r.Return), strings.Join(wrong, "; "))
	}
	for i, v := range seen.got {
		seen.last[i] = max(seen.last[i], v)
		// A number that nobody has sent was reported, and holds no reader to it.
		raise(&ch.committed[from+i], min(v, seen.sent[i]))
	}
	return true
}

func load(to []int64, from []atomic.Int64) {
	for i := range to {
		to[i] = from[i].Load()
	}
}

// numbers are what n keys hold; a key that is absent counts as 0.
func numbers(value any, n int) ([]int64, error) {
	values, _ := value.([]any)
	if len(values) != n {
		return nil, fmt.Errorf("%v is no list of %d values", value, n)
	}
	list := make([]int64, n)
	for i, v := range values {
		if v == nil {
			continue
		}
		var ok bool
		if list[i], ok = number(v); !ok {
			return nil, fmt.Errorf("%q is no number", v)
		}
	}
	return list, nil
}

// Check reads all keys once more.
func (w *Prefix) Check(ctx context.Context, c *Client) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, chains := range w.chains {
		for _, ch := range chains {
			for _, keys := range [][2]int{{keyA, keyB}, {keyC, keyStream}} {
				for !w.look(c, ch, keys[0], keys[1], shown{}, true) {
					if !c.Connect(ctx) || !c.Think(ctx) {
						return fmt.Errorf("%s: read back: %w", w.Name(), ctx.Err())
					}
				}
			}
		}
	}
	return nil
}
