package rdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"pgregory.net/rapid"
)

// fillStream makes entries, deletes some, and has groups read them.
func fillStream(s *keyspace.Stream, rng *rand.Rand, entries int) {
	id := keyspace.StreamID{MS: uint64(rng.IntN(1000)) + 1}
	for i := range entries {
		switch rng.IntN(3) {
		case 0:
			id.MS += uint64(rng.IntN(1 << 20))
			id.Seq = rng.Uint64N(1 << rng.IntN(63))
		default:
			id.Seq++
		}
		args := [][]byte{[]byte("field"), fmt.Append(nil, i-50), []byte("f2"), bytes.Repeat([]byte("v"), rng.IntN(100))}
		if rng.IntN(4) == 0 {
			args[2] = fmt.Appendf(nil, "f%d", rng.IntN(5))
		}
		if err := s.Add(id, args); err != nil {
			id, _ = s.LastID().Next()
		}
	}
	s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		id = e.ID
		return rng.IntN(entries+1) > 0
	})
	s.Delete(id)
	s.Trim(keyspace.StreamTrim{MaxLen: uint64(max(0, entries-rng.IntN(5)))})
	for i := range rng.IntN(3) {
		fillGroup(s, rng, fmt.Appendf(nil, "group %d", i))
	}
}

func fillGroup(s *keyspace.Stream, rng *rand.Rand, name []byte) {
	g, _ := s.CreateGroup(name, id1(rng), int64(rng.IntN(20)-1))
	for i := range rng.IntN(4) {
		c, _ := g.CreateConsumer(fmt.Append(nil, i), 1700000000000+int64(rng.IntN(1e6)))
		if i%2 == 0 {
			c.Active(c.SeenTime)
		}
		for range rng.IntN(200) {
			g.Assign(id1(rng), c, 1700000000000+int64(rng.IntN(1e6)), int64(rng.Uint64N(1<<rng.IntN(40))))
		}
	}
}

func id1(rng *rand.Rand) keyspace.StreamID {
	return keyspace.StreamID{MS: rng.Uint64N(1 << rng.IntN(50)), Seq: rng.Uint64N(1 << rng.IntN(64))}
}

func fillStreams(ks *keyspace.Keyspace, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	for i, n := range []int{0, 1, 2, 50, 99, 100, 101, 1000, 5000} {
		s := ks.NewStream()
		fillStream(s, rng, n)
		ks.DB(i%3).SetObject(fmt.Appendf(nil, "stream:%d", n), s)
	}
	ks.DB(1).SetExpire([]byte("stream:1"), 4102444800000)
	s := ks.NewStream()
	if err := s.Add(keyspace.MaxStreamID, [][]byte{bytes.Repeat([]byte("large field"), 20_000), bytes.Repeat([]byte("large value"), 30_000)}); err != nil {
		panic(err)
	}
	ks.DB(2).SetObject([]byte("large entry"), s)
	s = ks.NewStream()
	s.CreateGroup([]byte("g"), keyspace.StreamID{}, keyspace.UnknownEntriesRead)
	ks.DB(0).SetObject([]byte("no entry"), s)
}

func TestSaveLoadStreams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ks := keyspace.New(keyspace.Config{StreamNodeMaxEntries: rapid.IntRange(1, 50).Draw(t, "entries")})
		s := ks.NewStream()
		fillStream(s, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4)), rapid.IntRange(0, 120).Draw(t, "n"))
		ks.DB(0).SetObject([]byte("s"), s)
		var b bytes.Buffer
		if _, err := Save(&b, ks, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{int64(b.Len()), -1} {
			back := keyspace.New(keyspace.Config{})
			if _, err := Load(bytes.NewReader(b.Bytes()), back, LoadOptions{Size: size}); err != nil || !sameContent(ks, back) {
				t.Fatalf("not the same: %v", err)
			}
			ref, _ := back.DB(0).Lookup([]byte("s"))
			s.EachGroup(func(g *keyspace.StreamGroup) bool {
				g.EachConsumer(func(c *keyspace.StreamConsumer) bool {
					if got := ref.Stream().Group(g.Name()).Consumer(c.Name()); got.SeenTime != c.SeenTime || got.ActiveTime != c.SeenTime {
						t.Fatalf("consumer seen at %d and active at %d, was %d", got.SeenTime, got.ActiveTime, c.SeenTime)
					}
					return true
				})
				return true
			})
		}
	})
}

// streamText is all that redis-server 7.0 tells about a stream but for the times of
// consumers.
func streamText(t *testing.T, c *redis.Client, key string) string {
	t.Helper()
	full, err := c.Do(context.Background(), "XINFO", "STREAM", key, "FULL", "COUNT", "0").Result()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(full)
}

// ourStreamText is the same from here.
func ourStreamText(s *keyspace.Stream) string {
	var b strings.Builder
	fmt.Fprintf(&b, "map[entries:[")
	sep := ""
	s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, func(e *keyspace.StreamEntry) bool {
		fmt.Fprintf(&b, "%s[%v [", sep, e.ID)
		inner := ""
		e.Each(func(f, v []byte) { fmt.Fprintf(&b, "%s%s %s", inner, f, v); inner = " " })
		b.WriteString("]]")
		sep = " "
		return true
	})
	fmt.Fprintf(&b, "] entries-added:%d groups:[", s.EntriesAdded())
	sep = ""
	s.EachGroup(func(g *keyspace.StreamGroup) bool {
		b.WriteString(sep)
		ourGroupText(&b, g)
		sep = " "
		return true
	})
	fmt.Fprintf(&b, "] last-generated-id:%v length:%d max-deleted-entry-id:%v radix-tree-keys:%d radix-tree-nodes:%d recorded-first-entry-id:%v]",
		s.LastID(), s.Len(), s.MaxDeletedID(), s.Blocks(), s.RadixNodes(), s.FirstID())
	return b.String()
}

func ourGroupText(b *strings.Builder, g *keyspace.StreamGroup) {
	number := func(n int64, ok bool) string {
		if !ok {
			return "<nil>"
		}
		return fmt.Sprint(n)
	}
	b.WriteString("map[consumers:[")
	sep := ""
	g.EachConsumer(func(c *keyspace.StreamConsumer) bool {
		fmt.Fprintf(b, "%smap[name:%s pel-count:%d pending:[", sep, c.Name(), c.PendingLen())
		inner := ""
		c.EachPending(keyspace.StreamID{}, func(id keyspace.StreamID) bool {
			p, _, _ := g.Pending(id)
			fmt.Fprintf(b, "%s[%v %d %d]", inner, id, p.Time, p.Count)
			inner = " "
			return true
		})
		fmt.Fprintf(b, "] seen-time:%d]", c.SeenTime)
		sep = " "
		return true
	})
	lag, ok := g.Lag()
	fmt.Fprintf(b, "] entries-read:%s lag:%s last-delivered-id:%v name:%s pel-count:%d pending:[",
		number(g.EntriesRead(), g.EntriesRead() != keyspace.UnknownEntriesRead), number(lag, ok), g.LastID(), g.Name(), g.PendingLen())
	sep = ""
	g.PendingFrom(keyspace.StreamID{}, func(id keyspace.StreamID, p keyspace.StreamPending, c *keyspace.StreamConsumer) bool {
		fmt.Fprintf(b, "%s[%v %s %d %d]", sep, id, c.Name(), p.Time, p.Count)
		sep = " "
		return true
	})
	b.WriteString("]]")
}

// TestStreamsThroughRedis: redis-server loads what Save wrote and tells the same of
// it, and Load reads what redis-server saves again.
func TestStreamsThroughRedis(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	fillStreams(ks, 1)
	c := redisOn(t, save(t, ks), "--sanitize-dump-payload", "yes")
	ctx := context.Background()
	if got, want := redisDigest(t, c), digestOf(ks); got != want {
		t.Errorf("DEBUG DIGEST is %s, ours %s", got, want)
	}
	for i := range 3 {
		conn := client(t, c.Options().Addr, i)
		ks.DB(i).Each(func(key []byte, ref keyspace.Ref) bool {
			if got, want := streamText(t, conn, string(key)), ourStreamText(ref.Stream()); got != want {
				t.Errorf("database %d key %s:\nredis %.3000s\nours  %.3000s", i, key, got, want)
			}
			return true
		})
	}
	for _, compressed := range []string{"yes", "no"} {
		for _, args := range [][]any{{"CONFIG", "SET", "rdbcompression", compressed}, {"SAVE"}} {
			if err := c.Do(ctx, args...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		dir, err := c.ConfigGet(ctx, "dir").Result()
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir["dir"], "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := load(file)
		if err != nil || !sameContent(ks, back) {
			t.Errorf("what redis-server saved is not the same: %v", err)
		}
	}
}

// rid is an ID in its binary form, as a string of an RDB file.
func rid(ms, seq uint64) string { return "\x10" + rawID(ms, seq) }

func rawID(ms, seq uint64) string {
	return string(keyspace.StreamID{MS: ms, Seq: seq}.AppendBinary(nil))
}

func at(ms int64) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(ms))) }

// oneBlock is a block with the entries 1-0 a=1 and 2-5 a=2.
var oneBlock = "\x01" + rid(1, 0) + rstr("\x26\x00\x00\x00\x0f\x00\x02\x01\x00\x01\x01\x01\x81a\x02\x00\x01"+
	"\x02\x01\x00\x01\x00\x01\x01\x01\x04\x01"+"\x02\x01\x01\x01\x05\x01\x02\x01\x04\x01"+"\xff")

var streamFiles = map[byte]string{
	typeStreamListpacks: oneBlock + "\x02" + "\x02\x05" + "\x01" + rstr("g") + "\x02\x05" +
		"\x01" + rawID(2, 5) + at(1000) + "\x03" + "\x01" + rstr("c") + at(900) + "\x01" + rawID(2, 5),
	typeStreamListpacks2: oneBlock + "\x02" + "\x02\x05" + "\x01\x00" + "\x00\x00" + "\x02" + "\x01" + rstr("g") + "\x02\x05" + "\x02" +
		"\x01" + rawID(2, 5) + at(1000) + "\x03" + "\x01" + rstr("c") + at(900) + "\x01" + rawID(2, 5),
	typeStreamListpacks3: oneBlock + "\x02" + "\x02\x05" + "\x01\x00" + "\x00\x00" + "\x02" + "\x01" + rstr("g") + "\x02\x05" + "\x02" +
		"\x01" + rawID(2, 5) + at(1000) + "\x03" + "\x01" + rstr("c") + at(900) + at(800) + "\x01" + rawID(2, 5),
}

// TestStreamVersions: the three forms are read as the same stream.
func TestStreamVersions(t *testing.T) {
	var digests []keyspace.Digest
	for typ, content := range streamFiles {
		ks, _, err := load(file(11, "\xfe\x00", string(typ)+rstr("s")+content))
		if err != nil {
			t.Fatalf("type %d: %v", typ, err)
		}
		ref, _ := ks.DB(0).Lookup([]byte("s"))
		c := ref.Stream().Group([]byte("g")).Consumer([]byte("c"))
		wantActive := int64(900)
		if typ == typeStreamListpacks3 {
			wantActive = 800
		}
		if c.SeenTime != 900 || c.ActiveTime != wantActive {
			t.Errorf("type %d: seen %d, active %d", typ, c.SeenTime, c.ActiveTime)
		}
		digests = append(digests, ks.Digest())
	}
	if digests[0] != digests[1] || digests[1] != digests[2] {
		t.Errorf("digests %v", digests)
	}
	for _, typ := range []byte{typeStreamListpacks, typeStreamListpacks2} {
		f := file(10, "\xfe\x00", string(typ)+rstr("s")+streamFiles[typ])
		ks, _, err := load(f)
		if err != nil {
			t.Fatal(err)
		}
		ref, _ := ks.DB(0).Lookup([]byte("s"))
		if got, want := streamText(t, redisOn(t, f), "s"), ourStreamText(ref.Stream()); got != want {
			t.Errorf("type %d:\nredis %s\nours  %s", typ, got, want)
		}
	}
}

func TestBadStreamsAreRefused(t *testing.T) {
	good := streamFiles[typeStreamListpacks2]
	for name, c := range map[string]struct{ from, to, says string }{
		"block's ID":       {"\x10" + rawID(1, 0), "\x0f" + rawID(1, 0)[1:], "the ID of a stream's block"},
		"block twice":      {oneBlock, "\x02" + oneBlock[1:] + oneBlock[1:], "is not behind block"},
		"block":            {"\x81a", "\x82a", "block"},
		"length":           {oneBlock + "\x02", oneBlock + "\x03", "says that it has 3"},
		"last ID":          {oneBlock + "\x02\x02\x05", oneBlock + "\x02\x02\x04", "has an entry 2-5"},
		"not pending":      {"\x01" + rawID(2, 5) + at(1000), "\x01" + rawID(2, 6) + at(1000), "is not pending in its group"},
		"without consumer": {at(900) + "\x01" + rawID(2, 5), at(900) + "\x00", "belong to no consumer"},
		"pending twice":    {"\x01" + rawID(2, 5) + at(1000) + "\x03", "\x02" + strings.Repeat(rawID(2, 5)+at(1000)+"\x03", 2), "pending twice"},
		"consumer twice":   {"\x01" + rstr("c"), "\x02" + rstr("c") + at(0) + "\x00" + rstr("c"), "consumer \"c\" is there twice"},
		"group twice":      {"\x01" + rstr("g"), "\x02" + rstr("g") + "\x00\x00\x00\x00\x00" + rstr("g"), "group \"g\" of the stream is there twice"},
	} {
		if !strings.Contains(good, c.from) {
			t.Fatalf("%s: nothing to change", name)
		}
		_, _, err := load(file(10, "\xfe\x00", "\x13"+rstr("s")+strings.Replace(good, c.from, c.to, 1)))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for typ, content := range streamFiles {
		for cut := range content {
			if _, _, err := load(file(11, "\xfe\x00", string(typ)+rstr("s")+content[:cut])); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("type %d, cut to %d of %d bytes: %v", typ, cut, len(content), err)
			}
		}
	}
}

// FuzzStream: no stream makes Load panic or take memory out of proportion, and what
// it accepts survives Save and Load.
func FuzzStream(f *testing.F) {
	for typ, content := range streamFiles {
		f.Add(typ, []byte(content))
	}
	ks := keyspace.New(keyspace.Config{StreamNodeMaxEntries: 5})
	s := ks.NewStream()
	fillStream(s, rand.New(rand.NewPCG(1, 1)), 12)
	ks.DB(0).SetObject([]byte("s"), s)
	saved := save(f, ks)
	head := bytes.Index(saved, []byte("\x13\x01s")) + 3
	f.Add(byte(typeStreamListpacks2), saved[head:len(saved)-9])
	f.Fuzz(func(t *testing.T, typ byte, content []byte) {
		typ = []byte{typeStreamListpacks, typeStreamListpacks2, typeStreamListpacks3}[typ%3]
		fuzzFile(t, file(11, "\xfe\x00", string(rune(typ))+rstr("s")+string(content)))
	})
}
