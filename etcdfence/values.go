package etcdfence

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/wal"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Sealed is the pointer that says up to where the log is in segments: entries
// up to Seq are durable in S3 and have left the head.
type Sealed struct {
	Seq       uint64    // last sealed entry; 0: none
	Epoch     int64     // epoch of that entry
	Chain     uint64    // running checksum after that entry
	EpochBase int64     // added to etcd revisions to make epochs; set by Initialize, kept by Trim
	Segment   string    // key of the segment that ends with Seq
	Time      time.Time // when the pointer was moved
}

// Position is the place in the log after the last sealed entry.
func (s Sealed) Position() wal.Position {
	return wal.Position{Seq: s.Seq, Epoch: s.Epoch, Chain: s.Chain}
}

// sameLog tells whether two pointers say the same about the log. Time is when
// somebody said it, and a seal tried twice may carry two.
func (s Sealed) sameLog(o Sealed) bool {
	return s.Position() == o.Position() && s.EpochBase == o.EpochBase && s.Segment == o.Segment
}

type sealedJSON struct {
	Seq       uint64    `json:"seq"`
	Epoch     int64     `json:"epoch"`
	Chain     string    `json:"chain"`
	EpochBase int64     `json:"epoch_base"`
	Segment   string    `json:"segment,omitempty"`
	Time      time.Time `json:"time"`
}

// MarshalJSON writes the form stored in etcd, with Chain in hexadecimal.
func (s Sealed) MarshalJSON() ([]byte, error) {
	return json.Marshal(sealedJSON{s.Seq, s.Epoch, fmt.Sprintf("%016x", s.Chain), s.EpochBase, s.Segment, s.Time})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Sealed) UnmarshalJSON(b []byte) error {
	var j sealedJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	chain, err := strconv.ParseUint(j.Chain, 16, 64)
	if err != nil {
		return fmt.Errorf("chain %q: %w", j.Chain, err)
	}
	if j.Epoch < 0 || j.EpochBase < 0 {
		return fmt.Errorf("epoch %d, epoch_base %d: must not be negative", j.Epoch, j.EpochBase)
	}
	*s = Sealed{j.Seq, j.Epoch, chain, j.EpochBase, j.Segment, j.Time}
	return nil
}

// Leader is who leads a shard. Epoch and LeaseID are not in the JSON value:
// they follow from the key's CreateRevision and lease.
type Leader struct {
	NodeID  string `json:"node_id"`
	Address string `json:"address"` // where clients reach it, host:port
	// TLSAddress is where they reach it over TLS. Empty: nowhere. The same as
	// Address: only over TLS.
	TLSAddress string `json:"tls_address,omitempty"`
	AZ         string `json:"az"`
	Epoch      int64  `json:"-"`
	LeaseID    int64  `json:"-"`
}

// NodeInfo is what a node says of itself under nodes/<id>.
type NodeInfo struct {
	ID         string    `json:"id"`
	Address    string    `json:"address"`               // where clients reach it, host:port
	TLSAddress string    `json:"tls_address,omitempty"` // as in Leader
	AZ         string    `json:"az"`
	Shard      int       `json:"shard"`
	Role       string    `json:"role"`              // primary, replica or loading
	Applied    uint64    `json:"applied"`           // seq of the last entry applied
	Version    string    `json:"version,omitempty"` // of the redoubt program
	Started    time.Time `json:"started"`
	Updated    time.Time `json:"updated"` // when this was said
}

// Handover asks the primary to let another node take the shard.
type Handover struct {
	To    string    `json:"to"`    // node to take over; empty: whoever is first
	Epoch int64     `json:"epoch"` // the term that is asked to end; see RequestHandover
	Time  time.Time `json:"time"`  // when it was asked; set by RequestHandover
}

func parseSealed(kv *mvccpb.KeyValue) (Sealed, error) {
	var s Sealed
	if err := json.Unmarshal(kv.Value, &s); err != nil {
		return s, fmt.Errorf("%w: etcd key %s: %v", wal.ErrCorrupt, kv.Key, err)
	}
	return s, nil
}

func parseLeader(kv *mvccpb.KeyValue, epochBase int64) (*Leader, error) {
	l := &Leader{}
	if err := json.Unmarshal(kv.Value, l); err != nil {
		return nil, fmt.Errorf("%w: etcd key %s: %v", wal.ErrCorrupt, kv.Key, err)
	}
	l.Epoch = epochBase + kv.CreateRevision
	l.LeaseID = kv.Lease
	return l, nil
}

// mustJSON encodes values whose types cannot fail to encode.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("etcdfence: encode %T: %v", v, err))
	}
	return string(b)
}
