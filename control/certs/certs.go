// Package certs issues the certificates that nodes of clusters with TLS serve with.
// Each cluster has an authority (CA) of its own, made when its first certificate is
// issued and kept in etcd, with its private key:
//
//	/redoubt-control/ca/<cluster>    {"certificate": PEM, "key": PEM}
//
// So who can read etcd can speak for every node; the nodes' own keys are there as
// well, in their assignments. An authority outlives its cluster: another one of the
// same name has the same, and clients that trust it need not be changed.
package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/reconcile"
)

const (
	prefix = "/redoubt-control/ca/"
	// Leaf certificates are renewed when a third of their time is left.
	leafTime = 90 * 24 * time.Hour
	caTime   = 20 * 365 * 24 * time.Hour
	// backdate is for machines whose clocks are behind.
	backdate = time.Hour
	// minVersion of TLS that nodes take.
	minVersion = "1.2"
)

// Issuer is a reconcile.Certificates.
type Issuer struct {
	Etcd  *clientv3.Client
	Fence reconcile.Fence
	Now   func() time.Time // nil: time.Now
}

var _ reconcile.Certificates = (*Issuer)(nil)

// authority is a cluster's CA as it is kept.
type authority struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// Issue makes a key and a certificate for a node at an address, an IP or a name. The
// certificate is good for the node's and the cluster's name, too.
func (i *Issuer) Issue(ctx context.Context, cluster, node, address string) (*fleet.TLS, error) {
	ca, err := i.authority(ctx, cluster)
	if err != nil {
		return nil, fmt.Errorf("authority of cluster %s: %w", cluster, err)
	}
	parent, err := parseCertificate(ca.Certificate)
	if err != nil {
		return nil, fmt.Errorf("authority of cluster %s: %w", cluster, err)
	}
	signer, err := parseKey(ca.Key)
	if err != nil {
		return nil, fmt.Errorf("authority of cluster %s: %w", cluster, err)
	}
	now := i.now()
	leaf := &x509.Certificate{
		Subject:     pkix.Name{CommonName: node, Organization: []string{"Redoubt cluster " + cluster}},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(leafTime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{node, cluster},
	}
	if ip := net.ParseIP(address); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else if address != "" {
		leaf.DNSNames = append(leaf.DNSNames, address)
	}
	if leaf.NotAfter.After(parent.NotAfter) {
		leaf.NotAfter = parent.NotAfter
	}
	certificate, key, err := sign(leaf, parent, signer)
	if err != nil {
		return nil, err
	}
	return &fleet.TLS{Certificate: certificate, Key: key, CA: ca.Certificate, MinVersion: minVersion}, nil
}

// CA is the certificate that clients verify a cluster's nodes by; "" while it has
// none.
func CA(ctx context.Context, etcd *clientv3.Client, cluster string) (string, error) {
	ca, err := read(ctx, etcd, cluster)
	if err != nil || ca == nil {
		return "", err
	}
	return ca.Certificate, nil
}

func (i *Issuer) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}

// authority reads a cluster's CA, and makes it if there is none.
func (i *Issuer) authority(ctx context.Context, cluster string) (*authority, error) {
	if ca, err := read(ctx, i.Etcd, cluster); ca != nil || err != nil {
		return ca, err
	}
	now := i.now()
	root := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Redoubt cluster " + cluster},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caTime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	made := &authority{}
	var err error
	if made.Certificate, made.Key, err = sign(root, nil, nil); err != nil {
		return nil, err
	}
	value, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	key := prefix + cluster
	resp, err := i.Etcd.Txn(ctx).
		If(i.Fence.Holds(), clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, string(value))).Commit()
	if err != nil || resp.Succeeded {
		return made, err
	}
	// Somebody made one meanwhile, or this control plane was deposed.
	ca, err := read(ctx, i.Etcd, cluster)
	if err == nil && ca == nil {
		err = reconcile.ErrDeposed
	}
	return ca, err
}

func read(ctx context.Context, etcd *clientv3.Client, cluster string) (*authority, error) {
	resp, err := etcd.Get(ctx, prefix+cluster)
	if err != nil || len(resp.Kvs) == 0 {
		return nil, err
	}
	ca := &authority{}
	if err := json.Unmarshal(resp.Kvs[0].Value, ca); err != nil {
		return nil, fmt.Errorf("etcd key %s: %w", resp.Kvs[0].Key, err)
	}
	return ca, nil
}

// sign makes a key, and a certificate for it that signer signs, or the key itself
// without one. Both come as PEM.
func sign(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	if parent == nil {
		parent, signer = template, private
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return "", "", fmt.Errorf("make a serial number: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		return "", "", fmt.Errorf("sign a certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("encode a key: %w", err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8), nil
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

var errPEM = errors.New("is not the PEM that was expected")

func parseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("certificate %w", errPEM)
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("key %w", errPEM)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key %w: it is a %T", errPEM, k)
	}
	return private, nil
}
