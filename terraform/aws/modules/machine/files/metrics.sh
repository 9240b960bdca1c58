#!/bin/bash
# metrics reads the Prometheus endpoints that METRICS_URLS names (or the command
# METRICS_URLS_COMMAND prints) and puts what alarms watch into CloudWatch. Nothing is
# put for what does not answer: alarms that need data treat its absence as an alarm.
set -euo pipefail
state=${STATE_DIRECTORY:-/var/lib/redoubt-metrics}
urls=${METRICS_URLS:-}
if [ -n "${METRICS_URLS_COMMAND:-}" ]; then
	urls=$($METRICS_URLS_COMMAND)
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# shellcheck disable=SC2086 # a list of URLs
for url in $urls; do
	curl --silent --fail --max-time 5 "$url" >>"$scratch/now" || echo "metrics: no answer from $url" >&2
done
touch "$scratch/now" "$state/before"

# What is published: name, unit, value, cluster ("" for none).
awk '
function label(line, key,    rest) {
	if (!match(line, "[{,]" key "=\"")) return ""
	rest = substr(line, RSTART + RLENGTH)
	return substr(rest, 1, index(rest, "\"") - 1)
}
# The least upper bound that 99 % of what came since the last reading are below.
function p99(total,    le, best) {
	best = 10
	for (le in fsync) if (fsync[le] >= 0.99 * total && le != "+Inf" && le + 0 < best) best = le + 0
	return best
}
/^#/ { next }
FILENAME == ARGV[1] { before[$1] = $NF; next }
{ series = $1; sub(/\{.*/, "", series); value = $NF }
series == "etcd_disk_wal_fsync_duration_seconds_bucket" { fsync[label($0, "le")] = value - before[$1] }
series == "etcd_disk_wal_fsync_duration_seconds_count" { known = ($1 in before); fsyncs = value - before[$1] }
series == "etcd_server_has_leader" { print "EtcdHasLeader", "Count", value, "" }
series == "etcd_mvcc_db_total_size_in_bytes" { size = value }
series == "etcd_server_quota_backend_bytes" { quota = value }
series == "redoubt_role" && value == 1 { primaries[label($0, "cluster")]++ }
series == "redoubt_control_cluster_status" && value == 1 { print "ClusterAvailable", "Count", label($0, "status") == "available" ? 1 : 0, label($0, "cluster") }
series == "redoubt_head_bytes" { bytes[label($0, "node")] = value; cluster[label($0, "node")] = label($0, "cluster") }
series == "redoubt_head_limit_bytes" { limit[label($0, "node")] = value }
END {
	# A counter that went back belongs to a process that started again.
	if (known && fsyncs > 0) print "EtcdWALSyncP99", "Milliseconds", 1000 * p99(fsyncs), ""
	if (quota > 0) print "EtcdQuotaUsed", "Percent", 100 * size / quota, ""
	for (name in primaries) print "Primaries", "Count", primaries[name], name
	for (node in bytes) if (limit[node] > 0) {
		fill = 100 * bytes[node] / limit[node]
		if (!(cluster[node] in fullest) || fill > fullest[cluster[node]]) fullest[cluster[node]] = fill
	}
	for (name in fullest) print "HeadFill", "Percent", fullest[name], name
}' "$state/before" "$scratch/now" >"$scratch/values"
mv "$scratch/now" "$state/before"

# Each value with its cluster as dimension, and once more without: alarms on all.
awk -v OFS= '
function datum(dimensions) { printf "%s{\"MetricName\":\"%s\",\"Unit\":\"%s\",\"Value\":%.6f%s}", (n++ ? "," : "["), $1, $2, $3, dimensions }
{ datum("") }
$4 != "" { datum(",\"Dimensions\":[{\"Name\":\"Cluster\",\"Value\":\"" $4 "\"}]") }
END { if (n) print "]" }' "$scratch/values" >"$scratch/data"
if [ -s "$scratch/data" ]; then
	aws cloudwatch put-metric-data --namespace "$METRICS_NAMESPACE" --metric-data "file://$scratch/data"
fi
