package node

import (
	"fmt"
	"strings"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/resp"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// debugObject describes a value in the words of Redis. No access times are kept, so
// those are those of a key that was just used.
func debugObject(x *command.Ctx) {
	ref, found := x.KS.DB(x.DB).Lookup(x.Args[2])
	if !found {
		x.Error(command.ErrNoKey)
		return
	}
	size, err := rdb.ValueSize(ref)
	if err != nil {
		x.Out.Error("ERR " + err.Error())
		return
	}
	extra := ""
	if nodes, bytes := ref.List().Nodes(); nodes > 0 {
		extra = fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:0 ql_uncompressed_size:%d",
			nodes, float64(ref.List().Len())/float64(nodes), x.KS.Config().ListMaxListpackSize, bytes)
	}
	x.Out.SimpleString(fmt.Sprintf("Value at:%#x refcount:1 encoding:%s serializedlength:%d lru:0 lru_seconds_idle:0%s",
		ref.Address(), ref.Encoding(), size, extra))
}

// debugTypes are the values that DEBUG PROTOCOL replies with, for those who test
// clients: Redis's.
var debugTypes = map[string]func(*resp.Writer){
	"string":  func(w *resp.Writer) { w.BulkString("Hello World") },
	"integer": func(w *resp.Writer) { w.Int(12345) },
	"double":  func(w *resp.Writer) { w.Double(3.141) },
	"bignum":  func(w *resp.Writer) { w.BigNumber("1234567999999999999999999999999999999") },
	"null":    func(w *resp.Writer) { w.Null() },
	"array": func(w *resp.Writer) {
		w.Array(3)
		for i := range int64(3) {
			w.Int(i)
		}
	},
	"set": func(w *resp.Writer) {
		w.Set(3)
		for i := range int64(3) {
			w.Int(i)
		}
	},
	"map": func(w *resp.Writer) {
		w.Map(3)
		for i := range int64(3) {
			w.Int(i)
			w.Bool(i == 1)
		}
	},
	"attrib": func(w *resp.Writer) {
		if w.Attribute(1) {
			w.BulkString("key-popularity")
			w.Array(2)
			w.BulkString("key:123")
			w.Int(90)
		}
		w.BulkString("Some real reply following the attribute")
	},
	"push": func(w *resp.Writer) {
		if w.Proto < 3 {
			w.Error("ERR RESP2 is not supported by this command")
			return
		}
		w.Push(2)
		w.BulkString("server-cpu-usage")
		w.Int(42)
		w.BulkString("Some real reply following the push reply")
	},
	"verbatim": func(w *resp.Writer) { w.Verbatim("txt", "This is a verbatim\nstring") },
	"true":     func(w *resp.Writer) { w.Bool(true) },
	"false":    func(w *resp.Writer) { w.Bool(false) },
}

func debugProtocol(x *command.Ctx) {
	write, ok := debugTypes[strings.ToLower(string(x.Args[2]))]
	if !ok {
		x.Out.Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
		return
	}
	write(x.Out)
}
