package command

import (
	"math"

	"github.com/redoubtdb/redoubt/node/hyperloglog"
	"github.com/redoubtdb/redoubt/node/keyspace"
)

const (
	errNotSketch     Error = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptSketch Error = "INVALIDOBJ Corrupted HLL object detected"
)

func hyperloglogRows() []*Command {
	const access = KeyRO | KeyAccess
	count := Keys(1, -1, 1, KeyRW|KeyAccess)
	count.Notes = "RW because it may change the internal representation of the key, and propagate to replicas"
	rows := []*Command{
		{Name: "pfadd", Summary: "Adds elements to a HyperLogLog",
			Since: "2.8.9", Arity: -2, Flags: Write | DenyOOM | Fast, KeySpecs: one(KeyRW | KeyInsert), Handler: cmdPFAdd},
		{Name: "pfcount", Summary: "Estimates how many different elements HyperLogLogs have together",
			Since: "2.8.9", Arity: -2, Flags: ReadOnly | MayReplicate, KeySpecs: []KeySpec{count}, Handler: cmdPFCount},
		{Name: "pfmerge", Summary: "Makes a HyperLogLog the union of itself and others",
			Since: "2.8.9", Arity: -2, Flags: Write | DenyOOM,
			KeySpecs: []KeySpec{Key(1, KeyRW|KeyAccess|KeyInsert), Keys(2, -1, 1, access)}, Handler: cmdPFMerge},
		{Name: "pfdebug", Summary: "Looks into the representation of a HyperLogLog",
			Since: "2.8.9", Arity: 3, Flags: Write | DenyOOM | Admin, KeySpecs: []KeySpec{Key(2, KeyRW|KeyAccess)}, Handler: cmdPFDebug},
		{Name: "pfselftest", Summary: "Checks that HyperLogLogs work on this machine",
			Since: "2.8.9", Arity: 1, Flags: Admin, Handler: cmdPFSelfTest},
	}
	for _, r := range rows {
		r.Group, r.Categories = "hyperloglog", CatHyperLogLog
	}
	return rows
}

// sketchOf is the HyperLogLog that a look-up found; otherwise the error has been
// answered. It is good until the next change of the database.
func (c *Ctx) sketchOf(ref keyspace.Ref, found bool) (s hyperloglog.Sketch, ok bool) {
	b, found, ok := c.stringOf(ref, found)
	if !found || !ok {
		return nil, ok
	}
	if s, ok = hyperloglog.Parse(b); !ok {
		c.Error(errNotSketch)
	}
	return s, ok
}

// sketchToChange is the HyperLogLog that a key is known to have, a dense one in place, a
// sparse one as a copy for storeSketch; or a new one. ErrCorrupt when it is longer than
// any can be.
func (c *Ctx) sketchToChange(key []byte, found bool) (hyperloglog.Sketch, error) {
	if !found {
		return hyperloglog.New(), nil
	}
	b, err := c.db().StringForWrite(key, 0)
	if err != nil {
		return nil, err
	}
	s, _ := hyperloglog.Parse(b)
	switch {
	case s.Dense():
		return s, nil
	case s.TooLong():
		return nil, hyperloglog.ErrCorrupt
	}
	c.sketch = append(c.sketch[:0], s...)
	return c.sketch, nil
}

// storeSketch stores what became of a HyperLogLog that was sparse, or new.
func (c *Ctx) storeSketch(key []byte, s hyperloglog.Sketch) {
	c.db().SetStringKeepExpire(key, s, keyspace.FormRaw)
	if !s.Dense() {
		c.sketch = s[:0] // it may have grown
	}
}

// sparseLimit is how long a sparse HyperLogLog may become. Effects know no limit: they
// must have the same outcome whatever hll-sparse-max-bytes is where they are applied.
// One that the primary found too long is recorded by its result.
func (c *Ctx) sparseLimit() int {
	if c.Mode == Replay {
		return math.MaxInt
	}
	return c.KS.Config().HLLSparseMaxBytes
}

func cmdPFAdd(c *Ctx) {
	key := c.Args[1]
	ref, found := c.LookupWrite(key)
	if _, ok := c.sketchOf(ref, found); !ok {
		return
	}
	s, err := c.sketchToChange(key, found)
	if err != nil {
		c.Error(errCorruptSketch)
		return
	}
	wasDense, limit := s.Dense(), c.sparseLimit()
	// Only what changes registers need be recorded.
	effect := c.beginEffect(wordPFADD, key)
	var corrupt error
	for _, element := range c.Args[2:] {
		var changed bool
		if s, changed, corrupt = s.Add(element, limit); corrupt != nil {
			break
		}
		if changed {
			effect = append(effect, element)
		}
	}
	changed := !found || len(effect) > 2
	if changed {
		s.Invalidate()
		if !wasDense {
			c.storeSketch(key, s)
		}
		promoted := !wasDense && s.Dense()
		if promoted {
			c.Effect(wordSET, key, s, wordKEEPTTL)
		}
		c.endEffect(effect, !promoted)
	}
	switch {
	case corrupt != nil:
		// As in Redis, what came before the register that is missing stays.
		if changed {
			c.Touched(c.DB, key)
		}
		c.Error(errCorruptSketch)
		return
	case changed:
		c.Changed(EventString, "pfadd", key)
	}
	c.boolInt(changed)
}

func cmdPFCount(c *Ctx) {
	if len(c.Args) > 2 {
		var union hyperloglog.Registers
		if _, ok := c.addSketches(&union); ok {
			c.Out.Int(int64(union.Count()))
		}
		return
	}
	key := c.Args[1]
	ref, found := c.LookupRead(key)
	s, ok := c.sketchOf(ref, found)
	switch {
	case !ok:
		return
	case !found:
		c.Out.Int(0)
		return
	}
	if c.Mode == Primary {
		b, err := c.db().StringForWrite(key, 0)
		if err != nil {
			c.WrongType()
			return
		}
		s = b
	}
	n, cached := s.CachedCount()
	if !cached {
		var err error
		if n, err = s.Count(); err != nil {
			c.Error(errCorruptSketch)
			return
		}
		c.cacheCount(key, s, n)
	}
	c.Out.Int(int64(n))
}

// cacheCount keeps the count in the HyperLogLog itself, where clients see it. That is
// a change as any other, so that who cannot record one leaves it.
func (c *Ctx) cacheCount(key []byte, s hyperloglog.Sketch, n uint64) {
	if c.Mode != Primary {
		return
	}
	s.SetCachedCount(n)
	c.Effect(wordSETRANGE, key, c.digits(hyperloglog.CountAt), s[hyperloglog.CountAt:][:hyperloglog.CountSize])
	c.Touched(c.DB, key)
}

// addSketches adds the HyperLogLogs of all keys of the request to r and reports whether
// any is dense; otherwise the error has been answered.
func (c *Ctx) addSketches(r *hyperloglog.Registers) (anyDense, ok bool) {
	for _, key := range c.Args[1:] {
		ref, found := c.LookupRead(key)
		s, ok := c.sketchOf(ref, found)
		switch {
		case !ok:
			return false, false
		case !found:
			continue
		}
		if err := r.Add(s); err != nil {
			c.Error(errCorruptSketch)
			return false, false
		}
		anyDense = anyDense || s.Dense()
	}
	return anyDense, true
}

func cmdPFMerge(c *Ctx) {
	key := c.Args[1]
	var union hyperloglog.Registers
	toDense, ok := c.addSketches(&union)
	if !ok {
		return
	}
	_, found := c.LookupWrite(key)
	s, err := c.sketchToChange(key, found)
	wasDense := err == nil && s.Dense()
	if err == nil && toDense {
		s, err = s.ToDense()
	}
	if err == nil {
		s, err = s.Merge(&union, c.sparseLimit())
	}
	if err != nil {
		c.Error(errCorruptSketch) // cannot be: it has just been read whole
		return
	}
	if !wasDense {
		c.storeSketch(key, s)
	}
	if s.Dense() && !toDense {
		c.Effect(wordSET, key, s, wordKEEPTTL)
	} else {
		c.EffectSelf()
	}
	c.Changed(EventString, "pfadd", key)
	c.Out.OK()
}

func cmdPFDebug(c *Ctx) {
	sub, key := c.Args[1], c.Args[2]
	ref, found := c.LookupWrite(key)
	if !found {
		c.Error("ERR The specified key does not exist")
		return
	}
	if _, ok := c.sketchOf(ref, true); !ok {
		return
	}
	s, err := c.sketchToChange(key, true)
	if err != nil {
		c.Error(errCorruptSketch)
		return
	}
	switch {
	case EqualFold(sub, "GETREG"):
		if s, ok := c.makeDense(key, s); ok {
			c.writeRegisters(s)
		}
	case EqualFold(sub, "DECODE"):
		if s.Dense() {
			c.Error("ERR HLL encoding is not sparse")
			return
		}
		c.Out.Bulk(s.AppendRuns(nil))
	case EqualFold(sub, "ENCODING"):
		if s.Dense() {
			c.Out.SimpleString("dense")
		} else {
			c.Out.SimpleString("sparse")
		}
	case EqualFold(sub, "TODENSE"):
		was := s.Dense()
		if _, ok := c.makeDense(key, s); ok {
			c.boolInt(!was)
		}
	default:
		c.Error(errorf("ERR Unknown PFDEBUG subcommand '%s'", clip(sub, 128)))
	}
}

// makeDense stores a sparse HyperLogLog in dense form; otherwise the error has been
// answered.
func (c *Ctx) makeDense(key []byte, s hyperloglog.Sketch) (dense hyperloglog.Sketch, ok bool) {
	if s.Dense() {
		return s, true
	}
	dense, err := s.ToDense()
	if err != nil {
		c.Error(errCorruptSketch)
		return nil, false
	}
	c.storeSketch(key, dense)
	c.Effect(wordPFDEBUG, wordTODENSE, key)
	c.Touched(c.DB, key)
	return dense, true
}

func (c *Ctx) writeRegisters(s hyperloglog.Sketch) {
	var r hyperloglog.Registers
	if err := r.Add(s); err != nil {
		c.Error(errCorruptSketch)
		return
	}
	c.Out.Array(len(r))
	for _, v := range r {
		c.Out.Int(int64(v))
	}
}

func cmdPFSelfTest(c *Ctx) {
	if err := hyperloglog.SelfTest(); err != nil {
		c.Error(errorf("TESTFAILED %v", err))
		return
	}
	c.Out.OK()
}
