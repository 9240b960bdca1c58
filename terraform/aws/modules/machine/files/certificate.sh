#!/bin/bash
# certificate puts ca.pem, cert.pem and key.pem into /etc/redoubt/tls/current: from the
# private CA, with a key made here, or from parameters. It changes nothing while what
# is there is good for more than half of its time; programs read the files anew.
set -euo pipefail
directory=${TLS_DIRECTORY:-/etc/redoubt/tls}
current=$directory/current
half=$((CERTIFICATE_DAYS * 86400 / 2))
if [ -z "${CERTIFICATE_PARAMETER:-}" ] && openssl x509 -in "$current/cert.pem" -noout -checkend "$half" >/dev/null 2>&1; then
	exit 0
fi

umask 077
mkdir -p "$directory"
chmod 0755 "$directory"
new=$(mktemp -d "$directory/$(date +%Y%m%dT%H%M%S).XXXXXX")
trap '[ -z "$new" ] || rm -rf "$new"' EXIT

parameter() { aws ssm get-parameter --with-decryption --name "$1" --query Parameter.Value --output text; }

from_parameters() {
	parameter "$CA_PARAMETER" >"$new/ca.pem"
	parameter "$CERTIFICATE_PARAMETER" >"$new/cert.pem"
	parameter "$KEY_PARAMETER" >"$new/key.pem"
}

from_ca() {
	local names="IP:$INSTANCE_IP,DNS:localhost,IP:127.0.0.1" name arn
	for name in $CERTIFICATE_NAMES; do
		names="DNS:$name,$names"
	done
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$new/key.pem" \
		-subj "/O=Redoubt/CN=$INSTANCE_ID" -addext "subjectAltName=$names" -out "$new/request.pem" 2>/dev/null
	arn=$(aws acm-pca issue-certificate --certificate-authority-arn "$CA_ARN" --template-arn "$TEMPLATE_ARN" \
		--csr "fileb://$new/request.pem" --signing-algorithm SHA256WITHECDSA \
		--validity "Value=$CERTIFICATE_DAYS,Type=DAYS" --query CertificateArn --output text)
	aws acm-pca wait certificate-issued --certificate-authority-arn "$CA_ARN" --certificate-arn "$arn"
	aws acm-pca get-certificate --certificate-authority-arn "$CA_ARN" --certificate-arn "$arn" \
		--query 'join(`"\n"`, [Certificate, CertificateChain][?@])' --output text >"$new/cert.pem"
	aws acm-pca get-certificate-authority-certificate --certificate-authority-arn "$CA_ARN" \
		--query 'join(`"\n"`, [Certificate, CertificateChain][?@])' --output text >"$new/ca.pem"
	rm "$new/request.pem"
}

if [ -n "${CERTIFICATE_PARAMETER:-}" ]; then
	from_parameters
	if cmp -s "$new/cert.pem" "$current/cert.pem" && cmp -s "$new/key.pem" "$current/key.pem" && cmp -s "$new/ca.pem" "$current/ca.pem"; then
		exit 0
	fi
else
	from_ca
fi

# Never a certificate beside another one's key.
[ "$(openssl x509 -in "$new/cert.pem" -noout -pubkey)" = "$(openssl pkey -in "$new/key.pem" -pubout)" ] ||
	{ echo "certificate: the certificate does not belong to the key" >&2; exit 1; }
if [ -n "${CERTIFICATE_OWNER:-}" ]; then
	chown -R "$CERTIFICATE_OWNER" "$new"
fi
old=$(readlink "$current" || true)
ln -s "$(basename "$new")" "$new.link"
mv -T "$new.link" "$current"
new=
if [ -n "$old" ]; then
	rm -rf "${directory:?}/$old"
fi
