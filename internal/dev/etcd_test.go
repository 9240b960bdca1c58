package dev

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestEtcdLog(t *testing.T) {
	var b bytes.Buffer
	z := zap.New(etcdLog{slog.New(slog.NewTextHandler(&b, nil))}).With(zap.String("member", "m"))
	z.Info("chatter")
	z.Warn("chatter")
	z.Error("chatter")
	if b.Len() > 0 {
		t.Errorf("it is not quiet: %s", &b)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("what ends etcd is not to be lived through")
			}
		}()
		z.Panic("disk is full", zap.Error(errors.New("ENOSPC")), zap.Int("bytes", 7))
	}()
	for _, want := range []string{`level=ERROR msg="etcd: disk is full"`, "member=m", "error=ENOSPC", "bytes=7"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, &b)
		}
	}
}
