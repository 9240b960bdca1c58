package objectserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var errCrash = errors.New("crashed")

// crashAfter makes every change from the n-th on fail, as if the process had
// ended there. It reports whether it got that far.
func crashAfter(d *disk, n int) (crashed func() bool) {
	done := 0
	d.before = func(string, string) error {
		if done >= n {
			return errCrash
		}
		done++
		return nil
	}
	return func() bool { return done >= n }
}

func TestCrashAtEveryStep(t *testing.T) {
	type state struct{ body, meta string }
	none, old, fresh := state{}, state{"old", "m-old"}, state{"new", "m-new"}
	putState := func(d *disk, key string, s state) error {
		return putDisk(d, key, s.body, map[string]string{"X-Amz-Meta-M": s.meta})
	}
	for _, tt := range []struct {
		name   string
		before state
		act    func(d *disk) error
		want   []state
		acked  state
	}{
		{"create", none, func(d *disk) error { return putState(d, "a/b/k", fresh) }, []state{none, fresh}, fresh},
		{"overwrite", old, func(d *disk) error { return putState(d, "a/b/k", fresh) }, []state{old, fresh}, fresh},
		{"delete", old, func(d *disk) error { return d.delete(testBucket, "a/b/k")["a/b/k"] }, []state{old, none}, none},
	} {
		for step := 0; ; step++ {
			dir := t.TempDir()
			d := newDisk(t, dir)
			if tt.before != none {
				if err := putState(d, "a/b/k", tt.before); err != nil {
					t.Fatal(err)
				}
			}
			crashed := crashAfter(d, step)
			err := tt.act(d)
			after := newDisk(t, dir)
			var got state
			var sum string
			if got.body, got.meta, sum, _ = getDisk(after, "a/b/k"); got != none {
				if want := md5.Sum([]byte(got.body)); sum != hex.EncodeToString(want[:]) {
					t.Errorf("%s, step %d: ETag %s is not that of %q", tt.name, step, sum, got.body)
				}
			}
			if err == nil && got != tt.acked {
				t.Errorf("%s, step %d: acknowledged, and found %+v", tt.name, step, got)
			}
			if !slices.Contains(tt.want, got) {
				t.Errorf("%s, step %d: found %+v", tt.name, step, got)
			}
			// What a crash leaves must not be in the way of the next write.
			if err := putState(after, "a/b/k", fresh); err != nil {
				t.Errorf("%s, step %d: write after the crash: %v", tt.name, step, err)
			}
			if err := after.delete(testBucket, "a/b/k")["a/b/k"]; err != nil {
				t.Errorf("%s, step %d: delete after the crash: %v", tt.name, step, err)
			}
			if err := putState(after, "a", fresh); err != nil {
				t.Errorf("%s, step %d: write in place of a directory: %v", tt.name, step, err)
			}
			if !crashed() {
				break
			}
			if step > 100 {
				t.Fatalf("%s does not end", tt.name)
			}
		}
	}
}

// A kill does not lose what was written and not fsynced; only the order of the
// steps tells that power loss would not either.
func TestNothingIsRenamedUnsyncedOrAcknowledgedUnsynced(t *testing.T) {
	d := newDisk(t, t.TempDir())
	var log []string
	d.before = func(op, name string) error {
		log = append(log, op+" "+name)
		return nil
	}
	if err := putDisk(d, "a/k", "v", nil); err != nil {
		t.Fatal(err)
	}
	index := func(line string) int {
		i := slices.Index(log, line)
		if i < 0 {
			t.Fatalf("no %q in\n%s", line, strings.Join(log, "\n"))
		}
		return i
	}
	data, meta := testBucket+"/a/k", metaDir+"/"+testBucket+"/a/k"+metaSuffix
	order := []int{
		index("sync " + tmpDir + "/1"),   // the object
		index("mkdir " + path.Dir(data)), //
		index("syncdir " + path.Dir(path.Dir(data))),
		index("sync " + tmpDir + "/2"),     // its metadata
		index("rename " + meta),            //
		index("syncdir " + path.Dir(meta)), //
		index("rename " + data),            //
		index("syncdir " + path.Dir(data)), //
	}
	if !slices.IsSorted(order) {
		t.Errorf("order %v in\n%s", order, strings.Join(log, "\n"))
	}
}

const childEnv = "OBJECTSERVER_TEST_DIR"

// TestMain is also the child of TestKillWhileWriting: a server that says where
// it is and ends with its standard input, or when killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), Config{Dir: dir, Addr: "127.0.0.1:0", Bucket: testBucket, AccessKey: testKey, SecretKey: testSecret})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func startChild(t *testing.T, dir string) (cmd *exec.Cmd, url string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		t.Fatalf("child says %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestKillWhileWriting kills a server in the middle of overwriting objects,
// again and again, and checks that each object is whole, with the metadata of
// the same write, and no older than the last one acknowledged.
func TestKillWhileWriting(t *testing.T) {
	dir := t.TempDir()
	acked := make([]int, 4) // by key: the last generation acknowledged
	name := func(key int) string { return fmt.Sprintf("k%d", key) }
	generation := 0
	for round := range 6 {
		cmd, url := startChild(t, dir)
		c := clientAt(url)
		for key := range acked {
			checkGeneration(t, c, name(key), acked[key])
		}
		acks := make(chan struct{})
		var writers sync.WaitGroup
		for key := range acked {
			base := generation
			writers.Go(func() {
				for g := base + 1; putGeneration(c, name(key), g) == nil; g++ {
					acked[key] = g
					acks <- struct{}{}
				}
			})
		}
		writersDone := make(chan struct{})
		go func() { writers.Wait(); close(writersDone) }()
		for n, running := 0, true; running; {
			select {
			case <-acks:
				if n++; n == 20+7*round { // while the other writers are in the middle
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			case <-writersDone:
				running = false
			}
		}
		_ = cmd.Wait() // killed
		generation += 1000
	}
	c := client(startServer(t, dir))
	for key := range acked {
		checkGeneration(t, c, name(key), acked[key])
	}
}

func generationBody(g int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("generation %d\n", g)), 2000+g%7*1000)
}

func putGeneration(c *s3.Client, key string, g int) error {
	_, err := c.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(testBucket), Key: &key, Body: bytes.NewReader(generationBody(g)),
		Metadata: map[string]string{"generation": fmt.Sprint(g)}, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	return err
}

func checkGeneration(t *testing.T, c *s3.Client, key string, acked int) {
	t.Helper()
	body, o, err := get(context.Background(), c, key)
	if acked == 0 && code(err) == "NoSuchKey" {
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	var g int
	if _, err := fmt.Sscan(o.Metadata["generation"], &g); err != nil {
		t.Fatalf("%s: metadata %v: %v", key, o.Metadata, err)
	}
	if g < acked {
		t.Errorf("%s: generation %d, but %d was acknowledged", key, g, acked)
	}
	if !bytes.Equal(body, generationBody(g)) {
		t.Errorf("%s: %d bytes that are not generation %d", key, len(body), g)
	}
	if sum := md5.Sum(body); strings.Trim(aws.ToString(o.ETag), `"`) != hex.EncodeToString(sum[:]) {
		t.Errorf("%s: ETag %s is not that of its bytes", key, aws.ToString(o.ETag))
	}
}
