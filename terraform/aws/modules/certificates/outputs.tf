output "ca_arn" {
  description = "The private CA; known once it can issue."
  value       = local.create ? aws_acmpca_certificate_authority_certificate.root[0].certificate_authority_arn : var.existing_ca_arn
}

output "ca_certificate" {
  description = "Certificate of the CA, PEM: what clients of the control plane verify it by."
  value       = local.create ? aws_acmpca_certificate.root[0].certificate : join("\n", compact([data.aws_acmpca_certificate_authority.existing[0].certificate, data.aws_acmpca_certificate_authority.existing[0].certificate_chain]))
}

output "template_arns" {
  description = "What a certificate may be for, by role: etcd's members are servers and clients of each other, the control plane serves and calls etcd, hosts call etcd only."
  value = {
    etcd    = "${local.templates}/EndEntityCertificate/V1"
    control = "${local.templates}/EndEntityCertificate/V1"
    hosts   = "${local.templates}/EndEntityClientAuthCertificate/V1"
  }
}
