package testenv

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// redisReady bounds the time from a start until redis-server has loaded its data
// and answers PING.
const redisReady = 60 * time.Second

// Redis is a running redis-server, Debian's.
type Redis struct {
	Addr string // host:port

	t    TB
	dir  string
	proc *Process
}

// StartRedis starts a redis-server in a fresh directory, without persistence
// unless args ask for it ("--appendonly", "yes", ...), and returns when it
// answers PING.
func StartRedis(t TB, args ...string) *Redis {
	t.Helper()
	r := &Redis{t: t, dir: t.TempDir()}
	for try := 1; ; try++ {
		port := FreePort(t)
		r.Addr = addr(port)
		r.proc = Start(t, Command{
			Name: "redis-server-" + strconv.Itoa(port),
			Path: Tool(t, "redis-server"),
			Args: append([]string{
				"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", r.dir,
				"--save", "", "--daemonize", "no", "--enable-debug-command", "yes",
			}, args...),
		})
		err := r.ready()
		if err == nil {
			return r
		}
		r.proc.Kill()
		if !portTaken(r.proc.Log()) || try == startTries {
			t.Fatalf("start redis-server (try %d): %v", try, err)
		}
	}
}

func (r *Redis) ready() error {
	return await(redisReady, func(ctx context.Context) error {
		if err := r.proc.exited(); err != nil {
			return err
		}
		return PingRedis(ctx, r.Addr)
	})
}

// PingRedis returns nil when the server at addr answers PING with PONG: it
// serves and is not loading. A server that refuses PING for want of a password
// serves, too.
func PingRedis(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if line = strings.TrimSpace(line); line != "+PONG" && !strings.HasPrefix(line, "-NOAUTH") {
		return fmt.Errorf("PING: %s", line)
	}
	return nil
}

// Dir returns the server's working directory, where its .rdb and AOF are.
func (r *Redis) Dir() string { return r.dir }

// Process returns the server's process.
func (r *Redis) Process() *Process { return r.proc }

// Kill sends SIGKILL and returns when the server is gone.
func (r *Redis) Kill() { r.t.Helper(); r.proc.Kill() }

// Restart starts a killed server again on its address and data, and returns when
// it answers.
func (r *Redis) Restart() {
	r.t.Helper()
	r.proc.Restart()
	if err := r.ready(); err != nil {
		r.t.Fatalf("restart redis-server: %v", err)
	}
}
