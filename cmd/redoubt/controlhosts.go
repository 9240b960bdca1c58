package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubtdb/redoubt/control/fleet"
)

const (
	hostsPrefix    = "/redoubt-control/hosts/"
	drainingPrefix = "/redoubt-control/draining/"
)

// hosts are those that agents have registered in etcd, for the API.
type hosts struct{ etcd *clientv3.Client }

// Hosts implements api.Hosts.
func (h hosts) Hosts(ctx context.Context) ([]fleet.Host, error) {
	resp, err := h.etcd.Txn(ctx).Then(clientv3.OpGet(hostsPrefix, clientv3.WithPrefix()), clientv3.OpGet(drainingPrefix, clientv3.WithPrefix())).Commit()
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	draining := map[string]bool{}
	for _, kv := range resp.Responses[1].GetResponseRange().Kvs {
		draining[strings.TrimPrefix(string(kv.Key), drainingPrefix)] = true
	}
	all := []fleet.Host{}
	for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
		var host fleet.Host
		if err := json.Unmarshal(kv.Value, &host); err != nil {
			return nil, fmt.Errorf("read %s: %w", kv.Key, err)
		}
		host.Draining = draining[host.ID]
		all = append(all, host)
	}
	return all, nil
}

// Drain implements api.Hosts.
func (h hosts) Drain(ctx context.Context, host string, drain bool) error {
	op := clientv3.OpDelete(drainingPrefix + host)
	if drain {
		op = clientv3.OpPut(drainingPrefix+host, "true")
	}
	if _, err := h.etcd.Do(ctx, op); err != nil {
		return fmt.Errorf("drain host %s: %w", host, err)
	}
	return nil
}
