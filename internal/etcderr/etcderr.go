// Package etcderr tells apart what etcd's errors mean for whoever sent the request.
package etcderr

import (
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Permanent tells errors that sending the same request again cannot cure.
func Permanent(err error) bool {
	if err == nil {
		return false
	}
	if clientv3.IsConnCanceled(err) {
		return true // the caller closed the client
	}
	switch code(err) {
	case codes.InvalidArgument:
		// The user store changed between two requests: the next one knows.
		return !errors.Is(err, rpctypes.ErrAuthOldRevision)
	case codes.PermissionDenied, codes.NotFound, codes.OutOfRange, codes.Unimplemented, codes.DataLoss:
		return true
	}
	return false
}

// LeaseGone tells that a lease has ended or never was.
func LeaseGone(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }

func code(err error) codes.Code {
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code()
	}
	return status.Code(err)
}
