package workload

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/anishathalye/porcupine"
)

// streamID is the id of an entry; the zero one is of none.
type streamID struct{ ms, seq uint64 }

var lastStreamID = streamID{math.MaxUint64, math.MaxUint64}

func (id streamID) String() string { return fmt.Sprintf("%d-%d", id.ms, id.seq) }

func (id streamID) compare(other streamID) int {
	return cmp.Or(cmp.Compare(id.ms, other.ms), cmp.Compare(id.seq, other.seq))
}

func parseStreamID(v any) (id streamID, err error) {
	text, _ := v.(string)
	ms, seq, found := strings.Cut(text, "-")
	if found {
		if id.ms, err = strconv.ParseUint(ms, 10, 64); err == nil {
			id.seq, err = strconv.ParseUint(seq, 10, 64)
		}
	}
	if !found || err != nil || id == (streamID{}) {
		return streamID{}, fmt.Errorf("%v is no id", v)
	}
	return id, nil
}

// streamField is the only field of every entry.
const streamField = "v"

// shownEntry is an entry in a reply; its value is "" when it has been deleted.
type shownEntry struct {
	id    streamID
	value string
}

// parseEntries takes a list of entries apart, whose ids grow.
func parseEntries(reply any) ([]shownEntry, error) {
	list, ok := reply.([]any)
	if !ok && reply != nil {
		return nil, fmt.Errorf("%v is no list of entries", reply)
	}
	entries := make([]shownEntry, 0, len(list))
	for _, v := range list {
		pair, _ := v.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("%v is no entry", v)
		}
		id, err := parseStreamID(pair[0])
		if err != nil {
			return nil, err
		}
		if n := len(entries); n > 0 && entries[n-1].id.compare(id) >= 0 {
			return nil, fmt.Errorf("%v comes after %v", id, entries[n-1].id)
		}
		e := shownEntry{id: id}
		if pair[1] != nil {
			fields, _ := pair[1].([]any)
			if len(fields) == 2 && fields[0] == streamField {
				e.value, _ = fields[1].(string)
			}
			if e.value == "" {
				return nil, fmt.Errorf("%v has the fields %v, which nobody has added", id, pair[1])
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseReadEntries takes the answer to XREADGROUP of one stream apart.
func parseReadEntries(reply any) ([]shownEntry, error) {
	if reply == nil {
		return nil, nil
	}
	if streams, _ := reply.([]any); len(streams) == 1 {
		if pair, _ := streams[0].([]any); len(pair) == 2 {
			return parseEntries(pair[1])
		}
	}
	return nil, fmt.Errorf("one stream was answered with %v", reply)
}

// consumer is the number of a consumer, from 1 on; 0 is none.
type consumer int

func (n consumer) String() string { return fmt.Sprint("c", int(n)) }

// shownPending is an entry that XPENDING shows.
type shownPending struct {
	id    streamID
	owner consumer
}

// parsePending takes XPENDING's reply apart.
func parsePending(reply any) ([]shownPending, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%v is no list of pending entries", reply)
	}
	var all []shownPending
	for _, v := range list {
		row, _ := v.([]any)
		if len(row) != 4 {
			return nil, fmt.Errorf("%v is no pending entry", v)
		}
		id, err := parseStreamID(row[0])
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].id.compare(id) >= 0 {
			return nil, fmt.Errorf("%v comes after %v", id, all[n-1].id)
		}
		name, _ := row[1].(string)
		n, err := strconv.Atoi(strings.TrimPrefix(name, "c"))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%v is pending with %q, who is nobody", id, name)
		}
		all = append(all, shownPending{id, consumer(n)})
	}
	return all, nil
}

// entryState is what a stream and its only group know of one entry.
type entryState struct {
	life  string   // "", there, deleted
	group string   // "", pending, acked; or gone: claimed when there was nothing any more
	owner consumer // while pending
}

// entryOp is an operation on one entry.
//
//	add      output: true
//	del      output: how many were deleted
//	see      output: whether it is there
//	deliver  to by, who asked for what nobody has got; output: true
//	skip     by's question for what nobody has got was answered without it; output: true
//	mine     what is pending with by; output: "", there, deleted
//	owner    output: with whom it is pending; 0 for nobody
//	ack      output: how many were pending
//	claim    for by; output: whether by got it
type entryOp struct {
	kind string
	by   consumer
}

// entryModel is an entryState. The output of an operation of unknown outcome is nil.
var entryModel = withoutIdle(porcupine.Model{
	Init: func() any { return entryState{} },
	Step: func(state, input, output any) (bool, any) {
		next, answer := state.(entryState).after(input.(entryOp))
		return output == nil || output == answer, next
	},
	DescribeOperation: func(input, output any) string {
		op := input.(entryOp)
		if op.by == 0 {
			return fmt.Sprintf("%s -> %v", op.kind, output)
		}
		return fmt.Sprintf("%s %v -> %v", op.kind, op.by, output)
	},
})

// after is s after an operation, and the server's answer to it.
func (s entryState) after(op entryOp) (entryState, any) {
	there, pending := s.life == "there", s.group == "pending"
	switch op.kind {
	case "add":
		if s.life != "" {
			return s, false
		}
		s.life = "there"
		return s, true
	case "del":
		if !there {
			return s, int64(0)
		}
		s.life = "deleted"
		return s, int64(1)
	case "see":
		return s, there
	case "deliver":
		if !there || s.group != "" {
			return s, false
		}
		s.group, s.owner = "pending", op.by
		return s, true
	case "skip":
		return s, !there || s.group != ""
	case "mine":
		if s.owner != op.by {
			return s, ""
		}
		return s, s.life
	case "owner":
		return s, s.owner
	case "ack":
		if !pending {
			return s, int64(0)
		}
		s.group, s.owner = "acked", 0
		return s, int64(1)
	}
	switch {
	case pending && there:
		s.owner = op.by
		return s, true
	case pending: // a claim of a deleted entry ends its wait
		s.group, s.owner = "gone", 0
	}
	return s, false
}

// dated is an id that came about, or was given out, at some moment between two.
type dated struct {
	id            streamID
	after, before int64
}

// disorder finds two ids of which the larger one was first; ok when there are none.
func disorder(ids []dated) (first, second dated, ok bool) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b dated) int { return a.id.compare(b.id) })
	earliest := dated{before: math.MaxInt64} // of those with larger ids
	for _, d := range slices.Backward(ids) {
		if earliest.before < d.after {
			return earliest, d, false
		}
		if d.before < earliest.before {
			earliest = d
		}
	}
	return dated{}, dated{}, true
}
