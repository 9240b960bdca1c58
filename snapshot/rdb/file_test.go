package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/node/resp"
	"pgregory.net/rapid"
)

func save(t testing.TB, ks *keyspace.Keyspace, aux ...Aux) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := Save(&b, ks, SaveOptions{CreatedAt: 1700000000, Aux: aux})
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Fatalf("Save says %d bytes, wrote %d", n, b.Len())
	}
	return b.Bytes()
}

func load(b []byte) (*keyspace.Keyspace, *Info, error) {
	ks := keyspace.New(keyspace.Config{})
	info, err := Load(bytes.NewReader(b), ks, LoadOptions{Size: int64(len(b))})
	return ks, info, err
}

// genString draws strings that meet every string encoding.
func genString(t *rapid.T, label string) []byte {
	switch rapid.IntRange(0, 5).Draw(t, label+" kind") {
	case 0:
		return fmt.Append(nil, rapid.Int64().Draw(t, label))
	case 1:
		return fmt.Append(nil, rapid.Int32().Draw(t, label))
	case 2:
		return fmt.Append(nil, rapid.IntRange(-200, 200).Draw(t, label))
	case 3:
		part := rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, label)
		return bytes.Repeat(part, rapid.IntRange(0, 600).Draw(t, label+" times"))
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, label)
}

func fillRandom(t *rapid.T, ks *keyspace.Keyspace) {
	const farAway = int64(4102444800000) // the year 2100
	for i := range rapid.IntRange(0, 25).Draw(t, "keys") {
		db := ks.DB(rapid.SampledFrom([]int{0, 0, 3, 15}).Draw(t, "db"))
		key := append(genString(t, "key"), fmt.Sprint(i)...)
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			db.SetObject(key, genSet(t, ks))
		case 1:
			h := ks.NewHash()
			for range rapid.IntRange(1, 12).Draw(t, "fields") {
				h.Set(genString(t, "field"), genString(t, "value"))
			}
			for j := range rapid.SampledFrom([]int{0, 0, 0, 127, 128, 129, 600}).Draw(t, "more fields") {
				h.Set(fmt.Appendf(nil, "f%d", j), fmt.Append(nil, j*j))
			}
			db.SetObject(key, h)
		case 2:
			l := ks.NewList()
			for range rapid.IntRange(1, 12).Draw(t, "elements") {
				l.Push(rapid.Bool().Draw(t, "front"), genString(t, "element"))
			}
			for j := range rapid.SampledFrom([]int{0, 0, 0, 300, 3000}).Draw(t, "more elements") {
				l.Push(false, fmt.Append(nil, j*j))
			}
			db.SetObject(key, l)
		case 3:
			db.SetObject(key, randomZSet(t, ks))
		default:
			db.SetString(key, genString(t, "value"))
		}
		if rapid.Bool().Draw(t, "expires") {
			db.SetExpire(key, farAway+rapid.Int64Range(0, 1<<40).Draw(t, "expiry"))
		}
	}
}

// genSet draws sets of each form and each width of integers.
func genSet(t *rapid.T, ks *keyspace.Keyspace) *keyspace.Set {
	s := ks.NewSet()
	bits := rapid.IntRange(0, 63).Draw(t, "bits")
	for range rapid.IntRange(1, 12).Draw(t, "integers") {
		s.Add(fmt.Append(nil, rapid.Int64().Draw(t, "integer")>>bits))
	}
	for j := range rapid.SampledFrom([]int{0, 0, 0, 127, 512, 513}).Draw(t, "more integers") {
		s.Add(fmt.Append(nil, j*j))
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 10, 129}).Draw(t, "words") {
		s.Add(genString(t, "member"))
	}
	return s
}

func randomZSet(t *rapid.T, ks *keyspace.Keyspace) *keyspace.ZSet {
	z := ks.NewZSet()
	score := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, 1e17, math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64}))
	for range rapid.IntRange(1, 12).Draw(t, "members") {
		z.Set(genString(t, "member"), score.Draw(t, "score"))
	}
	for j := range rapid.SampledFrom([]int{0, 0, 0, 127, 128, 129, 600}).Draw(t, "more members") {
		z.Set(fmt.Appendf(nil, "m%d", j), float64(j)/7)
	}
	return z
}

func sameContent(a, b *keyspace.Keyspace) bool {
	return a.Digest() == b.Digest() && a.RedisDigest() == b.RedisDigest() && a.Len() == b.Len()
}

func TestSaveLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ks := keyspace.New(keyspace.Config{})
		fillRandom(t, ks)
		var b bytes.Buffer
		if _, err := Save(&b, ks, SaveOptions{Aux: []Aux{{"redoubt-position", "seq 7"}}}); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{int64(b.Len()), -1} {
			back := keyspace.New(keyspace.Config{})
			info, err := Load(bytes.NewReader(b.Bytes()), back, LoadOptions{Size: size})
			if err != nil {
				t.Fatal(err)
			}
			if !sameContent(ks, back) {
				t.Fatalf("%d keys came back as %d, or changed", ks.Len(), back.Len())
			}
			if info.Version != Version || info.Aux["redoubt-position"] != "seq 7" || info.Aux["redis-bits"] != "64" {
				t.Fatalf("%+v", info)
			}
		}
	})
}

// Huge values and hashes cross every buffer boundary.
func TestSaveLoadLarge(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	ks.DB(0).SetString([]byte("noise"), noise)
	ks.DB(0).SetString(noise[:ioBuffer+5], []byte("a large key"))
	ks.DB(1).SetString([]byte("beyond compression"), bytes.Repeat([]byte("a"), maxCompress+1))
	ks.DB(1).SetString([]byte("compressed"), bytes.Repeat([]byte("abcdefg"), 1<<18))
	h := ks.NewHash()
	for i := range 20000 {
		h.Set(fmt.Appendf(nil, "field:%d", i), fmt.Appendf(nil, "%d %d", i, i))
	}
	h.Set([]byte("big"), noise[:ioBuffer*2])
	ks.DB(2).SetObject([]byte("h"), h)
	set := ks.NewSet()
	for i := range 20000 {
		set.Add(fmt.Appendf(nil, "member:%d", i))
	}
	set.Add(noise[:ioBuffer*2])
	ks.DB(2).SetObject([]byte("s"), set)
	l := ks.NewList()
	for i := range 20000 {
		l.Push(false, fmt.Appendf(nil, "element:%d", i))
	}
	for _, n := range []int{plainFrom / 2, plainFrom - 20, plainFrom, len(noise)} {
		l.Push(false, noise[:n])
		l.Push(false, []byte("between"))
	}
	ks.DB(2).SetObject([]byte("l"), l)
	b := save(t, ks)
	back, _, err := load(b)
	if err != nil || !sameContent(ks, back) {
		t.Fatalf("%v", err)
	}
	back = keyspace.New(keyspace.Config{})
	if _, err := Load(iotest.HalfReader(bytes.NewReader(b)), back, LoadOptions{Size: -1}); err != nil || !sameContent(ks, back) {
		t.Fatalf("as a stream: %v", err)
	}
}

// file frames records of database 0 as a whole file.
func file(version int, records ...string) []byte {
	b := fmt.Appendf(nil, "REDIS%04d%s\xff", version, strings.Join(records, ""))
	if version >= crcVersion {
		b = binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
	}
	return b
}

// rstr is a string as an RDB file has it, of up to 16383 bytes.
func rstr(s string) string {
	if len(s) < 64 {
		return string([]byte{byte(len(s))}) + s
	}
	return string([]byte{0x40 | byte(len(s)>>8), byte(len(s))}) + s
}

// Files as older versions of Redis wrote them, by hand. redis_test.go shows
// that redis-server reads the same in them.
var oldFiles = []struct {
	name string
	file []byte
	want map[string]string // "key", "key.field" or "key.member" to value, with "@expiry" where there is one
}{
	{"version 1: no checksum, expiry in seconds", file(1, "\xfe\x00", "\xfd\x80\xd8\xdb\x70\x00"+rstr("k")+rstr("v"), "\x00"+rstr("n")+"\xc1\x39\x30"),
		map[string]string{"k": "v@1893456000000", "n": "12345"}},
	{"version 2: zipmap", file(2, "\xfe\x00", "\x09"+rstr("h")+rstr("\x02\x01a\x02\x00bc\x01d\x01\x03e___\xff")),
		map[string]string{"h.a": "bc", "h.d": "e"}},
	{"version 4: ziplist, expiry in milliseconds", file(4, "\xfe\x00", "\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x0d"+rstr("h")+
		rstr(zl(14, 2, "\x00\x02ab\x04\x01c"))), map[string]string{"h.ab": "c@4102444800000"}},
	{"version 6: plain hash, checksum", file(6, "\xfe\x00", "\x04"+rstr("h")+"\x02"+rstr("f")+"\xc0\x05"+rstr("g")+"\xc2\x00\x00\x01\x00"),
		map[string]string{"h.f": "5", "h.g": "65536"}},
	{"version 7: aux, resizedb", file(7, "\xfa"+rstr("redis-ver")+rstr("3.2.0"), "\xfa"+rstr("aof-preamble")+"\xc0\x00",
		"\xfe\x00", "\xfb\x01\x00", "\x00"+rstr("k")+rstr("v")), map[string]string{"k": "v"}},
	{"version 9: LFU and idle", file(9, "\xfe\x00", "\xf9\x07\x00"+rstr("a")+rstr("1"), "\xf8\x44\x00\x00"+rstr("b")+rstr("2"),
		"\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\xf9\xff\x00"+rstr("c")+rstr("3")), map[string]string{"a": "1", "b": "2", "c": "3@4102444800000"}},
	// Ten bytes of header, a field, 30 times x by a copy from one back, the end.
	{"version 9: ziplist packed with LZF", file(9, "\xfe\x00", "\x0d"+rstr("h")+"\xc3\x16\x2e"+
		"\x0f\x2e\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01\x66\x03\x1e\x78\xe0\x14\x00\x00\xff"), map[string]string{"h.f": strings.Repeat("x", 30)}},
	{"version 6: plain sets", file(6, "\xfe\x00", "\x02"+rstr("i")+"\x03\xc0\x05\xc0\xff"+rstr("007"), "\x02"+rstr("s")+"\x02"+rstr("b")+rstr("")),
		map[string]string{"i.5": "", "i.-1": "", "i.007": "", "s.b": "", "s.": ""}},
	{"version 6: intsets of each width", file(6, "\xfe\x00", "\x0b"+rstr("2")+rstr("\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x00\x01"),
		"\x0b"+rstr("4")+rstr("\x04\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x80"),
		"\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x0b"+rstr("8")+rstr("\x08\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f")),
		map[string]string{"2.-1": "", "2.256": "", "4.-2147483648": "", "8.9223372036854775807": "@4102444800000"}},
	{"empty keyspace, checksum off", append(file(10)[:10], 0, 0, 0, 0, 0, 0, 0, 0), map[string]string{}},
	{"version 2: list", file(2, "\xfe\x00", "\x01"+rstr("l")+"\x03"+rstr("a")+"\xc0\x05"+rstr("")), map[string]string{"l": "[a 5 ]"}},
	{"version 6: list in a ziplist", file(6, "\xfe\x00", "\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x0a"+rstr("l")+
		rstr(zl(14, 2, "\x00\x02ab\x04\x01c"))), map[string]string{"l": "[ab c]@4102444800000"}},
	{"version 9: quicklist of ziplists", file(9, "\xfe\x00", "\x0e"+rstr("l")+"\x02"+rstr(zl(14, 2, "\x00\x02ab\x04\x01c"))+
		rstr(zl(10, 1, "\x00\xfe\x07"))), map[string]string{"l": "[ab c 7]"}},
	{"version 10: quicklist of listpacks and a plain node", file(10, "\xfe\x00", "\x12"+rstr("l")+"\x03"+
		"\x02"+rstr("\x0d\x00\x00\x00\x02\x00\x81f\x02\xdf\xff\x02\xff")+"\x01"+rstr("plain")+"\x02"+rstr("\x09\x00\x00\x00\x01\x00\x07\x01\xff")),
		map[string]string{"l": "[f -1 plain 7]"}},
	{"version 10: listpack", file(10, "\xfe\x00", "\x10"+rstr("h")+rstr("\x0d\x00\x00\x00\x02\x00\x81f\x02\xdf\xff\x02\xff")),
		map[string]string{"h.f": "-1"}},
	{"version 1: sorted set", file(1, "\xfe\x00", "\x03"+rstr("z")+"\x04"+rstr("a")+"\x031.5"+rstr("b")+"\xfe"+rstr("c")+"\xff"+rstr("d")+"\x041e-3"),
		map[string]string{"z.a": "1.5", "z.b": "inf", "z.c": "-inf", "z.d": "0.001"}},
	{"version 4: sorted set, ziplist", file(4, "\xfe\x00", "\x0c"+rstr("z")+rstr(zl(18, 4, "\x00\x01b\x03\xf2\x02\x01a\x03\x032.5"))),
		map[string]string{"z.a": "2.5", "z.b": "1"}},
	{"version 8: sorted set, binary scores", file(8, "\xfe\x00", "\x05"+rstr("z")+"\x02"+rstr("b")+"\x00\x00\x00\x00\x00\x00\xf8\x3f"+rstr("a")+"\x00\x00\x00\x00\x00\x00\xf0\xff"),
		map[string]string{"z.a": "-inf", "z.b": "1.5"}},
	{"version 10: sorted set, listpack", file(10, "\xfe\x00", "\x11"+rstr("z")+rstr("\x15\x00\x00\x00\x04\x00\x81b\x02\xdf\xff\x02\x81a\x02\x832.5\x04\xff")),
		map[string]string{"z.a": "2.5", "z.b": "-1"}},
}

func contents(ks *keyspace.Keyspace) map[string]string {
	got := map[string]string{}
	ks.DB(0).Each(func(key []byte, ref keyspace.Ref) bool {
		at := ""
		if ref.ExpireAt() != keyspace.NoExpire {
			at = fmt.Sprintf("@%d", ref.ExpireAt())
		}
		if h := ref.Hash(); h != nil {
			h.Each(func(f, v []byte) bool { got[string(key)+"."+string(f)] = string(v) + at; return true })
		} else if s := ref.Set(); s != nil {
			s.Each(func(m []byte) bool { got[string(key)+"."+string(m)] = at; return true })
		} else if l := ref.List(); l != nil {
			got[string(key)] = fmt.Sprintf("%s%s", listed(l), at)
		} else if z := ref.ZSet(); z != nil {
			z.Each(func(m []byte, score float64) bool {
				got[string(key)+"."+string(m)] = resp.FormatDouble(score) + at
				return true
			})
		} else {
			got[string(key)] = string(ref.Str()) + at
		}
		return true
	})
	return got
}

// listed are the elements of a list.
func listed(l *keyspace.List) []string {
	all := []string{}
	it := l.Iterate(true)
	for e, ok := it.Next(); ok; e, ok = it.Next() {
		all = append(all, string(e))
	}
	return all
}

func TestOldFiles(t *testing.T) {
	for _, c := range oldFiles {
		ks, _, err := load(c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := contents(ks); c.want != nil && fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNewerVersionsLoad(t *testing.T) {
	for _, v := range []int{11, 12} {
		// 0xf4: a cluster slot's sizes, written from 7.4 on.
		ks, info, err := load(file(v, "\xfe\x00", "\xf4\x05\x01\x00", "\x00"+rstr("k")+rstr("v")))
		if err != nil || ks.Len() != 1 || info.Version != v {
			t.Errorf("version %d: %v, %+v", v, err, info)
		}
	}
}

// A set as Redis 7.2 and later write small ones, which 7.0 does not read.
func TestListpackSet(t *testing.T) {
	ks, _, err := load(file(11, "\xfe\x00", "\x14"+rstr("s")+rstr("\x0d\x00\x00\x00\x02\x00\x81f\x02\xdf\xff\x02\xff")))
	if got := fmt.Sprint(contents(ks)); err != nil || got != "map[s.-1: s.f:]" {
		t.Fatalf("%s, %v", got, err)
	}
	ref, _ := ks.DB(0).Lookup([]byte("s"))
	if enc := ref.Encoding(); enc != "listpack" {
		t.Errorf("encoding %s", enc)
	}
}

func TestRefused(t *testing.T) {
	str := "\x00" + rstr("k") + rstr("v")
	badCRC := file(10, str)
	badCRC[len(badCRC)-1] ^= 1
	flipped := file(10, str)
	flipped[11] ^= 0x20
	for name, c := range map[string]struct {
		b    []byte
		err  error
		says string
	}{
		"newer version":         {file(13, str), ErrNewerVersion, "version 13, this redoubt reads up to 12"},
		"much newer version":    {file(80, str), ErrNewerVersion, "version 80"},
		"version 0":             {file(0, str), ErrCorrupt, "version 0"},
		"version no number":     {[]byte("REDIS00x1\xff"), ErrCorrupt, "version"},
		"no RDB file":           {[]byte("*1\r\n$4\r\nPING\r\n"), ErrCorrupt, `begin with "REDIS"`},
		"nothing":               {nil, ErrCorrupt, ""},
		"module":                {file(10, "\x07"+rstr("m")), ErrUnsupported, `a module's value (type 7), which this redoubt does not keep; delete the key`},
		"type names its key":    {file(10, "\xfe\x02", "\x07"+rstr("m")), ErrUnsupported, `(key "m" in database 2)`},
		"container":             {file(10, "\x12"+rstr("l")+"\x01\x03"+rstr("e")), ErrCorrupt, "unknown container 3"},
		"node without listpack": {file(10, "\x12"+rstr("l")+"\x01\x02"+rstr("e")), ErrCorrupt, "bad frame"},
		"node cut short":        {file(10, "\x12"+rstr("l")+"\x05\x01"+rstr("e")), ErrCorrupt, ""},
		"member twice":          {file(10, "\x02"+rstr("s")+"\x02"+rstr("1")+"\xc0\x01"), ErrCorrupt, `member "1" is there twice`},
		"packed member twice":   {file(11, "\x14"+rstr("s")+rstr("\x0d\x00\x00\x00\x02\x00\x81f\x02\x81f\x02\xff")), ErrCorrupt, `member "f" is there twice`},
		"set larger than file":  {file(10, "\x02"+rstr("s")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), ErrCorrupt, "items promised"},
		"intset out of order":   {file(10, "\x0b"+rstr("s")+rstr("\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00")), ErrCorrupt, "not in order at integer 1"},
		"zset member twice":     {file(10, "\x03"+rstr("z")+"\x02"+rstr("m")+"\x011"+rstr("m")+"\x012"), ErrCorrupt, `member "m" is there twice`},
		"packed zset member":    {file(10, "\x0c"+rstr("z")+rstr(zl(18, 4, "\x00\x01b\x03\xf2\x02\x01b\x03\xf3"))), ErrCorrupt, `member "b" is there twice`},
		"NaN as text":           {file(10, "\x03"+rstr("z")+"\x01"+rstr("m")+"\xfd"), ErrCorrupt, `the score of member "m" is not a number`},
		"NaN in binary":         {file(10, "\x05"+rstr("z")+"\x01"+rstr("m")+"\x00\x00\x00\x00\x00\x00\xf8\x7f"), ErrCorrupt, `the score of member "m" is not a number`},
		"score is no number":    {file(10, "\x03"+rstr("z")+"\x01"+rstr("m")+"\x031,5"), ErrCorrupt, `score "1,5" is not a number`},
		"empty score":           {file(10, "\x03"+rstr("z")+"\x01"+rstr("m")+"\x00"), ErrCorrupt, `score "" is not a number`},
		"member without score":  {file(10, "\x0c"+rstr("z")+rstr(zl(10, 1, "\x00\x02ab"))), ErrCorrupt, "the last member has no score"},
		"zset larger than file": {file(10, "\x05"+rstr("z")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), ErrCorrupt, "items promised"},
		"module value":          {file(10, "\x07"+rstr("m")), ErrUnsupported, "a module's value (type 7)"},
		"hash with field TTLs":  {file(12, "\x19"+rstr("h")), ErrUnsupported, "a hash with expiring fields (type 25)"},
		"functions":             {file(10, "\xf5"+rstr("#!lua name=x")), ErrUnsupported, "FUNCTION FLUSH"},
		"module aux":            {file(10, "\xf7\x81\xa4\x52\x98\xa1\x82\x1b\x2d\x01\x00"), ErrUnsupported, `the module "pFKYoYIbL"`},
		"database 16":           {file(10, "\xfe\x10", str), ErrUnsupported, "database 16, this redoubt has databases 0 to 15"},
		"unknown type":          {file(10, "\x40"+rstr("k")), ErrCorrupt, "unknown value type 64"},
		"key twice":             {file(10, str, str), ErrCorrupt, "twice"},
		"field twice":           {file(10, "\x04"+rstr("h")+"\x02"+rstr("f")+rstr("1")+rstr("f")+rstr("2")), ErrCorrupt, `field "f" is there twice`},
		"packed field twice":    {file(10, "\x09"+rstr("h")+rstr("\x02\x01a\x01\x00b\x01a\x01\x00c\xff")), ErrCorrupt, `field "a" is there twice`},
		"field without a value": {file(10, "\x0d"+rstr("h")+rstr(zl(10, 1, "\x00\x02ab"))), ErrCorrupt, "the last field has no value"},
		"hash larger than file": {file(10, "\x04"+rstr("h")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), ErrCorrupt, "items promised"},
		"wrong CRC":             {badCRC, ErrCorrupt, "CRC"},
		"flipped bit":           {flipped, ErrCorrupt, "CRC"},
		"bytes after the end":   {append(file(10, str), 0), ErrCorrupt, "1 bytes after its end"},
	} {
		ks, info, err := load(c.b)
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.says) || info != nil {
			t.Errorf("%s: %v (%d keys, %+v)", name, err, ks.Len(), info)
		}
	}
}

func TestCutFilesAreRefused(t *testing.T) {
	for _, f := range oldFiles {
		for cut := range f.file {
			for _, size := range []int64{int64(cut), -1} {
				ks := keyspace.New(keyspace.Config{})
				if _, err := Load(bytes.NewReader(f.file[:cut]), ks, LoadOptions{Size: size}); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s, cut to %d of %d bytes: %v", f.name, cut, len(f.file), err)
				}
			}
		}
	}
}

// Every single flipped bit of a file with a checksum is noticed.
func TestFlippedBitsAreRefused(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	ks.DB(0).SetString([]byte("k"), bytes.Repeat([]byte("value"), 10))
	h := ks.NewHash()
	h.Set([]byte("f"), []byte("12345"))
	ks.DB(2).SetObject([]byte("h"), h)
	b := save(t, ks)
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := load(b); err == nil {
			t.Fatalf("bit %d of byte %d flipped: loaded", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestEmptyValuesAreDropped(t *testing.T) {
	ks, info, err := load(file(9, "\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\x04"+rstr("h")+"\x00", "\x0d"+rstr("z")+rstr(zl(10, 0, "")), "\x02"+rstr("s")+"\x00",
		"\x05"+rstr("y")+"\x00", "\x0c"+rstr("x")+rstr(zl(10, 0, "")), "\x0b"+rstr("i")+rstr("\x02\x00\x00\x00\x00\x00\x00\x00"), "\x00"+rstr("k")+rstr("v")))
	if err != nil || info.EmptyKeys != 6 || fmt.Sprint(contents(ks)) != "map[k:v]" {
		t.Fatalf("%v, %+v, %v", err, info, contents(ks))
	}
}

func TestAuxFields(t *testing.T) {
	long := strings.Repeat("s", maxAuxKept+1)
	_, info, err := load(file(7, "\xfa"+rstr("lua")+rstr(long), "\xfa"+rstr("a")+rstr("1"), "\xfa"+rstr("a")+rstr("2")))
	if err != nil || fmt.Sprint(info.Aux) != "map[a:2]" {
		t.Fatalf("%v, %v", err, info)
	}
}

func TestMaxString(t *testing.T) {
	b := file(10, "\x00"+rstr("key")+rstr("value"))
	ks := keyspace.New(keyspace.Config{})
	if _, err := Load(bytes.NewReader(b), ks, LoadOptions{Size: -1, MaxString: 4}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := Load(bytes.NewReader(b), ks, LoadOptions{Size: -1, MaxString: 5}); err != nil {
		t.Fatal(err)
	}
}

func TestWriteErrorsAreReported(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	for i := range 20000 {
		ks.DB(0).SetString(fmt.Append(nil, i), fmt.Appendf(nil, "%064x", i*i*7919))
	}
	whole := len(save(t, ks))
	if whole < 3*ioBuffer/2 {
		t.Fatalf("%d bytes are too few for this test", whole)
	}
	broken := errors.New("no space left on device")
	for _, room := range []int{0, ioBuffer, whole - 9, whole - 1} {
		w := &fullWriter{room: room, err: broken}
		if _, err := Save(w, ks, SaveOptions{CreatedAt: 1700000000}); !errors.Is(err, broken) {
			t.Errorf("room for %d of %d bytes: %v", room, whole, err)
		}
	}
}

type fullWriter struct {
	room int
	err  error
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		return 0, w.err
	}
	w.room -= len(p)
	return len(p), nil
}

// Save and Load need memory for buffers, not for the file.
func TestSaveStreams(t *testing.T) {
	ks := keyspace.New(keyspace.Config{})
	h := ks.NewHash()
	for i := range 50000 {
		h.Set(fmt.Appendf(nil, "field:%d", i), bytes.Repeat([]byte{byte(i)}, 100))
	}
	ks.DB(0).SetObject([]byte("h"), h)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := Save(io.Discard, ks, SaveOptions{})
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || used > 2<<20 {
		t.Fatalf("%d bytes allocated to write %d, %v", used, n, err)
	}
}
