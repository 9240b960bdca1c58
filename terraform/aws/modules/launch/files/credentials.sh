#!/bin/bash
# credentials fetches the keys of a storage service that is not AWS's into memory-backed
# /run, for redoubt's units. Without parameters the machine's role is used.
set -euo pipefail
[ -n "${ACCESS_KEY_PARAMETER:-}" ] || exit 0
parameter() { aws ssm get-parameter --with-decryption --name "$1" --query Parameter.Value --output text; }

umask 077
mkdir -p /run/redoubt
access=$(parameter "$ACCESS_KEY_PARAMETER")
secret=$(parameter "$SECRET_KEY_PARAMETER")
printf 'AWS_ACCESS_KEY_ID="%s"\nAWS_SECRET_ACCESS_KEY="%s"\n' "$access" "$secret" >/run/redoubt/credentials.env.new
mv /run/redoubt/credentials.env.new /run/redoubt/credentials.env
