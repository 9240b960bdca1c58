package command

// Flags say how a command behaves, as in Redis's COMMAND INFO.
type Flags uint32

// The flags, in the order COMMAND INFO lists them.
const (
	Write           Flags = 1 << iota // may change data
	ReadOnly                          // reads data, never changes it
	DenyOOM                           // refused when memory is over its limit
	Admin                             // administration
	PubSub                            // publish/subscribe
	NoScript                          // not from scripts
	Blocking                          // may block the client
	Loading                           // allowed while the data is being loaded
	Stale                             // allowed on a replica that is behind
	SkipMonitor                       // not shown to MONITOR
	SkipSlowlog                       // not recorded in the slow log
	Asking                            // allowed in an importing slot
	Fast                              // O(1) or O(log N)
	NoAuth                            // allowed before authentication
	MayReplicate                      // not a write, but held up like one by CLIENT PAUSE
	NoMandatoryKeys                   // keys are optional
	NoAsyncLoading                    // not while a replica loads in the background
	NoMulti                           // not inside MULTI
	MovableKeys                       // keys cannot be found by First, Last and Step; set by NewTable
	AllowBusy                         // allowed while a script runs
)

var flagNames = [...]string{
	"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking",
	"loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast",
	"no_auth", "may_replicate", "no_mandatory_keys", "no_async_loading",
	"no_multi", "movablekeys", "allow_busy",
}

// Names are the set flags' names in Redis's words and order.
func (f Flags) Names() []string { return bitNames(uint32(f), flagNames[:]) }

// Cat is a set of ACL categories.
type Cat uint32

// The ACL categories, in the order COMMAND INFO lists them.
const (
	CatKeyspace Cat = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var catNames = [...]string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string",
	"bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow",
	"blocking", "dangerous", "connection", "transaction", "scripting",
}

// Names are the categories' names in Redis's order, without the leading "@".
func (c Cat) Names() []string { return bitNames(uint32(c), catNames[:]) }

// CatByName returns the category of a name, in any case and without the
// leading "@".
func CatByName(name []byte) (Cat, bool) {
	for i, n := range catNames {
		if EqualFold(name, n) {
			return 1 << i, true
		}
	}
	return 0, false
}

// CatNames are all categories' names, in Redis's order.
func CatNames() []string { return append([]string(nil), catNames[:]...) }

// implied are the categories that follow from a command's flags; rows name
// only the others.
func (f Flags) implied(c Cat) Cat {
	if f&Write != 0 {
		c |= CatWrite
	}
	// Scripts are judged by what they call.
	if f&ReadOnly != 0 && c&CatScripting == 0 {
		c |= CatRead
	}
	if f&Admin != 0 {
		c |= CatAdmin | CatDangerous
	}
	if f&PubSub != 0 {
		c |= CatPubSub
	}
	if f&Blocking != 0 {
		c |= CatBlocking
	}
	if f&Fast != 0 {
		return c | CatFast
	}
	return c | CatSlow
}

// KeyFlags say what a command does with a key.
type KeyFlags uint16

// The key flags, in the order COMMAND INFO lists them. The first four say what
// happens to the key as a whole, the next four what happens to its content.
const (
	KeyRO            KeyFlags = 1 << iota // read
	KeyRW                                 // read and changed
	KeyOW                                 // overwritten
	KeyRM                                 // removed
	KeyAccess                             // content is returned or used
	KeyUpdate                             // content is updated
	KeyInsert                             // content is added, never replaced
	KeyDelete                             // content is deleted
	KeyNot                                // not a key, though it decides the slot
	KeyIncomplete                         // the spec does not find every key
	KeyVariableFlags                      // the flags depend on the arguments
)

var keyFlagNames = [...]string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete",
	"not_key", "incomplete", "variable_flags",
}

// Names are the set flags' names in Redis's words and order.
func (k KeyFlags) Names() []string { return bitNames(uint32(k), keyFlagNames[:]) }

func bitNames(bits uint32, names []string) []string {
	var out []string
	for i, n := range names {
		if bits&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}
