package rdb

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"
)

func FuzzLZF(f *testing.F) {
	f.Add([]byte("\x00a\xe0\x0b\x00"), uint16(21))
	f.Add([]byte("\x01ab\x80\x01"), uint16(8))
	f.Add([]byte("\x1f0123456789abcdef0123456789abcdef"), uint16(32))
	f.Add([]byte("\xff\xff\xff"), uint16(264))
	f.Fuzz(func(t *testing.T, p []byte, size uint16) {
		out := make([]byte, size)
		if checkLZF(uint64(len(p)), uint64(size)) == nil {
			if err := decompress(out, p); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		} else if decompress(out, p) == nil && size > 0 {
			t.Fatalf("a block that unpacks was refused for its length: %d to %d", len(p), size)
		}
		var c compressor
		packed, _ := c.compress(nil, p, 2*len(p)+1)
		back := make([]byte, len(p))
		if err := decompress(back, packed); err != nil || !bytes.Equal(back, p) {
			t.Fatalf("%x became %x: %v", p, back, err)
		}
	})
}

// fuzzPacked walks a packed list and, where it is sound, packs the elements
// again as a listpack.
func fuzzPacked(t *testing.T, e elements, err error) {
	if err == nil {
		var got []string
		if got, err = walk(e); err == nil {
			var l listpackBuilder
			l.reset()
			for _, s := range got {
				l.add([]byte(s))
			}
			again, openErr := openListpack(l.bytes())
			if openErr != nil {
				t.Fatal(openErr)
			}
			if back, backErr := walk(again); backErr != nil || len(back) != len(got) {
				t.Fatalf("%q came back as %q, %v", got, back, backErr)
			}
		}
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func FuzzListpack(f *testing.F) {
	var l listpackBuilder
	l.reset()
	for _, s := range packedValues[:26] {
		l.add([]byte(s))
	}
	f.Add(bytes.Clone(l.bytes()))
	f.Add([]byte("\x07\x00\x00\x00\x00\x00\xff"))
	f.Add([]byte("\x09\x00\x00\x00\x01\x00\xf4\x61\xff"))
	f.Add([]byte("\x0c\x00\x00\x00\xff\xff\xf0\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lp, err := openListpack(b)
		fuzzPacked(t, lp, err)
	})
}

func FuzzZiplist(f *testing.F) {
	f.Add([]byte(zl(10, 0, "")))
	f.Add([]byte(zl(14, 2, "\x00\x02ab\x04\x01c")))
	f.Add([]byte(zl(38, 6, "\x00\xfe\xff\x03\xc0\xfe\xff\x04\xf0\xfd\xff\xff\x05\xd0\xfc\xff\xff\xff\x06\xe0\xfb\xff\xff\xff\xff\xff\xff\xff\x0a\xc0\x00\x01")))
	f.Add([]byte(zl(10, 65535, "\xfe\xff\xff\xff\xff\x80\xff\xff\xff\xff")))
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := openZiplist(b)
		fuzzPacked(t, z, err)
	})
}

func FuzzZipmap(f *testing.F) {
	f.Add([]byte("\x00\xff"))
	f.Add([]byte("\x02\x01a\x02\x00bc\x01d\x01\x03e___\xff"))
	f.Add([]byte("\xfe\x01a\xfe\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := openZipmap(b)
		fuzzPacked(t, z, err)
	})
}

func FuzzIntset(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x00\x01"))
	f.Add([]byte("\x08\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Add([]byte("\x04\x00\x00\x00\xff\xff\xff\xff"))
	f.Add([]byte("\x03\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []int64
		err := eachInt(b, func(v int64) { got = append(got, v) })
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("%v", got)
		}
		if width := len(b) - intsetHeader; err == nil && len(got) > 0 && width/len(got)*len(got) != width {
			t.Fatalf("%d integers in %d bytes", len(got), width)
		}
	})
}

// FuzzLoad: no file makes Load panic or take memory out of proportion, and what
// it accepts survives Save and Load.
func FuzzLoad(f *testing.F) {
	for _, c := range oldFiles {
		f.Add(c.file)
	}
	f.Add(file(12, "\xfe\x00", "\xf4\x05\x01\x00", "\x00"+rstr("k")+rstr("v")))
	f.Add(file(10, "\x12"+rstr("l")+"\x02\x01"+rstr("e")+"\x03"+rstr("e")))
	f.Add(file(10, "\x0e"+rstr("l")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(file(10, "\x12"+rstr("l")+"\x01\x02"+rstr("\x07\x00\x00\x00\x00\x00\xff")))
	f.Add(file(10, "\x04"+rstr("h")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(file(10, "\x00"+rstr("k")+"\xc3\x09\x81\x00\x00\x00\x00\x1f\x00\x00\x00"))
	f.Add(file(11, "\xfe\x00", "\x14"+rstr("s")+rstr("\x0d\x00\x00\x00\x02\x00\x81f\x02\xdf\xff\x02\xff")))
	f.Add(file(10, "\x02"+rstr("s")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(file(10, "\x05"+rstr("z")+"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(file(10, "\xf7\x81\xa4\x52\x98\xa1\x82\x1b\x2d\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The fuzzer does not guess checksums: give it those it needs.
		if n := len(b) - 8; n > 0 && b[n-1] == opEOF {
			clear(b[n:])
		}
		fuzzFile(t, b)
	})
}

// fuzzFile loads a file; what is accepted has to survive Save and Load.
func fuzzFile(t *testing.T, b []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ks, _, err := load(b)
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+2*lzfMaxRatio*len(b)); used > most {
		t.Fatalf("%d bytes allocated for a file of %d", used, len(b))
	}
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		return
	}
	back, _, err := load(save(t, ks))
	if err != nil || !sameContent(ks, back) {
		t.Fatalf("%q came back as %q: %v", contents(ks), contents(back), err)
	}
}
