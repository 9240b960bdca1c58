package node

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redoubtdb/redoubt/etcdfence"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/wal"
)

// tenure is one term as primary.
type tenure struct {
	term     *etcdfence.Term
	appender *wal.Appender
	gen      uint64 // generation of the gate
	executed uint64 // seq of the last unit
	leaving  bool   // a planned hand-over stopped writes
	tainted  bool   // something was executed that the log did not take
	warned   bool   // warnHead has, and it has not become better since

	sealer *s3segments.Sealer
	end    context.CancelCauseFunc // ends the tenure

	// away tells whether and since when object storage cannot be reached.
	away func() (s3segments.Outage, bool)
}

// warnHead logs when the head passes half of its limit, and when it is back
// below a quarter. It is called from the appender's goroutine alone.
func (p *tenure) warnHead(log *slog.Logger) {
	used, limit := p.term.HeadBytes(), p.term.HeadLimit()
	switch {
	case !p.warned && used > limit/2:
		p.warned = true
		args := []any{"head_bytes", used, "limit_bytes", limit, "sealed_seq", p.sealedSeq()}
		if o, away := p.away(); away {
			args = append(args, "object_storage_away_since", o.Since, "reason", o.Reason())
		}
		log.Warn("the log head is more than half full; at its limit writes are refused", args...)
	case p.warned && used < limit/4:
		p.warned = false
		log.Warn("the log head has room again", "head_bytes", used, "limit_bytes", limit)
	}
}

// headReserve is kept free below the head's limit for what is executed but not
// yet encoded: entry headers, keys and the epoch's opening entry.
const headReserve = 64 << 10

// admitHead decides whether a write of size bytes of arguments finds room in
// the head once everything queued is in it. What is counted here is never less
// than what will be stored, so the hard limit in the append (invariant 7) is
// met only by a command whose effects are much larger than itself.
func (p *tenure) admitHead(size int64) error {
	used, limit := p.term.HeadBytes()+p.appender.QueuedBytes(), p.term.HeadLimit()
	outage, away := p.away()
	if away && size > etcdfence.DefaultMaxInline {
		return command.Error(fmt.Sprintf("LOGFULL a write of %d bytes goes to the log by way of object storage, which has been away since %s (%v); smaller writes are accepted",
			size, outage.Since.UTC().Format(time.RFC3339), outage.Reason()))
	}
	if used+size+headReserve <= limit {
		return nil
	}
	if away {
		return command.Error(fmt.Sprintf("LOGFULL the log head holds %d of at most %d bytes because object storage has been away since %s (%v); reads go on, writes resume by themselves when it is back",
			used, limit, outage.Since.UTC().Format(time.RFC3339), outage.Reason()))
	}
	return command.Error(fmt.Sprintf("LOGFULL the log head holds %d of at most %d bytes and is being sealed to object storage; try again", used, limit))
}
