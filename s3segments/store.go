package s3segments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

const (
	// DefaultAttempts is Config.Attempts when it is not set. With the backoff
	// between them, they span some 3 seconds of quick failures.
	DefaultAttempts = 6
	// DefaultAttemptTimeout is Config.AttemptTimeout when it is not set.
	DefaultAttemptTimeout = 10 * time.Second

	// minRate, in bytes a second, is the slowest transfer that is waited for.
	minRate = 256 << 10

	dialTimeout = 3 * time.Second
)

// Config says where a cluster's objects are and how to reach them.
type Config struct {
	// URL is s3://<bucket>/<prefix>; the prefix may be empty.
	URL string
	// Cluster is the cluster's name; its objects are under <prefix>/<cluster>/.
	Cluster string
	// Endpoint is the URL of an S3-compatible service. Empty: AWS.
	Endpoint string
	// Region is the bucket's region. Empty: as the SDK's default configuration
	// says, or us-east-1 with an Endpoint.
	Region string
	// PathStyle puts the bucket into the path instead of the host name.
	PathStyle bool
	// AccessKey and SecretKey are credentials of the embedded endpoint. Empty:
	// the SDK's default chain.
	AccessKey, SecretKey string

	// BeforeDelete is asked before each request that deletes objects, once it is
	// signed and before it is sent: services refuse requests that are dated much more
	// than 15 minutes before, so that one that is held up from then on has no effect
	// for long. Its error ends the deletion. Nil: all may go out.
	BeforeDelete func(context.Context) error

	// Attempts is how often a request is tried before its error is returned.
	Attempts int
	// AttemptTimeout bounds one attempt, apart from the time its bytes take.
	AttemptTimeout time.Duration
	// DialTLS makes the connections to an https Endpoint, but those through a
	// proxy. Nil: they are checked against the system's authorities.
	DialTLS func(ctx context.Context, network, addr string) (net.Conn, error)
	// Transport is what requests go through. Nil: one of the Store's own.
	Transport http.RoundTripper
	// Logger is told of retries at debug level and of outages. Nil: nothing.
	Logger *slog.Logger
	// Metrics observes requests and seals. Nil: nothing.
	Metrics Observer
}

// Observer is told what happens, for metrics. It must not block.
type Observer interface {
	// Request: one attempt at an S3 operation took d. err is nil, or why it
	// failed; that an object is or is not there counts as success.
	Request(op string, d time.Duration, err error)
	// Sealed: a segment was uploaded and the head trimmed, in d.
	Sealed(entries uint64, bytes int64, d time.Duration)
}

type noObserver struct{}

func (noObserver) Request(string, time.Duration, error) {}
func (noObserver) Sealed(uint64, int64, time.Duration)  {}

// Store is one cluster's objects in S3. Keys are relative to the cluster's
// prefix. Every method retries what may pass, with backoff and jitter, up to
// Config.Attempts times. It is safe for concurrent use.
type Store struct {
	cli     *s3.Client
	http    *http.Client
	bucket  string
	prefix  string // ends with a slash, or is empty
	cluster string

	beforeDelete func(context.Context) error

	attempts int
	timeout  time.Duration
	backoff  backoff
	log      *slog.Logger
	metrics  Observer
	outage   outage
}

// OpenStore prepares a Store. It makes no request to S3, so it works while
// S3 is away; Check makes one. Errors: ErrConfig, and those of the SDK's
// default configuration.
func OpenStore(ctx context.Context, c Config) (*Store, error) {
	bucket, prefix, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Cluster != "" {
		prefix += c.Cluster + "/"
	}
	cfg, err := loadConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &Store{
		bucket:       bucket,
		prefix:       prefix,
		cluster:      c.Cluster,
		beforeDelete: c.BeforeDelete,
		attempts:     c.Attempts,
		timeout:      c.AttemptTimeout,
		log:          c.Logger,
		metrics:      c.Metrics,
	}
	if s.attempts <= 0 {
		s.attempts = DefaultAttempts
	}
	if s.timeout <= 0 {
		s.timeout = DefaultAttemptTimeout
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = noObserver{}
	}
	s.http = &http.Client{
		Transport: transport(c),
		// A redirect is for the signer to follow, not for the HTTP client.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.cli = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		o.UsePathStyle = c.PathStyle
		o.Retryer = aws.NopRetryer{} // the Store retries: it has to know of each attempt
		o.HTTPClient = s.http
		o.Logger = logging.Nop{}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return s, nil
}

// parseURL splits s3://bucket/prefix; prefix comes with a trailing slash.
func parseURL(raw string) (bucket, prefix string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", "", fmt.Errorf("%w: %q is not of the form s3://bucket/prefix", ErrConfig, raw)
	}
	if prefix = strings.Trim(u.Path, "/"); prefix != "" {
		prefix += "/"
	}
	return u.Host, prefix, nil
}

func loadConfig(ctx context.Context, c Config) (aws.Config, error) {
	var opts []func(*awsconfig.LoadOptions) error
	if c.Region != "" {
		opts = append(opts, awsconfig.WithRegion(c.Region))
	}
	if c.AccessKey != "" {
		opts = append(opts, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, "")))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.Region == "" && c.Endpoint != "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Region == "" {
		return cfg, fmt.Errorf("%w: no region given, and none in the environment or the AWS configuration", ErrConfig)
	}
	return cfg, nil
}

func transport(c Config) http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.DialTLSContext = c.DialTLS
	t.ResponseHeaderTimeout = 0 // an attempt's own timeout knows how many bytes go out first
	t.MaxIdleConnsPerHost = 16
	t.MaxConnsPerHost = 64
	return t
}

// Close lets go of idle connections. Calls under way go on.
func (s *Store) Close() { s.http.CloseIdleConnections() }

// Check asks S3 whether the bucket is there and may be used.
func (s *Store) Check(ctx context.Context) error {
	return s.do(ctx, "HeadBucket", s.bucket, 0, func(ctx context.Context, _ *attempt) error {
		_, err := s.cli.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
		if errors.Is(answer(err), ErrNotFound) {
			return fmt.Errorf("bucket does not exist: %w", err)
		}
		return err
	})
}

// key is the full key of an object.
func (s *Store) key(relative string) *string { return aws.String(s.prefix + relative) }

// URL names an object as the aws command does, s3://bucket/key.
func (s *Store) URL(key string) string { return "s3://" + s.bucket + "/" + s.prefix + key }

// transferTime is how long n bytes may take.
func transferTime(n int64) time.Duration {
	return time.Duration(max(n, 0)/minRate) * time.Second
}
