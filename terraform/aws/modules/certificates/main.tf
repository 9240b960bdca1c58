locals {
  create    = var.existing_ca_arn == null
  templates = "arn:${var.partition}:acm-pca:::template"
}

# Its key is in AWS's hardware. Machines make their own keys and have certificates of a
# few days issued, so no private key is ever in user data, in a parameter or in
# Terraform's state.
resource "aws_acmpca_certificate_authority" "this" {
  count                           = local.create ? 1 : 0
  type                            = "ROOT"
  usage_mode                      = "SHORT_LIVED_CERTIFICATE"
  permanent_deletion_time_in_days = 7
  tags                            = { Name = var.name }
  certificate_authority_configuration {
    key_algorithm     = "EC_prime256v1"
    signing_algorithm = "SHA256WITHECDSA"
    subject {
      common_name  = "Redoubt ${var.name} machines"
      organization = "Redoubt"
    }
  }
}

resource "aws_acmpca_certificate" "root" {
  count                       = local.create ? 1 : 0
  certificate_authority_arn   = aws_acmpca_certificate_authority.this[0].arn
  certificate_signing_request = aws_acmpca_certificate_authority.this[0].certificate_signing_request
  signing_algorithm           = "SHA256WITHECDSA"
  template_arn                = "${local.templates}/RootCACertificate/V1"
  validity {
    type  = "YEARS"
    value = 10
  }
}

resource "aws_acmpca_certificate_authority_certificate" "root" {
  count                     = local.create ? 1 : 0
  certificate_authority_arn = aws_acmpca_certificate_authority.this[0].arn
  certificate               = aws_acmpca_certificate.root[0].certificate
  certificate_chain         = aws_acmpca_certificate.root[0].certificate_chain
}

data "aws_acmpca_certificate_authority" "existing" {
  count = local.create ? 0 : 1
  arn   = var.existing_ca_arn
}
