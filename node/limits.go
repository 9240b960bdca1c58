package node

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// reservedFiles is how many open files are kept from clients: a node that has
// none left for etcd loses its lease.
const reservedFiles = 128

// mostClients is how many clients the limit on open files leaves room for.
func mostClients() int64 {
	var l unix.Rlimit
	// Go has raised the soft limit to the hard one when the program began.
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return math.MaxInt32
	}
	return clientsWithin(uint64(l.Cur))
}

// clientsWithin is how many clients may be connected when so many files may be
// open.
func clientsWithin(files uint64) int64 {
	return int64(max(1, min(files, math.MaxInt32)-min(files, reservedFiles)))
}

// unknownMemory is taken for the memory of a machine that does not tell.
const unknownMemory = 4 << 30

// AvailableMemory is how many bytes this process may use: the machine's memory,
// or less if its container or GOMEMLIMIT says so.
func AvailableMemory() int64 {
	most := int64(unknownMemory)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if total := memTotal(b); total > 0 {
			most = total
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// "max" is no number: there is no limit.
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && n > 0 {
			most = min(most, n)
		}
	}
	return min(most, softLimit())
}

// memTotal reads "MemTotal:       24034232 kB" in /proc/meminfo; 0 if it is not
// there.
func memTotal(meminfo []byte) int64 {
	for line := range bytes.Lines(meminfo) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != "MemTotal:" {
			continue
		}
		n, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil {
			return 0
		}
		return n << 10
	}
	return 0
}

var maxClientsParam = intParam("maxclients", 1, 1<<32-1, func(s *settings) *atomic.Int64 { return &s.maxClients })

// setMaxClients refuses what the limit on open files has no room for.
func setMaxClients(e *engine, s *settings, v string) error {
	if n, err := parseRange(v, 1, 1<<32-1); err == nil && n > s.clients {
		return badValue(fmt.Sprintf("The operating system is not able to handle the specified number of clients, try with %d", s.clients))
	}
	return maxClientsParam.set(e, s, v)
}

// leastClientMemory is the least that maxmemory-clients bounds clients to, as in Redis:
// below it no client could say that it is to be more.
const leastClientMemory = 128 << 10

// clientMemory is maxmemory-clients in bytes; 0: no limit. A share is one of maxmemory.
// While that has no limit it is one of the machine's memory, where Redis would not limit
// clients at all.
func (s *settings) clientMemory() int64 {
	n := s.clientShare.Load()
	if n == 0 {
		return 0
	}
	if n < 0 {
		whole := s.maxMemory.Load()
		if whole == 0 {
			whole = s.memory
		}
		n = int64(float64(whole) / 100 * float64(-n))
	}
	return max(n, leastClientMemory)
}

func getClientShare(_ *engine, s *settings) string {
	n := s.clientShare.Load()
	if n < 0 {
		return strconv.FormatInt(-n, 10) + "%"
	}
	return strconv.FormatInt(n, 10)
}

func setClientShare(_ *engine, s *settings, v string) error {
	n, err := parseMemoryOrShare(v)
	if err == nil {
		s.clientShare.Store(n)
	}
	return err
}

// parseMemoryOrShare reads an amount of memory, or a share of it ("10%"), which
// is returned as a negative number of percent.
func parseMemoryOrShare(v string) (int64, error) {
	digits, share := strings.CutSuffix(v, "%")
	if !share {
		n, err := parseMemory(v)
		if err != nil {
			return 0, errMemoryOrShareParam
		}
		return n, nil
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	switch {
	case err != nil:
		return 0, errMemoryOrShareParam
	case n > 100:
		return 0, badValue("percentage argument must be less or equal to 100")
	}
	return -int64(n), nil
}
