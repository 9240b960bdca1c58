package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"syscall"
)

// ErrNotRunning: no dev runs on the directory.
var ErrNotRunning = errors.New("dev: not running")

const endpointsName = "redoubt.json"

// Endpoints is where the parts of a running dev are reached: what redoubt.json
// holds. It has a secret in it, so only the owner may read the file.
type Endpoints struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Version string    `json:"version"` // of the redoubt program
	Cluster string    `json:"cluster"`
	Etcd    []string  `json:"etcd"` // client URLs
	S3      S3        `json:"s3"`
	Metrics string    `json:"metrics,omitempty"` // URL of /metrics
	Nodes   []Node    `json:"nodes"`
	TLSCA   string    `json:"tls_ca,omitempty"` // file with the nodes' authority
	API     *API      `json:"api,omitempty"`    // nil without a control plane
}

// API is where the control plane is reached.
type API struct {
	URL       string `json:"url"`
	CAFile    string `json:"ca_file"`
	TokenFile string `json:"token_file"` // with an administrator's token
}

// S3 is an S3 endpoint and the place in it.
type S3 struct {
	Endpoint  string `json:"endpoint"` // URL
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix"`
	Region    string `json:"region"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	// CredentialsFile has the two in the AWS tools' format.
	CredentialsFile string `json:"credentials_file"`
}

// URL names the place as s3://bucket/prefix.
func (s S3) URL() string {
	if s.Prefix == "" {
		return "s3://" + s.Bucket
	}
	return "s3://" + s.Bucket + "/" + s.Prefix
}

// Node is a node's id and the address clients reach it at.
type Node struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	// TLSAddress is where clients reach it over TLS; empty without.
	TLSAddress string `json:"tls_address,omitempty"`
}

// ReadEndpoints finds the dev that runs on a directory. ErrNotRunning when none
// does, also when a killed one has left its redoubt.json behind.
func ReadEndpoints(dir string) (Endpoints, error) {
	var e Endpoints
	path := filepath.Join(dir, endpointsName)
	held, pid, err := holder(dir)
	if err != nil {
		return e, fmt.Errorf("dev: look at the lock of %s: %w", dir, err)
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && held:
		return e, fmt.Errorf("%w: the one with pid %d on %s is still starting, or stopping", ErrNotRunning, pid, dir)
	case errors.Is(err, os.ErrNotExist):
		return e, fmt.Errorf("%w: there is no %s", ErrNotRunning, path)
	case err != nil:
		return e, fmt.Errorf("dev: %w", err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("dev: read %s: %w", path, err)
	}
	if !held || pid != e.PID {
		return e, fmt.Errorf("%w: the one with pid %d that wrote %s is gone", ErrNotRunning, e.PID, path)
	}
	return e, nil
}

// write puts the endpoints into the directory, as a whole or not at all.
func (e Endpoints) write(dir string) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("dev: encode %s: %w", endpointsName, err)
	}
	return writeFile(filepath.Join(dir, endpointsName), append(b, '\n'))
}

func removeEndpoints(dir string) error {
	err := os.Remove(filepath.Join(dir, endpointsName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// writeFile makes a file that only its owner can read, by a rename, so that
// nobody sees half of it, and durable, so that a power loss does not either.
func writeFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("dev: write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // not every file system can
		return fmt.Errorf("dev: sync %s: %w", dir, err)
	}
	return nil
}
