package rdb

import "github.com/redoubtdb/redoubt/node/keyspace"

func (d *decoder) string(byte) error {
	v, err := d.in.str(d.maxString)
	if err == nil {
		d.db.SetStringExpireAt(d.key, v, d.expire, keyspace.FormAuto)
	}
	return err
}

func (e *encoder) string(key []byte, ref keyspace.Ref) {
	e.key(typeString, key)
	e.out.str(ref.Str())
}
