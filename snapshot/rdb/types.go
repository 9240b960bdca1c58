package rdb

import (
	"fmt"

	"github.com/redoubtdb/redoubt/node/keyspace"
)

// Value types of the format that Redoubt keeps.
const (
	typeString         = 0
	typeSet            = 2
	typeZSet           = 3
	typeHash           = 4
	typeZSet2          = 5
	typeHashZipmap     = 9
	typeSetIntset      = 11
	typeZSetZiplist    = 12
	typeHashZiplist    = 13
	typeHashListpack   = 16
	typeZSetListpack   = 17
	typeSetListpack    = 20
	typeList           = 1
	typeListZiplist    = 10
	typeListQuicklist  = 14
	typeListQuicklist2 = 18

	typeStreamListpacks  = 15
	typeStreamListpacks2 = 19
	typeStreamListpacks3 = 21
)

// valueReaders read the value of d.key and put it into d.db. Each data type has
// its reader and its writer in a file of its own.
var valueReaders = map[byte]func(d *decoder, typ byte) error{
	typeString:         (*decoder).string,
	typeSet:            (*decoder).set,
	typeSetIntset:      (*decoder).intset,
	typeSetListpack:    (*decoder).packedSet,
	typeHash:           (*decoder).hash,
	typeHashZipmap:     (*decoder).packedHash,
	typeHashZiplist:    (*decoder).packedHash,
	typeHashListpack:   (*decoder).packedHash,
	typeList:           (*decoder).list,
	typeListZiplist:    (*decoder).packedList,
	typeListQuicklist:  (*decoder).quicklist,
	typeListQuicklist2: (*decoder).quicklist,
	typeZSet:           (*decoder).zset,
	typeZSet2:          (*decoder).zset,
	typeZSetZiplist:    (*decoder).packedZSet,
	typeZSetListpack:   (*decoder).packedZSet,

	typeStreamListpacks:  (*decoder).stream,
	typeStreamListpacks2: (*decoder).stream,
	typeStreamListpacks3: (*decoder).stream,
}

// valueWriters write key and value of a record of their type.
var valueWriters = map[keyspace.Type]func(e *encoder, key []byte, ref keyspace.Ref){
	keyspace.TypeString: (*encoder).string,
	keyspace.TypeSet:    (*encoder).set,
	keyspace.TypeHash:   (*encoder).hash,
	keyspace.TypeList:   (*encoder).listValue,
	keyspace.TypeZSet:   (*encoder).zset,
	keyspace.TypeStream: (*encoder).stream,
}

// What the types are called that are refused.
var otherTypes = map[byte]string{
	6: "a module's value", 7: "a module's value",
	22: "a hash with expiring fields", 23: "a hash with expiring fields",
	24: "a hash with expiring fields", 25: "a hash with expiring fields",
}

func unsupportedType(typ byte) error {
	name, ok := otherTypes[typ]
	if !ok {
		return fmt.Errorf("%w: unknown value type %d", ErrCorrupt, typ)
	}
	return fmt.Errorf("%w: %s (type %d), which this redoubt does not keep; "+
		"delete the key where the file comes from and save again, or load the file with a newer redoubt",
		ErrUnsupported, name, typ)
}
