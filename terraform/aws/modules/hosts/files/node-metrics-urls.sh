#!/bin/bash
# node-metrics-urls prints where the nodes of this host serve their metrics: the ports
# of the loopback interface that their processes listen on (node.yaml has port 0).
set -euo pipefail
directory=${AGENT_DIRECTORY:-/var/lib/redoubt}
listeners=$(ss --no-header --listening --tcp --numeric --processes)
for file in "$directory"/nodes/*/pid; do
	[ -r "$file" ] || continue
	pid=$(sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p' "$file")
	awk -v owner="pid=$pid," '$4 ~ /^127\.0\.0\.1:/ && index($0, owner) { print "http://" $4 "/metrics" }' <<<"$listeners"
done
