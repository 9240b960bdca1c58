package main

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/s3segments"
)

func newWAL() *cobra.Command {
	cmd := group("wal", "Look at the log: what is where, what it says, whether it is whole",
		`The log is every change a shard has made, in one order. Its newest part, the head,
is in etcd; the rest is in segments in object storage, each one object.

`+exitHelp)
	cmd.AddCommand(newWALList(), newWALCat(), newWALVerify())
	return cmd
}

// walList is what `redoubt wal ls` finds.
type walList struct {
	Shard    int           `json:"shard"`
	Segments []segmentItem `json:"segments"`
	Head     headItem      `json:"head"`
}

type segmentItem struct {
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	Epoch   int64     `json:"epoch"` // of the primary that sealed it
	Bytes   int64     `json:"bytes"`
	Sealed  time.Time `json:"sealed"`
	Object  string    `json:"object"` // s3:// URL
	Note    string    `json:"note,omitempty"`
	Missing bool      `json:"missing,omitempty"` // no object: a hole in the log
}

type headItem struct {
	First   uint64 `json:"first"` // 0: the head is empty
	Last    uint64 `json:"last"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
}

func newWALList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the segments and the head",
		Long: `Lists the segments in object storage and the head in etcd, in the order of the log,
with the entries each holds. A hole between segments is listed as missing. A segment
is superseded when others hold all its entries: a primary that lost its place while
it uploaded left it, and "redoubt snapshot gc" deletes it.

` + exitHelp,
		Example: "  redoubt wal ls\n  redoubt wal ls --json | jq '.head.bytes'",
		Args:    noArgs,
	}
	asJSON := addJSON(cmd)
	t := addTarget(cmd)
	cmd.RunE = withTarget(t, func(cmd *cobra.Command, s *session, _ []string) error {
		l, err := listWAL(cmd.Context(), s)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), l)
		}
		return l.print(cmd.OutOrStdout())
	})
	return cmd
}

func listWAL(ctx context.Context, s *session) (*walList, error) {
	st, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	bytes, err := s.fence().HeadBytes(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := s.segments().List(ctx)
	if err != nil {
		return nil, err
	}
	l := &walList{Shard: s.shard, Segments: segmentItems(infos, st.Sealed.Seq), Head: headItem{Entries: st.HeadEntries, Bytes: bytes}}
	for i := range l.Segments {
		if !l.Segments[i].Missing {
			l.Segments[i].Object = s.store.URL(l.Segments[i].Object)
		}
	}
	if st.HeadEntries > 0 {
		l.Head.First, l.Head.Last = st.Sealed.Seq+1, st.Tail
	}
	return l, nil
}

// segmentItems lists segments and the holes between the first of them and the
// sealed pointer, and says which are not needed to read that range.
func segmentItems(infos []s3segments.SegmentInfo, sealed uint64) []segmentItem {
	items := []segmentItem{}
	needed := map[string]bool{}
	next := sealed + 1
	for _, s := range infos {
		next = min(next, s.First)
	}
	for next <= sealed {
		end := s3segments.Extent(infos, next)
		if chain, err := s3segments.Chain(infos, next, min(end, sealed)); err == nil {
			for _, s := range chain {
				needed[s.Key] = true
			}
		}
		if end >= sealed {
			break
		}
		hole := segmentItem{First: end + 1, Last: sealed, Missing: true, Note: "missing"}
		for _, s := range infos {
			if s.First > end {
				hole.Last = min(hole.Last, s.First-1)
			}
		}
		items = append(items, hole)
		next = hole.Last + 1
	}
	for _, s := range infos {
		item := segmentItem{First: s.First, Last: s.Last, Epoch: s.Epoch, Bytes: s.Size, Sealed: s.LastModified, Object: s.Key}
		switch {
		case s.Last > sealed:
			item.Note = "not pointed to yet"
		case !needed[s.Key]:
			item.Note = "superseded"
		}
		items = append(items, item)
	}
	slices.SortStableFunc(items, func(a, b segmentItem) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	return items
}

func (l *walList) print(w io.Writer) error {
	rows := [][]string{{"FIRST", "LAST", "ENTRIES", "EPOCH", "SIZE", "SEALED", "WHERE"}}
	for _, s := range l.Segments {
		entries := strconv.FormatUint(s.Last-s.First+1, 10)
		if s.Missing {
			rows = append(rows, []string{formatSeq(s.First), formatSeq(s.Last), entries, "-", "-", "-", "MISSING"})
			continue
		}
		where := s.Object
		if s.Note != "" {
			where += " (" + s.Note + ")"
		}
		rows = append(rows, []string{formatSeq(s.First), formatSeq(s.Last), entries, strconv.FormatInt(s.Epoch, 10), humanSize(s.Bytes), stamp(s.Sealed), where})
	}
	if h := l.Head; h.Entries > 0 {
		rows = append(rows, []string{formatSeq(h.First), formatSeq(h.Last), strconv.FormatInt(h.Entries, 10), "-", humanSize(h.Bytes), "-", "head, in etcd"})
	} else {
		rows = append(rows, []string{"-", "-", "0", "-", humanSize(h.Bytes), "-", "head, in etcd"})
	}
	return table(w, rows)
}

func formatSeq(seq uint64) string { return strconv.FormatUint(seq, 10) }
