#!/bin/bash
# drain waits until auto scaling wants this machine gone, has every node hand over its
# shard and stop (SIGTERM), and tells auto scaling to go on.
set -euo pipefail
service=${METADATA_SERVICE:-http://169.254.169.254/latest}
unit=redoubt-agent.service
# Known beforehand: systemd forgets the group of a unit that was stopped.
group=${CONTROL_GROUPS:-/sys/fs/cgroup}/system.slice/$unit

metadata() {
	local token
	token=$(curl --fail --silent --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$service/api/token") &&
		curl --fail --silent --max-time 5 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/$1"
}

until [ "$(metadata autoscaling/target-lifecycle-state || true)" = Terminated ]; do
	sleep "${DRAIN_INTERVAL:-5}"
done

# The agent first, and for good: it would start again what stops. Its unit leaves the
# nodes alone (KillMode=process), and what was stopped does not restart (Restart=).
# Masking would do nothing: the unit is in /etc, which precedes /run.
SECONDS=0
systemctl stop "$unit"

# Then the nodes, which are what is left in the group: each is asked once, as a second
# SIGTERM cuts a hand-over short.
declare -A asked
while [ "$SECONDS" -lt "$DRAIN_SECONDS" ]; do
	left=$(cat "$group/cgroup.procs" "$group"/*/cgroup.procs 2>/dev/null || true)
	[ -n "$left" ] || break
	for pid in $left; do
		[ -n "${asked[$pid]:-}" ] || kill -TERM "$pid" 2>/dev/null || true # it may have ended
		asked[$pid]=1
	done
	sleep "${DRAIN_INTERVAL:-1}"
done

aws autoscaling complete-lifecycle-action --lifecycle-hook-name "$DRAIN_HOOK" --auto-scaling-group-name "$AUTOSCALING_GROUP_PREFIX$INSTANCE_AZ" \
	--instance-id "$INSTANCE_ID" --lifecycle-action-result CONTINUE
