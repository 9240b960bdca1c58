package wal

import "encoding/binary"

// What variants of package broken do in a guard's place; a normal build has none
// of it.

// addSplit is broken.SplitTransaction: no two of the unit's effects are in the
// same entry.
func (a *Appender) addSplit(u *Unit) (seq uint64, err error) {
	err = EachUnit(u.AppendTo(nil), func(effects []Effect) error {
		for _, f := range effects {
			var one Unit
			one.Add(f.DB, f.Args...)
			if seq, err = a.Add(&one); err != nil {
				return err
			}
			a.mu.Lock()
			if a.open.units > 0 {
				a.closeBatch()
			}
			a.mu.Unlock()
		}
		return nil
	})
	return seq, err
}

// asEmpty is broken.NewerFormat: the entry without its payload, as if the header
// were one that is known, with the checksum of what is left of it.
func asEmpty(b []byte) *Entry {
	le := binary.LittleEndian
	before := Position{Seq: le.Uint64(b[16:]) - 1, Chain: le.Uint64(b[32:])}
	return before.Next(KindEffects, int64(le.Uint64(b[8:])), int64(le.Uint64(b[24:])), nil)
}
