package command_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/node/command/commandtest"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

// streamPrelude are requests to send before r, so that what Redis's clock and version
// make of it does not show:
//   - XADD * counts on from an ID in the future;
//   - XREADGROUP, XCLAIM and XAUTOCLAIM make their consumer always since 7.2, before that
//     only when it gets an entry.
func streamPrelude(r []string) [][][]byte {
	consumer := func(key, group, name string) [][]byte {
		return raw("XGROUP", "CREATECONSUMER", key, group, name)
	}
	var out [][][]byte
	switch strings.ToLower(r[0]) {
	case "xadd":
		if len(r) > 4 && slices.Contains(r[2:], "*") {
			out = append(out, raw("XADD", r[1], "9999999999999-0", "a", "1"))
		}
	case "xclaim", "xautoclaim":
		if len(r) > 3 {
			out = append(out, consumer(r[1], r[2], r[3]))
		}
	case "xreadgroup":
		for i := range r {
			if strings.EqualFold(r[i], "STREAMS") && i > 3 {
				for _, key := range r[i+1 : i+1+(len(r)-i-1)/2] {
					out = append(out, consumer(key, r[2], r[3]))
				}
				break
			}
		}
	}
	return out
}

// setStreamIDs sends XSETID, but for IDs below the highest deleted one: Redis 7.0 takes
// those.
func (d *driver) setStreamIDs() {
	d.t.Helper()
	for range 3 {
		key := d.gen.xkey()
		id := keyspace.StreamID{MS: uint64(max(0, d.gen.lastMS+1-int64(d.gen.IntN(4)))), Seq: uint64(d.gen.IntN(9))}
		ref, _ := d.subject.ks.DB(d.subject.ctx.DB).Lookup([]byte(key))
		if s := ref.Stream(); s != nil && id.Less(s.MaxDeletedID()) {
			id = keyspace.StreamID{MS: 20_000_000_000_000}
		}
		a := []string{"XSETID", key, id.String()}
		for d.gen.chance(30) {
			if d.gen.chance(50) {
				a = append(a, d.gen.pick("ENTRIESADDED", "entriesadded"), d.gen.pick("0", "5", "100", "100", "9223372036854775807", "-1", "abc"))
			} else {
				a = append(a, d.gen.pick("MAXDELETEDID", "NOPE", "MAXDELETEDID"), d.gen.pick("0", "1-1", "30000000000000", fmt.Sprint(d.gen.lastMS-3), "abc"))
			}
		}
		d.both(raw(a...))
	}
}

// sameStreamReply compares replies on streams. Those of Redis 7.0 differ from 7.2 in
//   - the error for an odd list of streams;
//   - the error of XADD <ms>-* behind <ms>-18446744073709551615, which in 7.0 is that of
//     whatever failed before;
//   - XINFO, which tells the time a consumer was last active since 7.2.
//
// Delivery and idle times are as far apart as the clocks.
func (d *driver) sameStreamReply(name string, want, got []byte) error {
	unbalanced := []byte("-ERR Unbalanced ")
	order := []byte("-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n")
	switch {
	case bytes.HasPrefix(want, unbalanced) && bytes.HasPrefix(got, unbalanced),
		name == "xadd" && string(want) == "-ERR Elements are too large to be stored\r\n" && bytes.Equal(got, order):
		return nil
	}
	w, err := commandtest.Parse(want)
	if err != nil {
		return err
	}
	g, err := commandtest.Parse(got)
	if err != nil {
		return fmt.Errorf("malformed: %w", err)
	}
	switch name {
	case "xpending", "xinfo|stream", "xinfo|consumers":
		return d.nearStream(w, g, name == "xpending", false)
	}
	return fmt.Errorf("differs")
}

// nearStream compares what may hold times. In XPENDING idle times have no name before
// them.
func (d *driver) nearStream(w, g commandtest.Value, pending, idle bool) error {
	if w.Type != g.Type || w.Null != g.Null {
		return fmt.Errorf("another type")
	}
	if w.Type == ':' && w.Text != g.Text {
		return d.nearTimes(w, g, idle)
	}
	if w.Text != g.Text {
		return fmt.Errorf("%.100q and %.100q", w.Text, g.Text)
	}
	elems := withoutActivity(g.Elems)
	if len(w.Elems) != len(elems) {
		return fmt.Errorf("%d elements and %d", len(w.Elems), len(elems))
	}
	for i := range elems {
		idle := pending && i == 2 || i > 0 && w.Elems[i-1].Text == "idle"
		if err := d.nearStream(w.Elems[i], elems[i], pending, idle); err != nil {
			return err
		}
	}
	return nil
}

// nearTimes compares numbers that are Unix times, or idle times.
func (d *driver) nearTimes(w, g commandtest.Value, idle bool) error {
	a, errA := strconv.ParseInt(w.Text, 10, 64)
	b, errB := strconv.ParseInt(g.Text, 10, 64)
	const longAgo = 1_000_000_000_000
	if errA != nil || errB != nil || !idle && min(a, b) < longAgo || max(a, b)-min(a, b) > d.elapsed() {
		return fmt.Errorf("%s and %s", w.Text, g.Text)
	}
	return nil
}

// withoutActivity leaves out the pairs that are there since 7.2.
func withoutActivity(elems []commandtest.Value) []commandtest.Value {
	var out []commandtest.Value
	for i := 0; i < len(elems); i++ {
		if t := elems[i].Text; (t == "active-time" || t == "inactive") && elems[i].Type == '$' {
			i++
			continue
		}
		out = append(out, elems[i])
	}
	return out
}
