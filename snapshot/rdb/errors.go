package rdb

import "errors"

var (
	// ErrCorrupt: the bytes are not a whole, undamaged RDB file.
	ErrCorrupt = errors.New("rdb: corrupt file")
	// ErrNewerVersion: the file's version is above MaxVersion. Nothing of it
	// was read; a newer Redoubt may load it.
	ErrNewerVersion = errors.New("rdb: newer version than this redoubt reads")
	// ErrUnsupported: the file is sound but holds something Redoubt does not
	// keep, such as a module's data. The error names it and what to do.
	ErrUnsupported = errors.New("rdb: unsupported content")
	// ErrTooLarge: a string is longer than the limit the reader was given.
	ErrTooLarge = errors.New("rdb: string is too large")
	// ErrDuplicate: a key of a file that is merged into others is in one of them.
	ErrDuplicate = errors.New("rdb: duplicate key")
	// ErrBadDump: the version of a dump is newer than MaxVersion, or its
	// checksum is wrong.
	ErrBadDump = errors.New("rdb: version or checksum of the dump are wrong")
)
