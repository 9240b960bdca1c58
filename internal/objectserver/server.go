package objectserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rclone/gofakes3"
)

var (
	// ErrInUse: another server has the directory.
	ErrInUse = errors.New("objectserver: directory is in use by another server")
	// ErrConfig: the Config cannot be served.
	ErrConfig = errors.New("objectserver: bad configuration")
)

// Config says what a Server serves.
type Config struct {
	// Dir holds the objects; it is made if need be. One server has it at a time.
	Dir string
	// Addr is the TCP address to listen on, as host:port. Port 0 takes a free one.
	Addr string
	// Bucket is created at the start unless it is there or empty.
	Bucket string
	// AccessKey and SecretKey are the one pair that requests may be signed with.
	AccessKey, SecretKey string
	// Logger gets refused requests at debug level and failures of the disk at
	// error level. Nil discards them.
	Logger *slog.Logger
}

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	// closeGrace is how long Close lets requests in progress finish.
	closeGrace = 3 * time.Second
)

// Server is a running S3 endpoint. It owns one goroutine beside those of its
// connections; Close ends them.
type Server struct {
	http *http.Server
	addr net.Addr
	root *os.Root
	lock *os.File
	done chan struct{}
	err  error // of Serve, set before done is closed

	closeOnce sync.Once
	closeErr  error
}

// Start opens the directory, listens, and serves until Close. ctx bounds only
// the start. Errors: ErrConfig, ErrInUse, and those of the file system and
// the network.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.AccessKey == "" || cfg.SecretKey == "" {
		return nil, fmt.Errorf("%w: access key and secret key must be given", ErrConfig)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	root, lock, err := openDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{root: root, lock: lock, done: make(chan struct{})}
	if err := s.start(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg Config, log *slog.Logger) error {
	d, err := openDisk(s.root, log)
	if err != nil {
		return err
	}
	if cfg.Bucket != "" {
		err := d.CreateBucket(ctx, cfg.Bucket)
		if err != nil && !gofakes3.IsAlreadyExists(err) {
			return fmt.Errorf("%w: bucket %q: %w", ErrConfig, cfg.Bucket, err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("s3 endpoint: %w", err)
	}
	s.addr = l.Addr()
	s.http = &http.Server{
		Handler: &front{
			next: gofakes3.New(d, gofakes3.WithLogger(logger{log})).Server(),
			lookup: func(accessKey string) (string, bool) {
				return cfg.SecretKey, accessKey == cfg.AccessKey
			},
			log: log,
		},
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	}()
	return nil
}

// openDir opens the directory and takes its lock.
func openDir(dir string) (*os.Root, *os.File, error) {
	if dir == "" {
		return nil, nil, fmt.Errorf("%w: no directory", ErrConfig)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := root.MkdirAll(stateDir, 0o700); err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	lock, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: %s", ErrInUse, dir)
		}
		return nil, nil, errors.Join(err, lock.Close(), root.Close())
	}
	return root, lock, nil
}

// URL is the endpoint as seen from this machine, as in http://127.0.0.1:9000.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.addr.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + s.addr.String()
}

// Close lets requests in progress finish for a short while, then cuts them.
// Everything acknowledged is durable either way.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.http.Close()
		}
		<-s.done
		s.closeErr = errors.Join(err, s.err, s.release())
	})
	return s.closeErr
}

func (s *Server) release() error { return errors.Join(s.lock.Close(), s.root.Close()) }

// logger hands gofakes3's log lines on.
type logger struct{ log *slog.Logger }

// Print implements gofakes3.Logger.
func (l logger) Print(level gofakes3.LogLevel, v ...any) {
	if level == gofakes3.LogErr {
		l.log.Error("s3 endpoint", "detail", fmt.Sprint(v...))
		return
	}
	l.log.Debug("s3 endpoint", "detail", fmt.Sprint(v...))
}
