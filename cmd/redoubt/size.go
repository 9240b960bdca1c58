package main

import "github.com/redoubtdb/redoubt/internal/bytesize"

// byteSize is a flag for amounts of bytes.
type byteSize = bytesize.Size

// humanSize is n to three digits, for people.
func humanSize(n int64) string { return bytesize.Size(n).Human() }
