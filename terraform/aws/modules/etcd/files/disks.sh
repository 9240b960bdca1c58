#!/bin/bash
# disks mounts the log's disk on /var/lib/etcd/wal and the data's on /var/lib/etcd/data:
# the volumes WAL_VOLUME and DATA_VOLUME, or the instance's own NVMe when they are
# empty. A disk without a file system gets one; one that has any is left as it is.
set -euo pipefail
by_id=/dev/disk/by-id
root=/var/lib/etcd

# wait_for PATTERN: attaching goes on while the machine boots.
wait_for() {
	local tries
	for ((tries = 0; tries < 300; tries++)); do
		compgen -G "$1" >/dev/null && return 0
		sleep 1
	done
	echo "disks: no device $1 after five minutes" >&2
	return 1
}

prepare() { # DEVICE DIRECTORY
	local device=$1 directory=$2
	if ! blkid --probe "$device" >/dev/null; then
		mkfs.xfs -q "$device" # refuses a disk that has something on it
	fi
	mkdir -p "$directory"
	mountpoint -q "$directory" || mount -o noatime "$device" "$directory"
	chown etcd:etcd "$directory"
	chmod 0700 "$directory"
}

if [ -n "${WAL_VOLUME:-}" ]; then
	wal=$by_id/nvme-Amazon_Elastic_Block_Store_${WAL_VOLUME//-/}
	data=$by_id/nvme-Amazon_Elastic_Block_Store_${DATA_VOLUME//-/}
	wait_for "$wal"
	wait_for "$data"
	prepare "$(readlink -f "$wal")" "$root/wal"
	prepare "$(readlink -f "$data")" "$root/data"
	exit 0
fi

wait_for "$by_id/nvme-Amazon_EC2_NVMe_Instance_Storage_*"
mapfile -t devices < <(readlink -f "$by_id"/nvme-Amazon_EC2_NVMe_Instance_Storage_* | sort -u)
if [ ${#devices[@]} -ge 2 ]; then
	prepare "${devices[0]}" "$root/wal"
	prepare "${devices[1]}" "$root/data"
	exit 0
fi
# One disk for both: syncs of the log wait for the data's.
prepare "${devices[0]}" "$root"
for directory in "$root/wal" "$root/data"; do
	install -d -o etcd -g etcd -m 0700 "$directory"
done
