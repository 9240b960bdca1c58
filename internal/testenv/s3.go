package testenv

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// s3Ready bounds the time from a start of the S3 server until it answers.
const s3Ready = 30 * time.Second

// S3Access is what a client needs to reach an S3 server by path-style URLs.
type S3Access struct {
	Endpoint  string // URL
	Region    string
	AccessKey string
	SecretKey string

	http *http.Client // nil: the SDK's own
}

// Env returns the credentials as the AWS SDK's environment variables.
func (a S3Access) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + a.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + a.SecretKey,
		"AWS_REGION=" + a.Region,
	}
}

// Client returns an SDK client.
func (a S3Access) Client() *s3.Client {
	o := s3.Options{
		BaseEndpoint: aws.String(a.Endpoint),
		Region:       a.Region,
		UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: a.AccessKey, SecretAccessKey: a.SecretKey}, nil
		}),
	}
	if a.http != nil {
		o.HTTPClient = a.http
	}
	return s3.New(o)
}

// S3 is a running versitygw, which keeps each object as a plain file.
type S3 struct {
	S3Access
	Bucket string // exists

	t    TB
	dir  string
	tls  *TLS // nil: plain
	proc *Process
}

// StartVersityGW starts a versitygw on a fresh directory, with one bucket.
func StartVersityGW(t TB) *S3 {
	t.Helper()
	return startVersityGW(t, nil)
}

// StartVersityGWTLS is StartVersityGW with a server that speaks TLS alone.
func StartVersityGWTLS(t TB, files *TLS) *S3 {
	t.Helper()
	return startVersityGW(t, files)
}

func startVersityGW(t TB, files *TLS) *S3 {
	t.Helper()
	s := &S3{
		S3Access: S3Access{Region: "eu-central-1", AccessKey: "testenv", SecretKey: "testenv-secret"},
		Bucket:   "redoubt",
		t:        t,
		dir:      t.TempDir(),
		tls:      files,
	}
	if files != nil {
		s.Renew()
	}
	for try := 1; ; try++ {
		s.launch()
		err := s.ready()
		if err == nil {
			break
		}
		s.proc.Kill()
		if !portTaken(s.proc.Log()) || try == startTries {
			t.Fatalf("start versitygw (try %d): %v", try, err)
		}
	}
	if _, err := s.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &s.Bucket}); err != nil {
		t.Fatalf("create bucket %s: %v", s.Bucket, err)
	}
	return s
}

// Renew has clients that are made later use the certificates of now, after the
// authority was replaced.
func (s *S3) Renew() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.tls.Client()
	s.http = &http.Client{Transport: transport}
	s.t.Cleanup(transport.CloseIdleConnections)
}

func (s *S3) launch() {
	s.t.Helper()
	listen := FreeAddr(s.t)
	s.Endpoint = "http://" + listen
	var over []string
	if s.tls != nil {
		s.Endpoint = "https://" + listen
		over = []string{"--cert=" + s.tls.CertFile, "--key=" + s.tls.KeyFile}
	}
	s.proc = Start(s.t, Command{
		Name: "versitygw",
		Path: Tool(s.t, "versitygw"),
		Args: slices.Concat([]string{"--port=" + listen, "--region=" + s.Region, "--health=/health", "--keep-alive"},
			over, []string{"posix", s.dir}),
		Env: []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey},
	})
}

func (s *S3) ready() error {
	return await(s3Ready, func(ctx context.Context) error {
		if err := s.proc.exited(); err != nil {
			return err
		}
		return s.Ping(ctx)
	})
}

// Ping returns nil when the server answers.
func (s *S3) Ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/health", nil)
	if err != nil {
		return err
	}
	client := http.DefaultClient
	if s.http != nil {
		client = s.http
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", resp.Status)
	}
	return nil
}

// URL returns s3://bucket/prefix.
func (s *S3) URL(prefix string) string { return "s3://" + s.Bucket + "/" + prefix }

// ObjectPath returns the file that holds an object of the bucket, to damage it
// behind the server's back.
func (s *S3) ObjectPath(key string) string {
	return filepath.Join(s.dir, s.Bucket, filepath.FromSlash(key))
}

// Process returns the server's process.
func (s *S3) Process() *Process { return s.proc }

// Kill ends the server; connections to it are refused from then on.
func (s *S3) Kill() { s.t.Helper(); s.proc.Kill() }

// Stop makes the server stand still: connections succeed, answers never come.
func (s *S3) Stop() { s.t.Helper(); s.proc.Stop() }

// Cont lets a stopped server go on.
func (s *S3) Cont() { s.t.Helper(); s.proc.Cont() }

// Restart starts a killed server again at the same endpoint, on the same data,
// and returns when it answers.
func (s *S3) Restart() {
	s.t.Helper()
	s.proc.Restart()
	if err := s.ready(); err != nil {
		s.t.Fatalf("restart versitygw: %v", err)
	}
}

// AWS runs Debian's aws command against a server and returns what it printed.
// The test fails when the command does.
func AWS(t TB, a S3Access, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Tool(t, "aws"), append([]string{"--endpoint-url", a.Endpoint}, args...)...)
	cmd.Env = childEnv(os.Environ(), append(a.Env(),
		// Nothing of the user's own set-up: profiles, pagers, proxies, instance roles.
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=*",
	))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
