package etcdfence

import (
	"fmt"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	root      = "/redoubt/"
	seqDigits = 20
)

// keys are the etcd keys of one shard; see the package comment.
type keys struct {
	nodes      string // prefix, with its slash
	users      string // prefix, with its slash
	parameters string // prefix, with its slash
	shard      string // prefix, with its slash
	leader     string
	sealed     string
	handover   string
	log        string // prefix, with its slash
	logEnd     string // first key past the log
}

func newKeys(cluster string, shard int) keys {
	base := root + cluster + "/"
	p := base + fmt.Sprintf("shards/%04d/", shard)
	return keys{
		nodes:      base + "nodes/",
		users:      base + "users/",
		parameters: base + "parameters/",
		shard:      p,
		leader:     p + "leader",
		sealed:     p + "sealed",
		handover:   p + "handover",
		log:        p + "log/",
		logEnd:     clientv3.GetPrefixRangeEnd(p + "log/"),
	}
}

func (k *keys) node(id string) string { return k.nodes + id }

func (k *keys) entry(seq uint64) string { return k.log + fmt.Sprintf("%020d", seq) }

// entryAfter is the end of a range whose last key is entry(seq).
func (k *keys) entryAfter(seq uint64) string {
	if seq+1 == 0 {
		return k.logEnd
	}
	return k.entry(seq + 1)
}

// entrySize is what an entry of valueBytes counts against the head's limit.
func (k *keys) entrySize(valueBytes int) int64 {
	return int64(len(k.log) + seqDigits + valueBytes)
}

// seq reads a log key. ok is false for any other key.
func (k *keys) seq(key []byte) (seq uint64, ok bool) {
	digits, ok := strings.CutPrefix(string(key), k.log)
	if !ok || len(digits) != seqDigits {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	// ParseUint takes no sign, so only what %020d writes gets here.
	return seq, err == nil
}

// CheckName reports whether name can be part of a key: a cluster's name or a
// node's id. Letters, digits, '-', '_' and '.', at most 63 bytes.
func CheckName(name string) error {
	if name == "" || len(name) > 63 {
		return fmt.Errorf("name %q: must have 1 to 63 characters", name)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		default:
			return fmt.Errorf("name %q: %q is not a letter, digit, '-', '_' or '.'", name, r)
		}
	}
	return nil
}
