package tlsfiles

import (
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// LookEvery is how often a Keeper looks at its files when nothing else is said.
const LookEvery = 5 * time.Second

// Keeper keeps a server's configuration current. It owns one goroutine, which
// looks at the files; Close ends it.
type Keeper struct {
	log     *slog.Logger
	current atomic.Pointer[loaded]

	mu    sync.Mutex
	want  Server
	tried [sha256.Size]byte // what the files held when they were last judged

	stop    chan struct{}
	done    chan struct{}
	closing sync.Once
}

// Keep loads the files, which must be good now, and looks at them again every so
// often (0: LookEvery). Later, files that are no good are logged and what was
// good before stays in use.
func Keep(s Server, every time.Duration, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{log: log, want: s, stop: make(chan struct{}), done: make(chan struct{})}
	if err := k.load(s); err != nil {
		return nil, err
	}
	if every <= 0 {
		every = LookEvery
	}
	go k.run(every)
	return k, nil
}

// Config is for the next connection. It must not be changed. Sessions resumed
// by tickets end with it: each has ticket keys of its own.
func (k *Keeper) Config() *tls.Config { return k.current.Load().config }

// NotAfter is when the certificate in use expires.
func (k *Keeper) NotAfter() time.Time { return k.current.Load().leaf.NotAfter }

// Settings are those in use.
func (k *Keeper) Settings() Server {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.want
}

// Change uses other settings from the next connection on, or returns why they
// are no good and goes on with those it has.
func (k *Keeper) Change(s Server) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.load(s); err != nil {
		return err
	}
	k.want = s
	return nil
}

// load is called by whoever holds the lock, or is alone.
func (k *Keeper) load(s Server) error {
	c, err := s.read()
	if err != nil {
		return err
	}
	l, err := s.build(c)
	if err != nil {
		return err
	}
	k.use(l)
	k.tried = c.sum()
	return nil
}

func (k *Keeper) use(l *loaded) {
	k.current.Store(l)
	if why := validity(l.leaf, time.Now()); why != "" {
		k.log.Warn("TLS: "+why, "subject", l.leaf.Subject, "not_before", l.leaf.NotBefore, "not_after", l.leaf.NotAfter)
	}
}

func (c contents) sum() [sha256.Size]byte {
	h := sha256.New()
	for _, b := range [][]byte{c.cert, c.key, c.ca} {
		sum := sha256.Sum256(b)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (k *Keeper) run(every time.Duration) {
	defer close(k.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	unreadable := ""
	for {
		select {
		case <-tick.C:
		case <-k.stop:
			return
		}
		unreadable = k.look(unreadable)
	}
}

// look judges files that hold something new. It returns why they cannot be read,
// which is logged when it is another reason than the last one.
func (k *Keeper) look(last string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, err := k.want.read()
	if err != nil {
		if err.Error() != last {
			k.log.Warn("TLS files cannot be read, the certificate in use stays", "err", err)
		}
		return err.Error()
	}
	if c.sum() == k.tried {
		return ""
	}
	k.tried = c.sum()
	l, err := k.want.build(c)
	if err != nil {
		k.log.Warn("TLS files have changed and are no good, the certificate in use stays", "err", err)
		return ""
	}
	k.use(l)
	k.log.Info("TLS files have changed, new connections get the new certificate", "subject", l.leaf.Subject, "not_after", l.leaf.NotAfter)
	return ""
}

// Close ends the looking and waits. It is idempotent.
func (k *Keeper) Close() error {
	k.closing.Do(func() { close(k.stop) })
	<-k.done
	return nil
}
