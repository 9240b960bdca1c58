#!/bin/bash
# redoubt-first-token makes a token of role admin by way of etcd and prints it, for when
# there is none: to be run as root on an instance of the control plane.
set -euo pipefail
. /etc/redoubt/machine.env
# shellcheck disable=SC2086 # a list of flags
exec /usr/local/bin/redoubt token create --bootstrap $ETCD_FLAGS "$@"
