package integration

import (
	"context"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// importsADump makes a cluster of what a real redis-server holds: redis-cli dumps it,
// the AWS CLI copies the file to S3, and snapshot_uris names it there.
func importsADump(t *testing.T, platform *terraform, s3 *testenv.S3) {
	const at = "moving/dump.rdb"
	old := testenv.StartRedis(t)
	from := redis.NewClient(&redis.Options{Addr: old.Addr})
	defer from.Close()
	ctx := t.Context()
	must(t, from.Set(ctx, "string", "v", 0).Err())
	must(t, from.Set(ctx, "for an hour", "v", time.Hour).Err())
	must(t, from.HSet(ctx, "hash", "f", "v", "g", strings.Repeat("w", 100)).Err())
	must(t, from.RPush(ctx, "list", "a", "b", "c").Err())
	must(t, from.SAdd(ctx, "set", "1", "2", "three").Err())
	must(t, from.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "m"}, redis.Z{Score: -2, Member: "n"}).Err())
	must(t, from.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "5-1", Values: []string{"f", "v"}}).Err())
	must(t, from.XGroupCreate(ctx, "stream", "group", "0").Err())

	file := filepath.Join(t.TempDir(), "dump.rdb")
	host, port, _ := strings.Cut(old.Addr, ":")
	if out, err := exec.CommandContext(ctx, testenv.Tool(t, "redis-cli"), "-h", host, "-p", port, "--rdb", file).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --rdb: %v\n%s", err, out)
	}
	uri := "s3://" + s3.Bucket + "/" + at
	testenv.AWS(t, s3.S3Access, "s3", "cp", file, uri)

	tf := platform.beside(t, `
terraform {
  required_providers {
    redoubt = {
      source = "terraform.local/redoubtdb/redoubt"
    }
  }
}

resource "redoubt_cluster" "moved" {
  name                   = "moved"
  node_memory            = "256MiB"
  num_replicas_per_shard = 1
  acl_name               = "open-access"
  tls_enabled            = false
  snapshot_uris          = ["`+uri+`"]
  final_snapshot_name    = "moved-last"
}
`)
	tf.run([]int{0}, "apply", "-auto-approve", "-no-color")
	tf.empty()
	to := redis.NewClient(&redis.Options{Addr: addrOf(clusterStatus(t, tf.api, "moved").ClusterEndpoint)})
	defer to.Close()
	for _, ask := range [][]any{
		{"DBSIZE"}, {"GET", "string"}, {"GET", "for an hour"}, {"HGETALL", "hash"}, {"LRANGE", "list", 0, -1}, {"SMISMEMBER", "set", 1, 2, "three"}, {"SCARD", "set"},
		{"ZRANGE", "zset", 0, -1, "WITHSCORES"}, {"XRANGE", "stream", "-", "+"}, {"XINFO", "GROUPS", "stream"}, {"EXPIRETIME", "for an hour"},
	} {
		want, err := from.Do(ctx, ask...).Result()
		must(t, err)
		got, err := to.Do(ctx, ask...).Result()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v, %v, and in the old server %v", ask, got, err, want)
		}
	}
	testenv.Eventually(t, soon, "a write to what was imported", func(ctx context.Context) error { return to.Append(ctx, "string", "w").Err() })
	tf.run([]int{0}, "destroy", "-auto-approve", "-no-color")
}
