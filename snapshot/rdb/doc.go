// Package rdb reads and writes Redis's RDB files: the content of a keyspace in
// one stream. It writes version 10, which a stock redis-server 7.0 loads, and
// reads versions 1 to 12 (Redis up to 8.0, Valkey up to 8.x). A file of a newer
// version is refused before anything of it is read, with ErrNewerVersion.
//
// Files are untrusted. Every length is checked against what is left of the file
// before memory is set aside for it, and where the file's size is not known,
// memory grows only as bytes arrive. A value is held once, as the file has it or
// unpacked, next to the keyspace it goes into; hashes and sets in their plain form
// stream element by element. The file's CRC is checked before Load reports success.
//
// # Layout
//
// As Redis defines it in src/rdb.h and src/rdb.c, and for the packed forms in
// src/listpack.c, src/intset.c, src/ziplist.c and src/zipmap.c:
//
//	file     = "REDIS", version as 4 decimal digits, record..., 0xff, CRC
//	CRC      = u64: CRC-64 (Jones) of everything before it; 0: not computed;
//	           absent below version 5
//	record   = 0xfa string string            aux field: name, value
//	         | 0xfe length                   the records that follow are of this database
//	         | 0xfb length length            its number of keys, and of keys with an expiry
//	         | 0xf4 length length length     cluster slot, keys, expires (from 7.4): skipped
//	         | prefix... type key value
//	         | 0xf5, 0xf6                    functions: refused, they are data Redoubt does not keep
//	         | 0xf7                          a module's data: refused
//	prefix   = 0xfc i64                      expiry of the next key, Unix milliseconds
//	         | 0xfd i32                      expiry of the next key, Unix seconds
//	         | 0xf8 length | 0xf9 u8         its idle time or access frequency: skipped
//	type     = u8, see below
//	key      = string
//
// Fixed-size integers are little-endian, unlike those inside lengths:
//
//	length   = 00nnnnnn | 01nnnnnn u8 | 0x80 u32 | 0x81 u64, big-endian
//	string   = length, bytes
//	         | 0xc0 i8 | 0xc1 i16 | 0xc2 i32 the integer in decimal
//	         | 0xc3 length length bytes      LZF: compressed length, length, block
//
// Values by type:
//
//	 0  string                string
//	 1  list                  length, then elements as strings
//	10  list, ziplist         string that holds a ziplist   (before 3.2)
//	14  list, quicklist       length, then strings that hold ziplists (before 7.0)
//	18  list, quicklist       length, then nodes: length 2 and a string that holds a
//	                          listpack, or length 1 and a string, the only element
//	 2  set                   length, then the members as strings
//	 3  sorted set            length, then member as string and score: one byte with
//	                          the length of its decimal text, or 253 for NaN, 254
//	                          and 255 for infinity and minus infinity
//	 4  hash                  length, then field and value as strings
//	 5  sorted set            length, then member as string and score as f64
//	 9  hash, zipmap          string that holds a zipmap    (Redis before 2.6)
//	11  set, intset           string that holds an intset
//	12  sorted set, ziplist   string that holds a ziplist   (before 7.0)
//	13  hash, ziplist         string that holds a ziplist   (before 7.0)
//	16  hash, listpack        string that holds a listpack
//	17  sorted set, listpack  string that holds a listpack
//	20  set, listpack         string that holds a listpack         (from 7.2; not written)
//	15  stream               see below                     (before 7.0)
//	19  stream               see below
//	21  stream               see below                     (from 7.2)
//
// A stream keeps its entries in listpacks (package keyspace, stream_block.go):
//
//	stream   = length block..., length (entries), ID (last)
//	           { ID (first) ID (highest deleted) length (entries ever added) }
//	           length group...
//	block    = string (raw ID), string (listpack)
//	group    = string (name) ID (last delivered) { length (entries read) }
//	           length pending..., length consumer...
//	pending  = raw ID, i64 (delivered, Unix milliseconds) length (deliveries)
//	consumer = string (name) i64 (last seen) [ i64 (last active) ] length raw ID...
//	ID       = length length                 milliseconds, sequence number
//	raw ID   = the same in 16 bytes, big-endian
//
// What is in braces is missing in type 15, what is in brackets is in type 21 only.
//
// Other types are refused by name with ErrUnsupported: a file is loaded whole or
// not at all. A data type has one file here with its reader and writer, and a
// row in valueReaders.
//
// # Dumps
//
// AppendDump and Restore are the codec of the commands DUMP and RESTORE, one value
// alone:
//
//	dump = type value u16 u64    version of the format, CRC-64 (Jones) of what precedes
//
// # Aux fields
//
// Save writes redis-ver, redis-bits, ctime and used-mem as Redis does, then what
// the caller adds. Redis ignores names that it does not know.
package rdb
