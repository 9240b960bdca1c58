package resp

import "io"

// Sizes of a Reader's buffer, in bytes.
const (
	// minBuffer holds a connection that talks request by request, and pipelines
	// of some twenty small commands; it is all that an idle connection costs.
	minBuffer = 1 << 10
	// busyBuffer is what a pipelining connection reads into, Redis's
	// PROTO_IOBUF_LEN. Larger reads do not parse faster, and the commands of one
	// read are executed together, so they also are how long others wait.
	busyBuffer = 16 << 10
	// keepBuffer is the largest buffer that outlives the command it was needed
	// for.
	keepBuffer = 64 << 10
	// keepArgs is the same for the list of arguments.
	keepArgs = 1 << 10
	// carefulFrom is the buffer from which on memory is dearer than copying.
	carefulFrom = 1 << 20
	// slackFills is after how many reads that used less than a quarter of the
	// buffer it shrinks.
	slackFills = 16
)

// Reader turns the bytes of one client into commands. It is used by one
// goroutine:
//
//	for {
//		if err := r.Fill(conn); err != nil { ... }
//		for {
//			args, ok, err := r.Next()
//			...
//		}
//	}
//
// The buffer begins with 1 KiB and grows when received bytes fill it: up to
// 16 KiB for a client that pipelines, and as far as it must for a command that
// is larger. A buffer of more than 64 KiB is given up as soon as less than a quarter
// of it is needed, a smaller one step by step. So a Reader's buffer is at most
// 64 KiB or four times the bytes that wait in it, whichever is more; Memory tells
// what it holds beside that for commands of many arguments.
type Reader struct {
	buf  []byte
	r, w int // buf[r:w] is received and not consumed; r is where a command begins

	// The command at r as far as it has arrived. Offsets count from r.
	pos     int    // next byte to parse
	scanned int    // the line at pos has no end before this
	hidden  bool   // a NUL byte hides the end of the line at pos
	left    int    // arguments still missing, 0 before the count is known
	bulk    int    // length of the argument at pos, -1 before it is known
	spans   []span // the arguments that have arrived

	args          [][]byte
	limits        Limits
	authenticated bool
	err           error // the stream cannot be read on

	peak  int  // most bytes that waited since the buffer was empty
	slack int  // reads in a row that used little of the buffer
	full  bool // the last read filled the buffer, there probably is more
}

type span struct{ start, end int }

// NewReader returns a Reader with the limits l, for a client that has not
// authenticated.
func NewReader(l Limits) *Reader {
	return &Reader{limits: l.withDefaults()}
}

// SetLimits replaces the limits; they apply to what is parsed from now on.
func (r *Reader) SetLimits(l Limits) { r.limits = l.withDefaults() }

// SetAuthenticated says whether the client has authenticated or need not. Until
// then the limits on count and length are UnauthenticatedMultibulk and
// UnauthenticatedBulk. It applies to what is parsed from now on, so an AUTH must
// be executed before the next call of Next.
func (r *Reader) SetAuthenticated(yes bool) { r.authenticated = yes }

// Buffered returns how many received bytes are not yet part of a command that
// Next has returned.
func (r *Reader) Buffered() int { return r.w - r.r }

// Received returns how many bytes are in the buffer, those of commands that Next
// has returned among them.
func (r *Reader) Received() int { return r.w }

// Size returns the size of the buffer in bytes.
func (r *Reader) Size() int { return len(r.buf) }

// Memory returns how many bytes the Reader holds: its buffer and the lists of
// arguments, which take more than the arguments themselves where those are short.
func (r *Reader) Memory() int {
	const spanSize, argSize = 16, 24
	return len(r.buf) + spanSize*cap(r.spans) + argSize*cap(r.args)
}

// Fill reads from src once, into the free space of the buffer, which it makes
// if there is none. Arguments that Next has returned are invalid from then on.
//
// The error is that of src, or ErrQueryBufferLimit, or the error of the stream
// that Next returned. Bytes that src returned together with an error have been
// taken; commands may still follow from Next.
func (r *Reader) Fill(src io.Reader) error {
	if r.err != nil {
		return r.err
	}
	r.makeRoom()
	n, err := src.Read(r.buf[r.w:])
	r.w += n
	r.full = r.w == len(r.buf)
	r.peak = max(r.peak, r.Buffered())
	if r.Buffered() > r.limits.QueryBuffer {
		r.err = ErrQueryBufferLimit
		return r.err
	}
	return err
}

// Release gives the buffer back if nothing waits in it. It is meant for a
// connection found idle; the next Fill begins again with a small buffer.
// Arguments that Next has returned stay valid.
func (r *Reader) Release() {
	if r.Buffered() == 0 {
		*r = Reader{limits: r.limits, authenticated: r.authenticated, err: r.err}
	}
}

// makeRoom prepares the buffer for a read.
func (r *Reader) makeRoom() {
	if r.left == 0 && max(cap(r.spans), cap(r.args)) > keepArgs {
		r.spans, r.args = nil, nil
	}
	waiting := r.Buffered()
	if waiting == 0 {
		r.r, r.w = 0, 0
		r.resizeEmpty()
		return
	}
	if len(r.buf) > keepBuffer && len(r.buf) > 4*waiting {
		r.replace(max(2*waiting, busyBuffer))
		return
	}
	// Moving pays when it moves no more than has been consumed in front of it.
	if r.r >= waiting && len(r.buf)-r.w < len(r.buf)/2 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	switch {
	case r.w == len(r.buf):
		r.replace(r.grown(waiting))
	case r.full && len(r.buf) < busyBuffer:
		r.replace(min(4*len(r.buf), busyBuffer))
	}
}

// grown returns a size with room for more than the waiting bytes that fill the
// buffer. Growth depends on what was received; what was announced only keeps it
// from overshooting, so that larger steps are cheap.
func (r *Reader) grown(waiting int) int {
	size := 2 * waiting
	if r.left > 0 && r.bulk >= 0 {
		if need := r.pos + r.bulk + 2; need > waiting {
			step := 4
			if waiting >= carefulFrom {
				step = 2 // what was announced may never come
			}
			size = min(step*waiting, need)
		}
	}
	return max(minBuffer, min(size, r.limits.QueryBuffer+1))
}

// resizeEmpty chooses the size of the buffer when it is empty.
func (r *Reader) resizeEmpty() {
	size := len(r.buf)
	little := r.peak <= size/4
	r.peak = 0
	switch {
	case size == 0:
		r.replace(minBuffer)
	case size > keepBuffer:
		r.replace(busyBuffer)
	case r.full && size < busyBuffer:
		r.replace(min(4*size, busyBuffer))
	case !little || size == minBuffer:
		r.slack = 0
	default:
		if r.slack++; r.slack >= slackFills {
			r.replace(max(size/4, minBuffer))
		}
	}
}

// replace moves what waits to the start of a new buffer of the given size.
func (r *Reader) replace(size int) {
	buf := make([]byte, size)
	r.w = copy(buf, r.buf[r.r:r.w])
	r.r = 0
	r.buf = buf
	r.slack = 0
	clear(r.args[:cap(r.args)]) // they hold on to the old buffer
}
