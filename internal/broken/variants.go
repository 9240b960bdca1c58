package broken

// Variant names a way in which Redoubt is broken. The zero value is none.
type Variant string

// The variants; All says what each of them does.
const (
	EarlyReply       Variant = "early-reply"
	DirtyRead        Variant = "dirty-read"
	PlainAppend      Variant = "plain-append"
	LeaseFromAnswer  Variant = "lease-from-answer"
	LeaseIgnored     Variant = "lease-ignored"
	UnreadTail       Variant = "unread-tail"
	RelativeExpiry   Variant = "relative-expiry"
	SplitTransaction Variant = "split-transaction"
	UnboundedHead    Variant = "unbounded-head"
	TrimFirst        Variant = "trim-first"
	ShortSnapshot    Variant = "short-snapshot"
	KeptDirty        Variant = "kept-dirty"
	NewerFormat      Variant = "newer-format"
)

// Info describes a variant.
type Info struct {
	Variant   Variant
	Invariant int    // that it breaks, as docs/ARCHITECTURE.md numbers them
	What      string // it does, for people
}

// All lists the variants, in the order of what they break.
func All() []Info {
	return []Info{
		{EarlyReply, 1, "replies leave before the write that they depend on is committed"},
		{DirtyRead, 1, "reads of keys whose last write is not committed answer at once"},
		{PlainAppend, 2, "an append is a plain put, whoever leads and whatever the place holds, and is not given up when the term ends"},
		{LeaseFromAnswer, 3, "the lease's deadline is counted from the answer's arrival and not from before the request"},
		{LeaseIgnored, 3, "a primary answers until etcd tells it that its term is over, whatever its own clock says"},
		{UnreadTail, 4, "a replica is promoted without having applied the last entry that it received"},
		{RelativeExpiry, 5, "an expiry is logged as a time from now, which every node and every replay counts from its own now"},
		{SplitTransaction, 6, "every effect of a transaction goes into an entry of its own"},
		{UnboundedHead, 7, "neither admission nor the append minds the head's limit"},
		{TrimFirst, 8, "entries leave etcd before the segment that holds them is uploaded"},
		{ShortSnapshot, 9, "a snapshot lacks the effects of the last entry that it says it holds"},
		{KeptDirty, 10, "a deposed primary keeps what it executed and did not commit, and goes on as a replica"},
		{NewerFormat, 11, "an entry of a newer format is taken for an empty one"},
	}
}
