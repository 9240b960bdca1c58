package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
	"github.com/redoubtdb/redoubt/wal"
)

// subject executes requests as a primary would, applies their effects to a second
// keyspace as a replica would, and checks on the way what every command must
// keep to.
type subject struct {
	t        *testing.T
	table    *command.Table
	ks       *keyspace.Keyspace
	ctx      command.Ctx
	out      resp.Writer
	unit     wal.Unit
	replica  *keyspace.Keyspace
	replayer *command.Replayer
	// rebuilt is a node that began with a snapshot in the middle of the sequence.
	rebuilt         *keyspace.Keyspace
	rebuiltReplayer *command.Replayer

	strict  bool // check every change against what was reported
	touched map[dbKey]bool
	flushed map[int]bool
	events  []string // keyspace notifications of the sequence
}

// limits make values change their encoding, and streams begin blocks, more often than Redis's defaults.
var limits = keyspace.Config{
	HashMaxListpackEntries: 128, HashMaxListpackValue: 64,
	SetMaxIntsetEntries: 40, SetMaxListpackEntries: 20,
	ZSetMaxListpackEntries: 16, ZSetMaxListpackValue: 40,
	HLLSparseMaxBytes:    300,
	StreamNodeMaxEntries: 7, StreamNodeMaxBytes: 300,
}

// replicaLimits are others, since effects must not depend on them.
var replicaLimits = keyspace.Config{HLLSparseMaxBytes: 100}

type dbKey struct {
	db  int
	key string
}

func newTable() *command.Table {
	var table *command.Table
	table = command.NewTable(command.Data(),
		command.Introspection(func() *command.Table { return table }))
	return table
}

func newSubject(t *testing.T, seed uint64, nowMs int64, proto int) *subject {
	s := &subject{t: t, table: newTable(), ks: keyspace.New(limits), replica: keyspace.New(replicaLimits)}
	s.replayer = command.NewReplayer(s.table, s.replica, nil)
	s.out.Proto = proto
	s.ctx = command.Ctx{
		KS: s.ks, Now: nowMs, Mode: command.Primary, Out: &s.out, Unit: &s.unit, Listener: s,
		Rand: rand.New(rand.NewPCG(seed, 0)), Stats: &command.Stats{},
	}
	return s
}

func (s *subject) Touched(db int, key []byte) { s.touched[dbKey{db, string(key)}] = true }
func (s *subject) TouchedDB(db int)           { s.flushed[db] = true }

func (s *subject) Event(_ command.EventClass, event string, db int, key []byte) {
	if event != "expired" && !(event == "keymiss" && namedByPattern(string(key))) {
		s.events = append(s.events, fmt.Sprintf("%d__:%s %q", db, event, key))
	}
}

// do runs one request and returns its reply and the row, nil when there is none.
// The reply is valid until the next call.
func (s *subject) do(args [][]byte) ([]byte, *command.Command) {
	s.t.Helper()
	s.out.B = s.out.B[:0]
	s.unit.Reset()
	s.touched, s.flushed = map[dbKey]bool{}, map[int]bool{}
	cmd, err := s.table.Lookup(args)
	if err != nil {
		s.out.Error(err.Error())
		return s.out.B, nil
	}
	var before keyspace.Digest
	var keys map[dbKey]keyspace.Digest
	if s.strict {
		before, keys = s.ks.Digest(), s.digests()
	}
	s.ctx.Args, s.ctx.Cmd = args, cmd
	cmd.Handler(&s.ctx)
	s.ks.Reclaim() // as a node does: reply, effects and events have to be copies by now
	s.replicate()
	if s.strict {
		if s.unit.Empty() && s.ks.Digest() != before {
			s.t.Errorf("%q changed data without an effect", args)
		}
		s.checkTouched(cmd, args, keys)
		if err := s.checkReplica(); err != nil {
			s.t.Errorf("%q: %v", args, err)
		}
	}
	return s.out.B, cmd
}

// replicate applies the effects of the last command to the replica, and to the node
// that was rebuilt.
func (s *subject) replicate() {
	s.t.Helper()
	if s.unit.Empty() {
		return
	}
	for _, r := range []*command.Replayer{s.replayer, s.rebuiltReplayer} {
		if r == nil {
			continue
		}
		if err := wal.EachUnit(s.unit.AppendTo(nil), r.Apply); err != nil {
			s.t.Fatalf("%q: %v", s.ctx.Args, err)
		}
	}
}

// rebuild begins a node with a snapshot of the data as it is now.
func (s *subject) rebuild() error {
	var file bytes.Buffer
	_, err := rdb.Save(&file, s.ks, rdb.SaveOptions{})
	s.rebuilt = keyspace.New(limits)
	if err == nil {
		_, err = rdb.Load(&file, s.rebuilt, rdb.LoadOptions{Size: -1})
	}
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	s.rebuiltReplayer = command.NewReplayer(s.table, s.rebuilt, nil)
	return nil
}

func (s *subject) digests() map[dbKey]keyspace.Digest {
	out := map[dbKey]keyspace.Digest{}
	for db := range s.ks.NumDBs() {
		s.ks.DB(db).Each(func(key []byte, _ keyspace.Ref) bool {
			out[dbKey{db, string(key)}], _ = s.ks.DB(db).KeyDigest(key)
			return true
		})
	}
	return out
}

// checkTouched checks that every key that changed was reported to the listener,
// and that every reported key is one the table names.
func (s *subject) checkTouched(cmd *command.Command, args [][]byte, before map[dbKey]keyspace.Digest) {
	s.t.Helper()
	after := s.digests()
	for k, d := range after {
		if before[k] != d && !s.touched[k] && !s.flushed[k.db] {
			s.t.Errorf("%q changed %q without reporting it", args, k.key)
		}
	}
	for k := range before {
		if _, there := after[k]; !there && !s.touched[k] && !s.flushed[k.db] {
			s.t.Errorf("%q removed %q without reporting it", args, k.key)
		}
	}
	if cmd.Keyspace {
		return
	}
	named := map[string]bool{}
	keys, err := cmd.AppendKeys(nil, args)
	if errors.Is(err, command.ErrInvalidKeys) && cmd.First > 0 {
		// As in Redis, PFMERGE without sources has keys that its specs do not find.
		keys, err = []command.KeyPos{{Index: cmd.First}}, nil
	}
	if err != nil && s.out.B[0] != '-' {
		s.t.Errorf("%q: %v", args, err)
	}
	for _, k := range keys {
		named[string(args[k.Index])] = true
	}
	for k := range s.touched {
		if !named[k.key] {
			s.t.Errorf("%q reported %q, which is none of its keys", args, k.key)
		}
	}
}

// differing names keys that are not the same in ks.
func (s *subject) differing(ks *keyspace.Keyspace) (names string) {
	for k, d := range s.digests() {
		if got, _ := ks.DB(k.db).KeyDigest([]byte(k.key)); got != d {
			names += fmt.Sprintf(", %q in database %d", k.key, k.db)
		}
	}
	return names
}

// checkReplica compares the replica, and the node that was rebuilt, with the primary.
func (s *subject) checkReplica() error {
	want := s.ks.Digest()
	if got := s.replica.Digest(); got != want {
		return fmt.Errorf("the replica's digest %x is not the primary's %x", got, want)
	}
	if s.rebuilt == nil {
		return nil
	}
	if got := s.rebuilt.Digest(); got != want {
		return fmt.Errorf("the digest of what a snapshot and the later log give is %x, the primary's %x%s", got, want, s.differing(s.rebuilt))
	}
	return nil
}
