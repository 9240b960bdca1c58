package agent

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/control/fleet"
)

// probeTimeout is how long a node has to answer.
const probeTimeout = 2 * time.Second

// ping asks nodes with PING.
type ping struct{ site site }

// Probe is of prober. A node that wants a password, or refuses for another reason
// than that it is loading, serves.
func (p ping) Probe(ctx context.Context, a fleet.Assignment) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := p.dial(ctx, a)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(probeTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(conn, 512).ReadSlice('\n')
	if err != nil {
		return err
	}
	return judge(strings.TrimSpace(string(line)))
}

// judge reads the answer to PING.
func judge(answer string) error {
	switch {
	case answer == "+PONG":
		return nil
	case strings.HasPrefix(answer, "-LOADING"):
		return errors.New("it loads its data")
	case strings.HasPrefix(answer, "-"):
		return nil
	}
	return fmt.Errorf("it answers PING with %.100q", answer)
}

func (p ping) dial(ctx context.Context, a fleet.Assignment) (net.Conn, error) {
	if a.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", p.site.listen(a))
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.site.Address}
	if a.TLS.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(a.TLS.CA)) {
			return nil, errors.New("its CA is not PEM")
		}
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", p.site.listen(a))
}
