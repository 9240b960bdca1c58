package command

import (
	"strconv"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// Effects on streams. What reading in a group changes is recorded as XCLAIM of the
// delivered entries with their delivery's time and count, and XGROUP SETID for the
// group's place. A consumer's times are not logical state and come along where there
// is an effect anyway: replaying XCLAIM takes its TIME for them. XCLAIM without
// IDs makes a consumer, or says that it was seen.

// effectAdd records an added entry, and a trim by the number of entries that it left.
func (c *Ctx) effectAdd(key []byte, s *keyspace.Stream, id keyspace.StreamID, fields [][]byte, trimmed bool) {
	var text [48]byte
	effect := c.beginEffect(wordXADD, key)
	if trimmed {
		effect = append(effect, wordMAXLEN, wordEquals, c.digits(int64(s.Len())))
	}
	effect = append(effect, id.Append(text[:0]))
	effect = append(effect, fields...)
	c.endEffect(effect, true)
}

// effectGroupID records a group's place in its stream.
func (c *Ctx) effectGroupID(key []byte, g *keyspace.StreamGroup) {
	var text [48]byte
	c.Effect(wordXGROUP, wordSETID, key, g.Name(), g.LastID().Append(text[:0]), wordENTRIESREAD, c.digits(g.EntriesRead()))
}

// effectSeen records that a consumer was made, or seen.
func (c *Ctx) effectSeen(key []byte, g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer) {
	c.Effect(wordXCLAIM, key, g.Name(), consumer.Name(), wordZero, wordTIME, c.digits(consumer.SeenTime))
}

// effectAck records that entries are pending no longer.
func (c *Ctx) effectAck(key []byte, g *keyspace.StreamGroup, ids []keyspace.StreamID) {
	if len(ids) == 0 || c.Mode != Primary {
		return
	}
	c.endEffect(appendIDs(c.beginEffect(wordXACK, key, g.Name()), ids), true)
}

// deliveries collects entries that became pending for a consumer at one time, and
// records those in a row with the same count together.
type deliveries struct {
	c        *Ctx
	key      []byte
	group    *keyspace.StreamGroup
	consumer *keyspace.StreamConsumer
	time     int64
	count    int64
	ids      []keyspace.StreamID
}

// assign makes an entry pending and takes a note of it.
func (d *deliveries) assign(id keyspace.StreamID, count int64) {
	d.group.Assign(id, d.consumer, d.time, count)
	if d.c.Mode != Primary {
		return
	}
	if count != d.count {
		d.record()
	}
	d.count = count
	d.ids = append(d.ids, id)
}

// record records what was collected.
func (d *deliveries) record() {
	if len(d.ids) == 0 {
		return
	}
	c := d.c
	var count [24]byte
	effect := c.beginEffect(wordXCLAIM, d.key, d.group.Name(), d.consumer.Name(), wordZero)
	effect = appendIDs(effect, d.ids)
	effect = append(effect, wordTIME, c.digits(d.time), wordRETRYCOUNT, strconv.AppendInt(count[:0], d.count, 10), wordFORCE, wordJUSTID)
	c.endEffect(effect, true)
	d.ids = d.ids[:0]
}

// appendIDs appends IDs as arguments.
func appendIDs(args [][]byte, ids []keyspace.StreamID) [][]byte {
	const usual = 24 // bytes of an ID's text
	arena := make([]byte, 0, usual*len(ids))
	for _, id := range ids {
		start := len(arena)
		arena = id.Append(arena)
		args = append(args, arena[start:len(arena):len(arena)])
	}
	return args
}
