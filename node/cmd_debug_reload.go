package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/keyspace"
	"github.com/redoubtdb/redoubt/snapshot"
	"github.com/redoubtdb/redoubt/snapshot/rdb"
)

// debugLoadTimeout bounds DEBUG LOADAOF, during which nothing else runs.
const debugLoadTimeout = time.Minute

// errOtherData: what was written does not read back as what is in memory.
var errOtherData = errors.New("the data that was read back is not the data in memory, which was kept")

// debugReload answers DEBUG RELOAD: all data is written as an RDB file, read back,
// and takes the place of what was in memory. The file is never stored. Both
// must be the same to the last bit, or the old data stays.
func debugReload(x *command.Ctx) {
	for _, option := range x.Args[2:] {
		switch {
		case command.EqualFold(option, "NOSAVE"), command.EqualFold(option, "NOFLUSH"), command.EqualFold(option, "MERGE"):
			x.Out.Error("ERR DEBUG RELOAD takes no options here: there is no file that outlives it")
			return
		default:
			x.Out.Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
			return
		}
	}
	debugReplace(x, func(*engine) (*keyspace.Keyspace, error) { return throughRDB(x.KS) })
}

// debugLoadAOF answers DEBUG LOADAOF: the shard's data is built anew from
// object storage and the log, as a node does at its start.
func debugLoadAOF(x *command.Ctx) {
	debugReplace(x, client(x).srv.node.rebuild)
}

// debugReplace puts the data that read returns into the place of what is in
// memory, if it is the same.
func debugReplace(x *command.Ctx, read func(*engine) (*keyspace.Keyspace, error)) {
	e := client(x).srv.engine
	if !e.unit.Empty() {
		x.Out.Error("ERR this subcommand cannot follow a write in a transaction")
		return
	}
	ks, err := read(e)
	if err == nil && ks.Digest() != x.KS.Digest() {
		ks.Close()
		err = errOtherData
	}
	if err != nil {
		x.Out.Error("ERR " + err.Error())
		return
	}
	e.adopt(ks, e.applied)
	x.KS = ks
	x.Out.OK()
}

// throughRDB is what a reader of ks's RDB file gets to see.
func throughRDB(ks *keyspace.Keyspace) (*keyspace.Keyspace, error) {
	var file bytes.Buffer
	if _, err := rdb.Save(&file, ks, rdb.SaveOptions{}); err != nil {
		return nil, err
	}
	next := emptyLike(ks)
	_, err := rdb.Load(io.Reader(&file), next, rdb.LoadOptions{Size: int64(file.Len())})
	return next, err
}

// emptyLike is an empty keyspace with the settings of ks, those at zero included.
func emptyLike(ks *keyspace.Keyspace) *keyspace.Keyspace {
	next := keyspace.New(*ks.Config())
	*next.Config() = *ks.Config()
	return next
}

// rebuild builds the data from storage, once all that was executed is there.
// The engine's lock is held.
func (n *Node) rebuild(e *engine) (*keyspace.Keyspace, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), debugLoadTimeout, fmt.Errorf("not within %v", debugLoadTimeout))
	defer cancel()
	upTo := e.applied.Seq
	if p := e.primary; p != nil {
		if err := p.appender.Drain(ctx); err != nil {
			return nil, err
		}
		upTo = p.appender.Committed()
	}
	repo := snapshot.Open(n.store, n.cfg.Cluster, snapshot.Options{Version: Version(), Logger: n.log, Keyspace: *e.ks.Config()})
	l, err := repo.LoadTo(ctx, snapshot.Source{Shard: n.cfg.Shard, Head: n.shard}, upTo)
	if err != nil {
		return nil, err
	}
	*l.Keyspace.Config() = *e.ks.Config()
	return l.Keyspace, nil
}
