package command_test

import (
	"encoding/binary"
	"fmt"

	"github.com/redoubtdb/redoubt/node/command/commandtest"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// footed is a dump with the given body and version, and the right checksum.
func footed(version uint16, body string) []byte {
	b := binary.LittleEndian.AppendUint16([]byte(body), version)
	crc := uint64(0) // CRC-64 of D. Jones, bit by bit
	for _, c := range b {
		crc ^= uint64(c)
		for range 8 {
			crc = crc>>1 ^ crc&1*0x95ac9329ac4bc9b5
		}
	}
	return binary.LittleEndian.AppendUint64(b, crc)
}

// keepDumps remembers the replies of both servers to DUMP, for RESTORE.
func (d *driver) keepDumps(replies ...[]byte) {
	const most = 50
	for _, r := range replies {
		if v, err := commandtest.Parse(r); err == nil && v.Type == '$' && !v.Null {
			d.gen.dumps = append(d.gen.dumps, v.Text)
		}
	}
	d.gen.dumps = d.gen.dumps[max(0, len(d.gen.dumps)-most):]
}

// checkDump checks that Redis's dump of a key holds what the key holds here. The bytes
// may differ by the order of a hash table and by what compression finds.
func (d *driver) checkDump(key []byte, w commandtest.Value) error {
	db := d.subject.ks.DB(d.subject.ctx.DB)
	ref, found := db.Lookup(key)
	if !found {
		return fmt.Errorf("no such key")
	}
	aside := d.subject.ks.NewDB()
	if err := rdb.Restore([]byte(w.Text), d.subject.ks, aside, key, ref.ExpireAt()); err != nil {
		return err
	}
	if aside.KeyRedisDigest(key) != db.KeyRedisDigest(key) {
		return fmt.Errorf("another value")
	}
	return nil
}

func (g *generator) dump() string {
	if len(g.dumps) > 0 && g.chance(85) {
		b := []byte(g.pick(g.dumps...))
		if g.chance(5) {
			b[g.IntN(len(b))] ^= 1 << g.IntN(8)
		}
		return string(b)
	}
	return g.pick("", "short", string(footed(10, "\x00\x05value")), string(footed(13, "\x00\x05value")),
		string(footed(9, "\x00\xc0\x07")), string(footed(10, "\x7f")), string(footed(10, "\x00\x3fabc")), string(footed(10, "\x04\x00")))
}

var dumpRequests = []request{
	{"dump", 10, func(g *generator) []string { return args(g.key()) }},
	{"restore", 10, (*generator).restore},
	{"restore-asking", 3, (*generator).restore},
}

func (g *generator) restore() []string {
	a := args(g.key(), g.pick("0", "0", g.millis()), g.dump())
	if g.chance(30) {
		a[1] = g.millisAt()
		a = append(a, g.anyCase("ABSTTL"))
	}
	if g.chance(60) {
		a = append(a, g.anyCase("REPLACE"))
	}
	for g.chance(30) {
		a = append(a, g.anyCase(g.pick("IDLETIME", "FREQ", "FREQ", "NOPE")), g.pick("0", "1", "100", "255", "256", g.integer()))
	}
	return a
}
