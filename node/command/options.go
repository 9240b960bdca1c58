package command

import "github.com/redoubtdb/redoubt/node/resp"

// Options goes through the options of a request:
//
//	for o := c.Options(3); o.Next(); {
//		switch {
//		case o.Is("NX"):
//			...
//		case o.Is("COUNT") && o.Value():
//			n, ok = c.Int(o.Pos)
//		default:
//			c.SyntaxError()
//			return
//		}
//	}
type Options struct {
	Pos  int // number of the argument last read
	args [][]byte
	word []byte
}

// Options begins at argument from.
func (c *Ctx) Options(from int) Options { return Options{Pos: from - 1, args: c.Args} }

// Next reads the next option; false behind the last.
func (o *Options) Next() bool {
	o.Pos++
	if o.Pos >= len(o.args) {
		return false
	}
	o.word = o.args[o.Pos]
	return true
}

// Is reports whether the option is the word, in any case.
func (o *Options) Is(word string) bool { return EqualFold(o.word, word) }

// Value reads the option's value, which is then argument Pos; false when the
// request ends here.
func (o *Options) Value() bool { return o.Values(1) }

// Values reads n values, the last of which is then argument Pos; when there are
// fewer it reads none and returns false.
func (o *Options) Values(n int) bool {
	if o.Pos+n >= len(o.args) {
		return false
	}
	o.Pos += n
	return true
}

// Int reads argument i as an integer; otherwise it answers so.
func (c *Ctx) Int(i int) (int64, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok {
		c.Error(ErrNotInteger)
	}
	return n, ok
}

// IntRange reads argument i as an integer from low to high; otherwise it answers
// e, or that it is no integer at all.
func (c *Ctx) IntRange(i int, low, high int64, e Error) (int64, bool) {
	n, ok := c.Int(i)
	if ok && (n < low || n > high) {
		c.Error(e)
		ok = false
	}
	return n, ok
}

// IntWithin is IntRange, but answers e also when the argument is no integer.
func (c *Ctx) IntWithin(i int, low, high int64, e Error) (int64, bool) {
	n, ok := resp.ParseInt(c.Args[i])
	if !ok || n < low || n > high {
		c.Error(e)
		return 0, false
	}
	return n, true
}

// Double reads argument i as a floating point number of double precision; otherwise
// it answers e.
func (c *Ctx) Double(i int, e Error) (float64, bool) {
	f, ok := resp.ParseDouble(c.Args[i])
	if !ok {
		c.Error(e)
	}
	return f, ok
}

// LongDouble reads argument i as a floating point number; otherwise it answers
// so.
func (c *Ctx) LongDouble(i int) (resp.LongDouble, bool) {
	x, ok := resp.ParseLongDouble(c.Args[i])
	if !ok {
		c.Error(ErrNotFloat)
	}
	return x, ok
}
