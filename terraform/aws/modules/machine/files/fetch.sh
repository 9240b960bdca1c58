#!/bin/bash
# fetch TARGET URL SHA256 [MEMBER...] installs a program: the file at URL as TARGET, or
# MEMBERs of the tar at URL beside it under their own names. What differs from SHA256
# is not installed.
set -euo pipefail
target=$1 url=$2 sha256=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case $url in
s3://*) aws s3 cp --only-show-errors "$url" "$scratch/file" ;;
https://*) curl --fail --silent --show-error --location --proto '=https' --retry 5 --output "$scratch/file" "$url" ;;
*) echo "fetch: $url is neither s3:// nor https://" >&2; exit 2 ;;
esac
if ! echo "$sha256  $scratch/file" | sha256sum --check --status; then
	echo "fetch: $url is not what was expected: its SHA-256 is $(sha256sum <"$scratch/file" | cut -d' ' -f1), not $sha256" >&2
	exit 1
fi
mkdir -p "$(dirname "$target")"
if [ $# = 0 ]; then
	install -m 0755 "$scratch/file" "$target"
	exit 0
fi
mkdir "$scratch/unpacked"
tar -xf "$scratch/file" -C "$scratch/unpacked" --no-same-owner
for member in "$@"; do
	found=$(find "$scratch/unpacked" -type f -name "$member" | head -n 1)
	[ -n "$found" ] || { echo "fetch: $url has no $member" >&2; exit 1; }
	install -m 0755 "$found" "$(dirname "$target")/$member"
done
