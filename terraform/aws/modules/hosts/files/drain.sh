#!/bin/bash
# drain waits until auto scaling wants this machine gone, has every node hand over its
# shard and stop (SIGTERM), and tells auto scaling to go on.
set -euo pipefail
service=${METADATA_SERVICE:-http://169.254.169.254/latest}
unit=redoubt-agent.service

metadata() {
	local token
	token=$(curl --fail --silent --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$service/api/token") &&
		curl --fail --silent --max-time 5 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/$1"
}

until [ "$(metadata autoscaling/target-lifecycle-state || true)" = Terminated ]; do
	sleep "${DRAIN_INTERVAL:-5}"
done

# The agent first, and for good: it would start again what stops.
systemctl mask --runtime "$unit"
group=/sys/fs/cgroup$(systemctl show --property=ControlGroup --value "$unit")
systemctl kill --kill-whom=all --signal=SIGTERM "$unit" || true
for ((waited = 0; waited < DRAIN_SECONDS; waited++)); do
	grep -qx 'populated 1' "$group/cgroup.events" 2>/dev/null || break
	sleep 1
done

aws autoscaling complete-lifecycle-action --lifecycle-hook-name "$DRAIN_HOOK" --auto-scaling-group-name "$AUTOSCALING_GROUP_PREFIX$INSTANCE_AZ" \
	--instance-id "$INSTANCE_ID" --lifecycle-action-result CONTINUE
