package command_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

const (
	sequences    = 200
	sequenceLen  = 1000
	strictEvery  = 16 // requests, one of which has its changes checked
	minSuccesses = 20 // replies without error that every command must have had
)

// TestEqualsRedis sends generated sequences of requests to a real redis-server
// and executes them here. Replies must be the same to the byte, but for the
// exceptions in sameReply; after each sequence DEBUG DIGEST must be the same, and a
// replica that applied the effects must equal the primary, as must a node that began
// with a snapshot in the middle of the sequence. `make compat` runs more of them. A failure
// names its seed; the sequence depends on nothing else.
func TestEqualsRedis(t *testing.T) {
	redis := testenv.StartRedis(t, "--hash-max-listpack-entries", strconv.Itoa(limits.HashMaxListpackEntries),
		"--set-max-intset-entries", strconv.Itoa(limits.SetMaxIntsetEntries),
		"--zset-max-listpack-entries", strconv.Itoa(limits.ZSetMaxListpackEntries),
		"--zset-max-listpack-value", strconv.Itoa(limits.ZSetMaxListpackValue),
		"--hll-sparse-max-bytes", strconv.Itoa(limits.HLLSparseMaxBytes),
		"--stream-node-max-entries", strconv.Itoa(limits.StreamNodeMaxEntries), "--stream-node-max-bytes", strconv.Itoa(limits.StreamNodeMaxBytes),
		"--notify-keyspace-events", "EAm")
	successes, keys := map[string]int{}, 0
	first, count := testenv.Seed(t, 0), testenv.Rounds(t, sequences)
	for seed := first; seed < first+uint64(count); seed++ {
		d := newDriver(t, redis.Addr, seed)
		d.run(sequenceLen)
		d.finish()
		d.redis.Close()
		d.events.Close()
		for name, n := range d.successes {
			successes[name] += n
		}
		keys += d.subject.ks.Len()
		if t.Failed() {
			t.Fatalf("stop at the first sequence that differs; again: REDOUBT_TEST_SEED=%d REDOUBT_TEST_ROUNDS=1 go test -run %s ./node/command", seed, t.Name())
		}
	}
	if count < sequences {
		return // too few to say more
	}
	if keys < count {
		t.Errorf("%d sequences end with %d keys: their digests say little", count, keys)
	}
	for _, cmd := range newTable().All() {
		rows := []*command.Command{cmd}
		if cmd.Sub != nil {
			rows = cmd.Sub
		}
		for _, r := range rows {
			if successes[r.FullName()] < minSuccesses && !notGenerated[r.FullName()] {
				t.Errorf("%s succeeded only %d times: the sequences do not test it", r.FullName(), successes[r.FullName()])
			}
		}
	}
}

// notGenerated are commands whose reply depends on the whole table, or that only
// fail.
var notGenerated = map[string]bool{"command|count": true, "command|docs": true, "command|list": true, "object|freq": true,
	"pfselftest": true}

// driver runs one sequence.
type driver struct {
	t         *testing.T
	gen       *generator
	subject   *subject
	redis     *commandtest.Client
	events    *commandtest.Client // Redis's keyspace notifications
	seed      uint64
	successes map[string]int
	recent    []string // the last requests, to explain a difference
}

func newDriver(t *testing.T, addr string, seed uint64) *driver {
	now := time.Now().UnixMilli()
	d := &driver{
		t: t, seed: seed, successes: map[string]int{},
		gen:     &generator{Rand: rand.New(rand.NewPCG(seed, 1)), now: now, requests: requestsOf(seed)},
		redis:   commandtest.Dial(t, addr),
		events:  commandtest.Dial(t, addr),
		subject: newSubject(t, seed, now, 2+int(seed%2)),
	}
	d.redis.Do("HELLO", strconv.Itoa(d.subject.out.Proto))
	d.redis.Do("FLUSHALL")
	d.redis.Do("DEBUG", "SET-ACTIVE-EXPIRE", "0")
	d.events.Do("PSUBSCRIBE", "__keyevent@*", endOfSequence)
	d.events.Receive() // of the second pattern
	return d
}

// run sends n requests, in batches so that round trips do not count.
func (d *driver) run(n int) {
	const batch = 100
	for half := n / 2; n > 0 && !d.t.Failed(); {
		if n <= half && d.subject.rebuilt == nil {
			if err := d.subject.rebuild(); err != nil {
				d.fail("%v", err)
				d.explain()
				return
			}
		}
		var requests [][][]byte
		for range min(batch, n) {
			requests = append(requests, d.next()...)
		}
		n -= batch
		for _, r := range requests {
			d.redis.Send(r...)
		}
		d.redis.Flush()
		for _, r := range requests {
			d.step(r, d.redis.Receive())
			if d.t.Failed() {
				return
			}
		}
		d.rounds()
	}
}

// next is the next request, with one before it where it needs that.
func (d *driver) next() [][][]byte {
	if d.gen.chance(2) {
		return [][][]byte{raw("SELECT", strconv.Itoa(d.gen.IntN(databases)))}
	}
	r := d.gen.request()
	if strings.EqualFold(r[0], "dbsize") || strings.EqualFold(r[0], "scan") {
		return [][][]byte{d.purge(), raw(r...)}
	}
	if strings.HasPrefix(strings.ToLower(r[0]), "sort") {
		return [][][]byte{clearErrno, raw(r...)}
	}
	return append(streamPrelude(r), raw(r...))
}

// purge names every key, whereupon both servers delete those that have expired.
// Redis's SCAN and RANDOMKEY also delete, Redoubt's only hide, which shows in the
// count of keys; and SCAN with TYPE notifies of the misses.
func (d *driver) purge() [][]byte { return raw(append([]string{"EXISTS"}, keyPool...)...) }

// clearErrno goes before SORT, which in Redis takes what errno another command of
// the same pipeline has left (ERANGE) for one of its own: reading a score clears it.
var clearErrno = raw("ZADD", "so3", "XX", "0", "1")

func raw(args ...string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

// both sends one request and executes it.
func (d *driver) both(args [][]byte) {
	d.t.Helper()
	d.redis.Send(args...)
	d.redis.Flush()
	d.step(args, d.redis.Receive())
}

// step executes a request of which want is Redis's reply.
func (d *driver) step(args [][]byte, want []byte) {
	d.t.Helper()
	line := fmt.Sprintf("[%d] %.300q", d.subject.ctx.DB, args)
	d.recent = append(d.recent, line)
	if string(args[0]) == "SELECT" {
		d.subject.ctx.DB, _ = strconv.Atoi(string(args[1]))
		return
	}
	d.subject.strict = len(d.recent)%strictEvery == 0
	got, cmd := d.subject.do(args)
	name := ""
	if cmd != nil {
		name = cmd.FullName()
		if got[0] != '-' {
			d.successes[name]++
		}
	}
	if err := d.sameReply(name, args, want, got); err != nil {
		d.fail("%s: %v\nredis:   %.500q\nredoubt: %.500q", line, err, want, got)
	}
	if name == "spop" && !d.t.Failed() {
		d.popAlike(args[1], want, got)
	}
	if d.t.Failed() {
		d.explain()
	}
	if name == "dump" {
		d.keepDumps(want, got)
	}
}

func (d *driver) fail(format string, a ...any) {
	d.t.Helper()
	d.t.Errorf("seed %d: %s", d.seed, fmt.Sprintf(format, a...))
}

func (d *driver) explain() {
	d.t.Logf("requests before it:\n%s", strings.Join(d.recent[max(0, len(d.recent)-30):], "\n"))
}

// rounds goes through whole rounds of SCAN and its kin with a small count, whose
// single steps have nothing in common.
func (d *driver) rounds() {
	d.t.Helper()
	if err := d.subject.checkReplica(); err != nil {
		d.fail("%v", err)
		d.explain()
	}
	d.both(d.purge())
	d.setStreamIDs()
	count := strconv.Itoa(1 + d.gen.IntN(20))
	options := d.gen.scanOptions(count, true)
	d.round(1, 1, append([]string{"SCAN", "0"}, options...))
	d.round(2, 2, append([]string{"HSCAN", d.gen.hkey(), "0"}, d.gen.scanOptions(count, false)...))
	d.round(2, 1, append([]string{"SSCAN", d.gen.setKey(), "0"}, d.gen.scanOptions(count, false)...))
	d.round(2, 2, append([]string{"ZSCAN", d.gen.zkey(), "0"}, d.gen.scanOptions(count, false)...))
}

// round runs a command of the SCAN family from cursor 0, which is argument at, back
// to it, here and there. An element of its reply is size strings.
func (d *driver) round(at, size int, request []string) {
	d.t.Helper()
	there := func(args [][]byte) []byte {
		d.redis.Send(args...)
		d.redis.Flush()
		return d.redis.Receive()
	}
	here := func(args [][]byte) []byte {
		reply, _ := d.subject.do(args)
		return reply
	}
	d.recent = append(d.recent, fmt.Sprintf("[%d] round of %q", d.subject.ctx.DB, request))
	if w, g := d.collect(at, size, request, there), d.collect(at, size, request, here); w != g {
		d.fail("a round of %q differs\nredis:   %.500s\nredoubt: %.500s", request, w, g)
		d.explain()
	}
}

// collect is what a round returned, each element once and in order, or the error.
func (d *driver) collect(at, size int, request []string, do func([][]byte) []byte) string {
	d.t.Helper()
	args := raw(request...)
	var all []string
	for range 10_000 {
		v, err := commandtest.Parse(do(args))
		if err != nil {
			d.t.Fatal(err)
		}
		if v.Type == '-' {
			return v.Text
		}
		all = append(all, chunks(v.Elems[1], size)...)
		if v.Elems[0].Text == "0" {
			slices.Sort(all)
			return strings.Join(slices.Compact(all), " ")
		}
		args[at] = []byte(v.Elems[0].Text)
	}
	d.t.Fatalf("%q does not come to an end", request)
	return ""
}

// endOfSequence is a channel on which the driver says that it is done.
const endOfSequence = "end-of-sequence"

// checkEvents compares the keyspace notifications of the sequence. Expired keys
// are left out: Redis says so also when SET overwrites one or SCAN passes by.
func (d *driver) checkEvents() {
	d.t.Helper()
	d.redis.Do("PUBLISH", endOfSequence, "")
	for i := 0; ; i++ {
		v, err := commandtest.Parse(d.events.Receive())
		if err != nil || len(v.Elems) != 4 {
			d.t.Fatalf("notification %+v: %v", v, err)
		}
		channel, key := v.Elems[2].Text, v.Elems[3].Text
		if strings.HasSuffix(channel, ":expired") || strings.HasSuffix(channel, ":keymiss") && namedByPattern(key) {
			i--
			continue
		}
		want, got := fmt.Sprintf("%s %q", strings.TrimPrefix(channel, "__keyevent@"), key), "none"
		if i < len(d.subject.events) {
			got = d.subject.events[i]
		}
		switch {
		case channel == endOfSequence && got == "none":
			return
		case want != got:
			d.fail("notification %d is %s, not %s; before it %q", i, got, want, d.subject.events[max(0, i-5):i])
			return
		}
	}
}

// finish compares the data both servers and the replica end with.
func (d *driver) finish() {
	if d.t.Failed() {
		return
	}
	for db := range databases {
		d.both(raw("SELECT", strconv.Itoa(db)))
		d.both(d.purge())
		d.both(raw("DEL", distances))
	}
	want := strings.TrimSpace(strings.TrimPrefix(string(d.redis.Do("DEBUG", "DIGEST")), "+"))
	if got := fmt.Sprintf("%x", d.subject.ks.RedisDigest()); got != want {
		d.fail("DEBUG DIGEST is %s, not %s", got, want)
	}
	d.checkEvents()
	if err := d.subject.checkReplica(); err != nil {
		d.fail("%v", err)
	}
}
