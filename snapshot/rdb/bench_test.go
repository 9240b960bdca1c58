package rdb

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

func benchKeyspace() *keyspace.Keyspace {
	ks := keyspace.New(keyspace.Config{})
	value := make([]byte, 64)
	for i := range 200_000 {
		for j := range value {
			value[j] = byte(i*7919>>(j%16) + j*31)
		}
		ks.DB(0).SetString(fmt.Appendf(nil, "key:%012d", i), value)
	}
	for i := range 5_000 {
		h := ks.NewHash()
		for j := range 20 {
			h.Set(fmt.Appendf(nil, "field:%d", j), fmt.Append(nil, i*j))
		}
		ks.DB(0).SetObject(fmt.Appendf(nil, "hash:%d", i), h)
	}
	return ks
}

func BenchmarkSave(b *testing.B) {
	ks := benchKeyspace()
	b.ReportAllocs()
	for b.Loop() {
		n, err := Save(io.Discard, ks, SaveOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
}

func BenchmarkLoad(b *testing.B) {
	var file bytes.Buffer
	if _, err := Save(&file, benchKeyspace(), SaveOptions{}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := load(file.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
