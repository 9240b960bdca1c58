package rdb

import (
	"encoding/binary"
	"sync"
)

// The checksum at the end of a file is CRC-64/REDIS: the polynomial of
// D. Jones, reflected, initial value 0, no final xor. hash/crc64 of the
// standard library inverts before and after and so cannot compute it.
const jonesReflected = 0x95ac9329ac4bc9b5

// crcTables[0] advances the checksum by one byte; crcTables[k] by one byte
// that k more bytes follow, which lets eight bytes be folded in at once.
var crcTables = sync.OnceValue(func() *[8][256]uint64 {
	var t [8][256]uint64
	for i := range t[0] {
		c := uint64(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ jonesReflected
			} else {
				c >>= 1
			}
		}
		t[0][i] = c
	}
	for i := range t[0] {
		c := t[0][i]
		for k := 1; k < 8; k++ {
			c = t[0][byte(c)] ^ c>>8
			t[k][i] = c
		}
	}
	return &t
})

// updateCRC adds p to a running CRC-64 (Jones).
func updateCRC(crc uint64, p []byte) uint64 {
	t := crcTables()
	for len(p) >= 8 {
		crc ^= binary.LittleEndian.Uint64(p)
		crc = t[7][byte(crc)] ^ t[6][byte(crc>>8)] ^ t[5][byte(crc>>16)] ^ t[4][byte(crc>>24)] ^
			t[3][byte(crc>>32)] ^ t[2][byte(crc>>40)] ^ t[1][byte(crc>>48)] ^ t[0][byte(crc>>56)]
		p = p[8:]
	}
	for _, b := range p {
		crc = t[0][byte(crc)^b] ^ crc>>8
	}
	return crc
}
