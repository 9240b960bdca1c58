package objectserver

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAWSCLI runs what the README tells people to run, with Debian's awscli.
func TestAWSCLI(t *testing.T) {
	s := startServer(t, t.TempDir())
	work := t.TempDir()
	aws := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "/usr/bin/aws", append([]string{"--endpoint-url", s.URL()}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "AWS_REGION=us-east-1",
			"AWS_CONFIG_FILE="+filepath.Join(work, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(work, "none"), "AWS_EC2_METADATA_DISABLED=true")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
		}
		return out
	}
	big := make([]byte, 20<<20)
	fill(big, 2)
	src, dst := filepath.Join(work, "big"), filepath.Join(work, "back")
	if err := os.WriteFile(src, big, 0o600); err != nil {
		t.Fatal(err)
	}
	const uri = "s3://" + testBucket
	aws("s3", "cp", src, uri+"/dir/big", "--metadata", "engine=redoubt") // multipart
	aws("s3", "cp", uri+"/dir/big", dst)
	if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, big) {
		t.Errorf("20 MiB came back as %d bytes, %v", len(got), err)
	}
	put(t, client(s), "snapshots/first/manifest.json", []byte(`{"name": "first"}`))
	if got := aws("s3", "cp", uri+"/snapshots/first/manifest.json", "-"); string(got) != `{"name": "first"}` {
		t.Errorf("cp to standard output: %q", got)
	}
	ls := string(aws("s3", "ls", "--recursive", uri))
	if !strings.Contains(ls, " 20971520 dir/big\n") || !strings.Contains(ls, "snapshots/first/manifest.json\n") {
		t.Errorf("ls --recursive:\n%s", ls)
	}
	if ls := string(aws("s3", "ls")); !strings.Contains(ls, testBucket) {
		t.Errorf("ls:\n%s", ls)
	}
	if ls := string(aws("s3", "ls", uri+"/snapshots/")); !strings.Contains(ls, "PRE first/") {
		t.Errorf("ls of a prefix:\n%s", ls)
	}
	var head struct {
		ContentLength int
		Metadata      map[string]string
	}
	if err := json.Unmarshal(aws("s3api", "head-object", "--bucket", testBucket, "--key", "dir/big", "--output", "json"), &head); err != nil {
		t.Fatal(err)
	}
	if head.ContentLength != len(big) || head.Metadata["engine"] != "redoubt" {
		t.Errorf("head-object: %+v", head)
	}
	aws("s3", "rm", uri, "--recursive")
	if ls := aws("s3", "ls", "--recursive", uri+"/"); len(ls) != 0 {
		t.Errorf("after rm:\n%s", ls)
	}
}
