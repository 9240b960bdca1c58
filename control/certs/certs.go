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
	"encoding/json"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/reconcile"
	"github.com/redoubtdb/redoubt/internal/pki"
)

const (
	prefix = "/redoubt-control/ca/"
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

// kept is a cluster's CA as it is in etcd.
type kept struct {
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
	request := pki.Request{Name: node, DNSNames: []string{node, cluster}, Server: true}
	if ip := net.ParseIP(address); ip != nil {
		request.IPs = []net.IP{ip}
	} else if address != "" {
		request.DNSNames = append(request.DNSNames, address)
	}
	made, err := ca.Issue(request, i.now())
	if err != nil {
		return nil, fmt.Errorf("certificate of node %s: %w", node, err)
	}
	return &fleet.TLS{
		Certificate: string(made.CertPEM), Key: string(made.KeyPEM), CA: string(ca.CertPEM()), MinVersion: minVersion,
	}, nil
}

func (i *Issuer) now() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}

// authority reads a cluster's CA, and makes it if there is none.
func (i *Issuer) authority(ctx context.Context, cluster string) (*pki.Authority, error) {
	if ca, err := i.read(ctx, cluster); ca != nil || err != nil {
		return ca, err
	}
	made, err := pki.NewAuthority("Redoubt cluster "+cluster, i.now())
	if err != nil {
		return nil, err
	}
	private, err := made.KeyPEM()
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(kept{Certificate: string(made.CertPEM()), Key: string(private)})
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
	ca, err := i.read(ctx, cluster)
	if err == nil && ca == nil {
		err = reconcile.ErrDeposed
	}
	return ca, err
}

// read is a cluster's CA, nil while it has none.
func (i *Issuer) read(ctx context.Context, cluster string) (*pki.Authority, error) {
	resp, err := i.Etcd.Get(ctx, prefix+cluster)
	if err != nil || len(resp.Kvs) == 0 {
		return nil, err
	}
	var v kept
	if err := json.Unmarshal(resp.Kvs[0].Value, &v); err != nil {
		return nil, fmt.Errorf("etcd key %s: %w", resp.Kvs[0].Key, err)
	}
	ca, err := pki.ParseAuthority([]byte(v.Certificate), []byte(v.Key))
	if err != nil {
		return nil, fmt.Errorf("etcd key %s: %w", resp.Kvs[0].Key, err)
	}
	return ca, nil
}
