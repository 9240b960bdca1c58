#!/bin/bash
# etcd-start runs etcd as the member MEMBER of the cluster MEMBER_PEERS, and decides how
# it begins. A member with its data goes on. One without that has never started before
# (STATE_PARAMETER is "new") founds the cluster with the others, unless there is one
# already that does not know it: that one it joins. One that has started before lost
# its disk, and must not vote as who it was: it is removed and joins under a new id.
# For joining, a majority of the others must be there.
#
# MEMBER_PEERS and MEMBER_CLIENTS are name=url,...
set -euo pipefail
data=${MEMBER_DATA_DIRECTORY:-/var/lib/etcd/data/etcd}
wal=${MEMBER_WAL_DIRECTORY:-/var/lib/etcd/wal/etcd}
tls=${MEMBER_TLS_DIRECTORY:-/etc/redoubt/tls/current}

url_of() { tr ',' '\n' <<<"$1" | sed -n "s|^$MEMBER=||p"; }
peer_url=$(url_of "$MEMBER_PEERS")
client_url=$(url_of "$MEMBER_CLIENTS")
others=$(tr ',' '\n' <<<"$MEMBER_CLIENTS" | grep -v "^$MEMBER=" | sed 's|^[^=]*=||' | paste -sd, -)

ctl() {
	etcdctl --endpoints "$others" --cacert "$tls/ca.pem" --cert "$tls/cert.pem" --key "$tls/key.pem" \
		--command-timeout 5s "$@"
}

has_data() { compgen -G "$wal/*.wal" >/dev/null && [ -e "$data/member/snap/db" ]; }

# set_aside keeps what is left when half of a member's data is gone.
set_aside() {
	local directory
	for directory in "$data" "$wal"; do
		if [ -e "$directory" ]; then
			mv "$directory" "$directory.lost.$(date +%Y%m%dT%H%M%S)"
		fi
	done
}

# list prints the members as the others know them: id, status, name, peer URL, ...
list() { ctl member list --write-out simple; }

# mine takes the field $1 of this member's line.
mine() { awk -F', ' -v url="$peer_url" -v field="$1" '$4 == url { print $field }'; }

# join makes the cluster know this member as one that has not started yet, and prints
# the members then, as --initial-cluster wants them. It can be repeated: an attempt that
# was interrupted is taken up where it ended.
join() {
	local known id
	known=$(list) || { echo "etcd-start: the other members do not answer yet" >&2; return 1; }
	id=$(mine 1 <<<"$known")
	if [ -n "$id" ] && [ "$(mine 2 <<<"$known")" = started ]; then
		ctl member remove "$id" >&2 || return 1
		id=
	fi
	if [ -z "$id" ]; then
		# etcd refuses while the others have not been connected for five seconds.
		ctl member add "$MEMBER" --peer-urls "$peer_url" >&2 || return 1
		known=$(list) || return 1
	fi
	# One that was added and has not started has no name; any will do but for this one's.
	awk -F', ' -v url="$peer_url" -v me="$MEMBER" '
		{ printf "%s%s=%s", (NR > 1 ? "," : ""), ($4 == url ? me : $3 != "" ? $3 : $1), $4 }' <<<"$known"
}

set_state() { aws ssm put-parameter --name "$STATE_PARAMETER" --value "$1" --overwrite >/dev/null; }

state=existing cluster=$MEMBER_PEERS
if ! has_data; then
	was=$(aws ssm get-parameter --name "$STATE_PARAMETER" --query Parameter.Value --output text)
	case $was in
	new)
		[ -r "$tls/key.pem" ] && etcd --version >/dev/null
		if known=$(list 2>/dev/null) && [ -z "$(mine 1 <<<"$known")" ]; then
			echo "etcd-start: the cluster is there; $MEMBER joins it by way of $others"
		else
			state=new
		fi
		# Before the first start, so that no start goes unnoticed.
		set_state bootstrapped
		;;
	bootstrapped)
		echo "etcd-start: $MEMBER lost its data; joining anew by way of $others"
		set_aside
		;;
	*)
		echo "etcd-start: $STATE_PARAMETER is neither new nor bootstrapped" >&2
		exit 1
		;;
	esac
	if [ $state = existing ]; then
		until cluster=$(join); do
			sleep 2
		done
	fi
fi

exec etcd --name "$MEMBER" --data-dir "$data" --wal-dir "$wal" \
	--initial-cluster "$cluster" --initial-cluster-state "$state" --initial-cluster-token "$MEMBER_CLUSTER_TOKEN" \
	--listen-peer-urls "$MEMBER_LISTEN_PEER_URLS" --initial-advertise-peer-urls "$peer_url" \
	--listen-client-urls "$MEMBER_LISTEN_CLIENT_URLS" --advertise-client-urls "$client_url" \
	--listen-metrics-urls "$MEMBER_LISTEN_METRICS_URLS" \
	--client-cert-auth --trusted-ca-file "$tls/ca.pem" --cert-file "$tls/cert.pem" --key-file "$tls/key.pem" \
	--peer-client-cert-auth --peer-trusted-ca-file "$tls/ca.pem" --peer-cert-file "$tls/cert.pem" --peer-key-file "$tls/key.pem" \
	--tls-min-version TLS1.2 \
	--snapshot-count 1000 --snapshot-catchup-entries 500 --max-wals 2 \
	--backend-batch-interval 1s --backend-batch-limit 100000 \
	--quota-backend-bytes "$MEMBER_QUOTA_BYTES" \
	--election-timeout "$MEMBER_ELECTION_TIMEOUT" --heartbeat-interval "$MEMBER_HEARTBEAT"
