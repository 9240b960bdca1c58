package s3segments_test

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/objectserver"
	"github.com/redoubtdb/redoubt/s3segments"
	"github.com/redoubtdb/redoubt/s3segments/storetest"
)

func TestSuiteOnEmbeddedEndpoint(t *testing.T) {
	s, err := objectserver.Start(t.Context(), objectserver.Config{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Bucket: "bucket", AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	storetest.Run(t, s3segments.Config{
		URL: "s3://bucket/prefix", Endpoint: s.URL(), PathStyle: true, AccessKey: "key", SecretKey: "secret",
	})
}
