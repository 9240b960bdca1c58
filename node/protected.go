package node

import (
	"net"
	"strings"
	"sync/atomic"
)

// errProtected is what a client from elsewhere is told in protected mode.
const errProtected = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
	"In this mode connections are only accepted from the loopback interface. " +
	"If you want to connect from external computers to Redis you may adopt one of the following solutions: " +
	"1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, " +
	"however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. " +
	"2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. " +
	"3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. " +
	"4) Setup a an authentication password for the default user. " +
	"NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."

// protects tells whether protected mode keeps a client out: it comes from elsewhere, and
// would need no password.
func (s *server) protects(nc net.Conn) bool {
	return s.cfg.protected.Load() && s.engine.users.def.now.Load().NoPass() && !isLocal(nc.RemoteAddr())
}

func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

var protectedParam = switchParam("protected-mode", func(s *settings) *atomic.Bool { return &s.protected })

// switchParam is a switch kept in an atomic.
func switchParam(name string, at func(*settings) *atomic.Bool) parameter {
	return parameter{
		name: name,
		get: func(_ *engine, s *settings) string {
			if at(s).Load() {
				return "yes"
			}
			return "no"
		},
		set: func(_ *engine, s *settings, v string) error {
			v = strings.ToLower(v)
			if v != "yes" && v != "no" {
				return errSwitchParam
			}
			at(s).Store(v == "yes")
			return nil
		},
	}
}
