#!/bin/bash
# metadata writes what the machine is, by the instance metadata service (version 2),
# into /etc/redoubt/instance.env, and how much
# of its memory nodes may have (HOST_MEMORY_PERCENT of it).
set -euo pipefail
. /etc/redoubt/machine.env
service=http://169.254.169.254/latest
token=$(curl --fail --silent --show-error --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$service/api/token")
read_metadata() { curl --fail --silent --show-error --retry 5 -H "X-aws-ec2-metadata-token: $token" "$service/meta-data/$1"; }

umask 022
mkdir -p /etc/redoubt /var/log/redoubt
{
	echo "INSTANCE_ID=$(read_metadata instance-id)"
	echo "INSTANCE_AZ=$(read_metadata placement/availability-zone)"
	echo "INSTANCE_IP=$(read_metadata local-ipv4)"
	awk -v percent="${HOST_MEMORY_PERCENT:-100}" '/^MemTotal:/ { printf "HOST_MEMORY=%d\n", $2 * 1024 * percent / 100 }' /proc/meminfo
} >/etc/redoubt/instance.env.new
mv /etc/redoubt/instance.env.new /etc/redoubt/instance.env
