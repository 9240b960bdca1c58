package rdb

import (
	"encoding/binary"
	"fmt"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// streamIDSize is the size of an ID in its binary form.
const streamIDSize = 16

func (d *decoder) stream(typ byte) error {
	s := d.ks.NewStream()
	if err := d.streamBlocks(s); err != nil {
		return err
	}
	if err := d.streamSelf(s, typ); err != nil {
		return err
	}
	groups, err := d.in.count(1)
	if err != nil {
		return err
	}
	for range groups {
		if err := d.streamGroup(s, typ); err != nil {
			return err
		}
	}
	d.db.SetObject(d.key, s)
	if d.expire != keyspace.NoExpire {
		d.db.SetExpire(d.key, d.expire)
	}
	return nil
}

func (d *decoder) streamBlocks(s *keyspace.Stream) error {
	n, err := d.in.count(streamIDSize)
	if err != nil {
		return err
	}
	for range n {
		b, err := d.in.str(d.maxString)
		if err != nil {
			return err
		}
		if len(b) != streamIDSize {
			return fmt.Errorf("%w: the ID of a stream's block has %d bytes", ErrCorrupt, len(b))
		}
		id := keyspace.StreamIDFromBinary(b)
		list, err := d.in.str(2*d.maxString + blockOverhead)
		if err != nil {
			return err
		}
		if err := s.AddBlock(id, list); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return nil
}

// blockOverhead and two strings of the greatest length are the longest listpack of a
// stream, in bytes: Redis bounds all strings of an entry together by that.
const blockOverhead = 1 << 20

// streamSelf reads what a stream remembers beside its entries.
func (d *decoder) streamSelf(s *keyspace.Stream, typ byte) error {
	length, err := d.in.length()
	if err != nil {
		return err
	}
	last, err := d.streamID()
	if err != nil {
		return err
	}
	switch {
	case length != uint64(s.Len()):
		return fmt.Errorf("%w: a stream of %d entries says that it has %d", ErrCorrupt, s.Len(), length)
	case last.Less(s.LastID()):
		return fmt.Errorf("%w: a stream whose last ID is %v has an entry %v", ErrCorrupt, last, s.LastID())
	}
	s.SetLastID(last)
	if typ == typeStreamListpacks {
		s.SetEntriesAdded(length)
		return nil
	}
	if _, err := d.streamID(); err != nil { // of the first entry, which is known
		return err
	}
	deleted, err := d.streamID()
	if err != nil {
		return err
	}
	s.SetMaxDeletedID(deleted)
	added, err := d.in.length()
	s.SetEntriesAdded(added)
	return err
}

// streamID reads an ID as two lengths.
func (d *decoder) streamID() (id keyspace.StreamID, err error) {
	if id.MS, err = d.in.length(); err == nil {
		id.Seq, err = d.in.length()
	}
	return id, err
}

// rawStreamID reads an ID in its binary form.
func (d *decoder) rawStreamID() (keyspace.StreamID, error) {
	b, err := d.in.next(streamIDSize)
	if err != nil {
		return keyspace.StreamID{}, err
	}
	return keyspace.StreamIDFromBinary(b), nil
}

func (d *decoder) millis() (int64, error) {
	b, err := d.in.next(8)
	if err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

// delivery is a pending entry of which the consumer is not known yet.
type delivery struct{ time, count int64 }

func (d *decoder) streamGroup(s *keyspace.Stream, typ byte) error {
	b, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	name := append([]byte(nil), b...)
	last, err := d.streamID()
	if err != nil {
		return err
	}
	read := uint64(s.EntriesUpTo(last))
	if typ != typeStreamListpacks {
		if read, err = d.in.length(); err != nil {
			return err
		}
	}
	g, created := s.CreateGroup(name, last, int64(read))
	if !created {
		return fmt.Errorf("%w: group %s of the stream is there twice", ErrCorrupt, quote(name))
	}
	pending, err := d.streamPending()
	if err != nil {
		return err
	}
	consumers, err := d.in.count(1)
	if err != nil {
		return err
	}
	for range consumers {
		if err := d.streamConsumer(g, typ, pending); err != nil {
			return fmt.Errorf("%w (group %s)", err, quote(name))
		}
	}
	if len(pending) > 0 {
		return fmt.Errorf("%w: %d pending entries of group %s belong to no consumer", ErrCorrupt, len(pending), quote(name))
	}
	return nil
}

func (d *decoder) streamPending() (map[keyspace.StreamID]delivery, error) {
	n, err := d.in.count(streamIDSize + 9)
	if err != nil {
		return nil, err
	}
	pending := map[keyspace.StreamID]delivery{}
	for range n {
		id, err := d.rawStreamID()
		if err != nil {
			return nil, err
		}
		at, err := d.millis()
		if err != nil {
			return nil, err
		}
		count, err := d.in.length()
		if err != nil {
			return nil, err
		}
		if _, twice := pending[id]; twice {
			return nil, fmt.Errorf("%w: entry %v of a stream is pending twice", ErrCorrupt, id)
		}
		pending[id] = delivery{at, int64(count)}
	}
	return pending, nil
}

// streamConsumer takes what is pending for the consumer out of pending.
func (d *decoder) streamConsumer(g *keyspace.StreamGroup, typ byte, pending map[keyspace.StreamID]delivery) error {
	name, err := d.in.str(d.maxString)
	if err != nil {
		return err
	}
	c, created := g.CreateConsumer(name, 0)
	if !created {
		return fmt.Errorf("%w: consumer %s is there twice", ErrCorrupt, quote(name))
	}
	if c.SeenTime, err = d.millis(); err != nil {
		return err
	}
	c.ActiveTime = c.SeenTime
	if typ == typeStreamListpacks3 {
		if c.ActiveTime, err = d.millis(); err != nil {
			return err
		}
	}
	n, err := d.in.count(streamIDSize)
	if err != nil {
		return err
	}
	for range n {
		id, err := d.rawStreamID()
		if err != nil {
			return err
		}
		p, ok := pending[id]
		if !ok {
			return fmt.Errorf("%w: entry %v of consumer %s is not pending in its group, or twice", ErrCorrupt, id, quote(c.Name()))
		}
		g.Assign(id, c, p.time, p.count)
		delete(pending, id)
	}
	return nil
}

// stream writes the form of Redis 7.0, which has no place for the time a consumer
// was last active.
func (e *encoder) stream(key []byte, ref keyspace.Ref) {
	s := ref.Stream()
	e.key(typeStreamListpacks2, key)
	e.out.length(uint64(s.Blocks()))
	s.EachBlock(func(id keyspace.StreamID, list []byte) bool {
		e.out.str(id.AppendBinary(nil))
		e.out.str(list)
		return e.out.err == nil
	})
	e.out.length(uint64(s.Len()))
	e.streamID(s.LastID())
	e.streamID(s.FirstID())
	e.streamID(s.MaxDeletedID())
	e.out.length(s.EntriesAdded())
	e.out.length(uint64(s.Groups()))
	s.EachGroup(func(g *keyspace.StreamGroup) bool {
		e.streamGroup(g)
		return e.out.err == nil
	})
}

func (e *encoder) streamID(id keyspace.StreamID) {
	e.out.length(id.MS)
	e.out.length(id.Seq)
}

func (e *encoder) streamGroup(g *keyspace.StreamGroup) {
	var id [streamIDSize]byte
	e.out.str(g.Name())
	e.streamID(g.LastID())
	e.out.length(uint64(g.EntriesRead()))
	e.out.length(uint64(g.PendingLen()))
	g.PendingFrom(keyspace.StreamID{}, func(pending keyspace.StreamID, p keyspace.StreamPending, _ *keyspace.StreamConsumer) bool {
		e.out.bytes(pending.AppendBinary(id[:0]))
		e.out.uint64(uint64(p.Time))
		e.out.length(uint64(p.Count))
		return e.out.err == nil
	})
	e.out.length(uint64(g.Consumers()))
	g.EachConsumer(func(c *keyspace.StreamConsumer) bool {
		e.out.str(c.Name())
		e.out.uint64(uint64(c.SeenTime))
		e.out.length(uint64(c.PendingLen()))
		c.EachPending(keyspace.StreamID{}, func(pending keyspace.StreamID) bool {
			e.out.bytes(pending.AppendBinary(id[:0]))
			return e.out.err == nil
		})
		return e.out.err == nil
	})
}
