package command_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
)

// sameReply compares replies. They differ, for good reason, where
//   - the order is a hash table's: keys, fields and members;
//   - DUMP compresses: LZF leaves open which of equal bytes a copy is of;
//   - chance decides: RANDOMKEY, HRANDFIELD, SRANDMEMBER, SPOP;
//   - Redis 7.0 has no listpacks for sets, 7.2 and Redoubt do: OBJECT ENCODING;
//   - Redis's clock has gone on since the sequence began: TTL and its kin;
//   - Redis 7.0 keeps every list as a quicklist, 7.2 a small one as a listpack;
//   - Redis answers a null array when a blocking command's time has passed, for which
//     the subject does not wait: it answers what the command says in a transaction,
//     which for BLMOVE and BRPOPLPUSH is a null;
//   - Redis 7.2 knows WITHSCORE of ZRANK and ZREVRANK, and 7.0 does not;
//   - Redis keeps the sign of a zero in the scores of large sorted sets and of
//     results that are not stored;
//   - sines have another last digit in another library, which shows in the scores
//     that STOREDIST makes, and hardly ever in a distance;
//   - Redis 7.0 is not 7.2, and idle times grow, see sameStreamReply;
//   - Redis shares the objects of small integers, which shows in REFCOUNT and
//     IDLETIME, and Redoubt keeps no access times.
func (d *driver) sameReply(name string, args [][]byte, want, got []byte) error {
	if bytes.Equal(want, got) {
		return nil
	}
	if strings.HasPrefix(name, "x") {
		return d.sameStreamReply(name, want, got)
	}
	w, err := commandtest.Parse(want)
	if err != nil {
		return err
	}
	g, err := commandtest.Parse(got)
	if err != nil {
		return fmt.Errorf("malformed: %w", err)
	}
	if (name == "blmove" || name == "brpoplpush") && w.Null && g.Null {
		return nil
	}
	if isNewer(args) && w.Type == '-' && strings.Contains(w.Text, "number of arguments") {
		return nil
	}
	if w.Type != g.Type {
		return fmt.Errorf("another type")
	}
	switch name {
	case "keys", "hkeys", "hvals":
		return equalUnordered(w, g, 1)
	case "hgetall":
		return equalUnordered(w, g, 2)
	case "smembers", "sinter", "sunion", "sdiff":
		return equalUnordered(w, g, 1)
	case "scan", "sscan":
		return equalUnordered(w.Elems[1], g.Elems[1], 1)
	case "hscan":
		return equalUnordered(w.Elems[1], g.Elems[1], 2)
	case "dump":
		return d.checkDump(args[1], w)
	case "randomkey":
		return d.checkRandomKey(g)
	case "hrandfield":
		return d.checkRandomElements(args, w, g)
	case "srandmember":
		return d.checkRandomMembers(args, w, g)
	case "spop":
		return samePopped(w, g)
	case "object|encoding":
		if w.Text == "quicklist" && g.Text == "listpack" {
			return nil
		}
		return d.checkSetEncoding(args[2], w.Text, g.Text)
	case "zrandmember":
		return d.checkRandomElements(args, w, g)
	case "zscan":
		return equalUnordered(w.Elems[1], g.Elems[1], 2)
	case "geodist", "geosearch", "georadius", "georadius_ro", "georadiusbymember", "georadiusbymember_ro":
		return nearDistances(w, g)
	case "zrange":
		if string(args[1]) == distances {
			return nearDistances(w, g)
		}
	case "zunion", "zinter":
		if bytes.Equal(unsignedZeros(want), got) {
			return nil
		}
	case "ttl", "expiretime":
		return near(w, g, d.elapsed()/1000+1)
	case "pttl", "pexpiretime":
		return near(w, g, d.elapsed())
	case "object|idletime":
		return near(w, g, math.MaxInt64)
	case "object|refcount":
		if g.Text == "1" && w.Text == "2147483647" {
			return nil
		}
	}
	return fmt.Errorf("differs")
}

// isNewer reports whether a request, or the one it asks about, has an argument that
// came with Redis 7.2.
func isNewer(args [][]byte) bool {
	for len(args) > 2 && command.EqualFold(args[0], "command") {
		args = args[2:]
	}
	return len(args) > 3 && (command.EqualFold(args[0], "zrank") || command.EqualFold(args[0], "zrevrank"))
}

// nearDistances compares replies in which numbers with a fraction are distances.
func nearDistances(w, g commandtest.Value) error {
	if w.Type != g.Type || len(w.Elems) != len(g.Elems) {
		return fmt.Errorf("another shape")
	}
	for i := range w.Elems {
		if err := nearDistances(w.Elems[i], g.Elems[i]); err != nil {
			return err
		}
	}
	if w.Text == g.Text {
		return nil
	}
	a, errA := strconv.ParseFloat(w.Text, 64)
	b, errB := strconv.ParseFloat(g.Text, 64)
	tolerance := 1e-15 * a // of scores, which STOREDIST made
	if _, decimals, _ := strings.Cut(w.Text, "."); len(decimals) == 4 {
		tolerance = 0.00011 // of rounded distances
	}
	if errA != nil || errB != nil || math.Abs(a-b) > tolerance {
		return fmt.Errorf("%s is not %s", g.Text, w.Text)
	}
	return nil
}

func unsignedZeros(reply []byte) []byte {
	reply = bytes.ReplaceAll(reply, []byte("$2\r\n-0\r\n"), []byte("$1\r\n0\r\n"))
	return bytes.ReplaceAll(reply, []byte(",-0\r\n"), []byte(",0\r\n"))
}

// elapsed is by how many milliseconds Redis's clock is ahead of the subject's, at
// most.
func (d *driver) elapsed() int64 { return time.Now().UnixMilli() - d.subject.ctx.Now }

func near(w, g commandtest.Value, tolerance int64) error {
	a, errA := strconv.ParseInt(w.Text, 10, 64)
	b, errB := strconv.ParseInt(g.Text, 10, 64)
	if errA != nil || errB != nil || a < 0 || b < 0 || max(a, b)-min(a, b) > tolerance {
		return fmt.Errorf("too far away")
	}
	return nil
}

// chunks are the elements of an aggregate, size at a time.
func chunks(v commandtest.Value, size int) []string {
	var out []string
	for c := range slices.Chunk(v.Elems, size) {
		out = append(out, fmt.Sprintf("%v", c))
	}
	slices.Sort(out)
	return out
}

func equalUnordered(w, g commandtest.Value, size int) error {
	if w.Type != g.Type || !slices.Equal(chunks(w, size), chunks(g, size)) {
		return fmt.Errorf("other elements")
	}
	return nil
}

func (d *driver) checkRandomKey(g commandtest.Value) error {
	if _, found := d.subject.ctx.LookupWrite([]byte(g.Text)); !found {
		return fmt.Errorf("no such key")
	}
	return nil
}

// checkRandomElements checks that a random choice of HRANDFIELD or ZRANDMEMBER has
// the size and shape of Redis's, and consists of what is there, different ones unless
// the count is negative.
func (d *driver) checkRandomElements(args [][]byte, w, g commandtest.Value) error {
	ref, _ := d.subject.ctx.LookupWrite(args[1])
	lookup := valuesOf(ref)
	if lookup == nil {
		return fmt.Errorf("there is nothing to pick from")
	}
	if len(args) == 2 {
		if _, found := lookup(g.Text); !found {
			return fmt.Errorf("no such element")
		}
		return nil
	}
	if len(w.Elems) != len(g.Elems) {
		return fmt.Errorf("%d elements, not %d", len(g.Elems), len(w.Elems))
	}
	seen := map[string]bool{}
	var elems []commandtest.Value
	for _, e := range g.Elems {
		if e.Type == '*' {
			if len(e.Elems) != 2 {
				return fmt.Errorf("no pair")
			}
			elems = append(elems, e.Elems...)
		} else {
			elems = append(elems, e)
		}
	}
	step := 1
	if len(args) == 4 {
		step = 2
	}
	for i := 0; i < len(elems); i += step {
		name := elems[i].Text
		value, found := lookup(name)
		if !found || step == 2 && value != elems[i+1].Text {
			return fmt.Errorf("no element %q with that value", name)
		}
		if seen[name] && args[2][0] != '-' {
			return fmt.Errorf("element %q twice", name)
		}
		seen[name] = true
	}
	return nil
}

// valuesOf looks up what belongs to a field of a hash or a member of a sorted set.
func valuesOf(ref keyspace.Ref) func(name string) (value string, found bool) {
	if h := ref.Hash(); h != nil {
		return func(name string) (string, bool) {
			value, found := h.Get([]byte(name))
			return string(value), found
		}
	}
	if z := ref.ZSet(); z != nil {
		return func(name string) (string, bool) {
			score, found := z.Score([]byte(name))
			return resp.FormatDouble(score), found
		}
	}
	return nil
}
