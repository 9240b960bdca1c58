package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Ports are taken below 32768, where Linux's range for outgoing connections
// begins: a port from inside that range may become some connection's source
// port between two starts of a server, and a restart then fails.
const (
	firstPort = 15000
	lastPort  = 32000
	portTries = 1000
)

// startTries bounds the starts of a server whose ports somebody else takes
// between our look and the server's bind.
const startTries = 5

var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: make(map[int]bool)}

// FreePort returns a port of 127.0.0.1 that nothing listens on and that this
// process has not given out before.
func FreePort(t TB) int {
	t.Helper()
	return FreePorts(t, 1)
}

// FreePorts returns the first of n consecutive ports like FreePort's.
func FreePorts(t TB, n int) int {
	t.Helper()
	port, err := freePorts(n)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return port
}

// FreeAddr returns FreePort as host:port.
func FreeAddr(t TB) string {
	t.Helper()
	return addr(FreePort(t))
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func freePorts(n int) (int, error) {
	ports.Lock()
	defer ports.Unlock()
	var last error
	for range portTries {
		first := firstPort + rand.IntN(lastPort-firstPort-n)
		if last = unused(first, n); last != nil {
			continue
		}
		for port := first; port < first+n; port++ {
			ports.given[port] = true
		}
		return first, nil
	}
	return 0, fmt.Errorf("find %d free ports: %d tries, last: %w", n, portTries, last)
}

// unused holds all n ports at once before it lets go of them, so that one port
// cannot answer for two.
func unused(first, n int) error {
	for port := first; port < first+n; port++ {
		if ports.given[port] {
			return fmt.Errorf("port %d was given out before", port)
		}
		ln, err := net.Listen("tcp", addr(port))
		if err != nil {
			return err
		}
		defer ln.Close()
	}
	return nil
}

// portTaken tells from a server's output that it found its port in use.
func portTaken(log string) bool {
	return strings.Contains(strings.ToLower(log), "address already in use")
}
