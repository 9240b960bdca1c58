package keyspace

// SetExpire gives key the absolute expiry atMs in unix milliseconds, in the past or
// not; NoExpire removes it. It reports whether key is there.
func (db *DB) SetExpire(key []byte, atMs int64) bool {
	hash := hashOf(key)
	slot := db.keys.find(hash, key)
	if slot == nil {
		return false
	}
	h := *slot
	switch {
	case h.boxed():
		db.indexExpire(hash, h, atMs)
		h.box().setExpire(atMs)
	case h.fitsInPlace(len(h.str()), atMs):
		db.indexExpire(hash, h, atMs)
		h.resize(h.flags&^flagExpire, len(h.str()), atMs)
	default:
		db.putAt(hash, slot, db.newString(h.flags, h.keyBytes(), h.str(), atMs))
	}
	return true
}

// Persist removes the expiry of key and reports whether it had one.
func (db *DB) Persist(key []byte) bool {
	ref, ok := db.Lookup(key)
	if !ok || ref.ExpireAt() == NoExpire {
		return false
	}
	return db.SetExpire(key, NoExpire)
}

// ExpireSample is what one step of an active expire cycle saw.
type ExpireSample struct {
	// Due are sampled keys whose expiry is reached, for the caller to delete.
	Due [][]byte
	// Sampled is the number of keys with an expiry that were looked at.
	Sampled int
}

// Stale estimates the fraction of keys with an expiry that are past it, 0 to 1.
func (s ExpireSample) Stale() float64 {
	if s.Sampled == 0 {
		return 0
	}
	return float64(len(s.Due)) / float64(s.Sampled)
}

// ExpireSample looks at the next keys with an expiry, about limit of them, going
// round all of them over many calls, and returns those due at nowMs. As in Redis a
// key is due once nowMs is after its expiry. The database is not changed.
func (db *DB) ExpireSample(nowMs int64, limit int) ExpireSample {
	var s ExpireSample
	var ttls, alive int64
	db.expireCursor = db.expires.scan(db.expireCursor, limit, func(h *header) {
		s.Sampled++
		if at := h.expireAt(); at < nowMs {
			s.Due = append(s.Due, h.keyBytes())
		} else {
			ttls += at - nowMs
			alive++
		}
	})
	if alive > 0 {
		db.learnTTL(ttls / alive)
	}
	return s
}

// learnTTL folds the mean of one sample into the running estimate: 2 percent a
// sample, the weight Redis gives it.
func (db *DB) learnTTL(mean int64) {
	if db.avgTTL == 0 {
		db.avgTTL = mean
		return
	}
	db.avgTTL += (mean - db.avgTTL) / 50
}

// AvgTTL estimates the mean time to live in milliseconds of the keys with an
// expiry, from the samples taken so far; zero before the first (INFO avg_ttl).
func (db *DB) AvgTTL() int64 {
	if db.expires.count == 0 {
		return 0
	}
	return db.avgTTL
}
