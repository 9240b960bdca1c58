#!/bin/bash
# node-metrics-urls prints where the nodes of this host serve their metrics.
set -euo pipefail
directory=${AGENT_DIRECTORY:-/var/lib/redoubt}
for file in "$directory"/nodes/*/node.yaml; do
	[ -r "$file" ] || continue
	sed -n 's|^metrics-listen: *"\{0,1\}\([^"]*\)"\{0,1\}$|http://\1/metrics|p' "$file"
done
