resource "aws_security_group" "this" {
  name        = local.name
  description = "${var.role} of ${var.platform.name}"
  vpc_id      = var.platform.vpc_id
  tags        = { Name = local.name }
}

resource "aws_vpc_security_group_egress_rule" "etcd" {
  count                        = var.platform.etcd.own ? 1 : 0
  security_group_id            = aws_security_group.this.id
  description                  = "etcd"
  referenced_security_group_id = var.platform.etcd.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.platform.etcd.port
  to_port                      = var.platform.etcd.port
}

resource "aws_vpc_security_group_egress_rule" "etcd_elsewhere" {
  for_each          = var.platform.etcd.own ? [] : toset(var.platform.etcd.cidrs)
  security_group_id = aws_security_group.this.id
  description       = "etcd"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.platform.etcd.port
  to_port           = var.platform.etcd.port
}

resource "aws_vpc_security_group_egress_rule" "store" {
  for_each          = toset(local.store.cidrs)
  security_group_id = aws_security_group.this.id
  description       = "object storage"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = local.store.port
  to_port           = local.store.port
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  security_group_id = aws_security_group.this.id
  description       = "AWS, by endpoints or NAT"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

module "policy" {
  source                = "../policy"
  region                = var.platform.region
  artifact_object_arns  = var.platform.artifact_object_arns
  issues_certificates   = var.platform.certificate.parameters == null
  ca_arn                = var.platform.certificate.ca_arn
  template_arn          = var.template_arn
  secret_parameter_arns = [for name in local.secrets : "${local.parameter_arn}${name}"]
  secret_key_arn        = var.platform.secret_key_arn
  log_group_arn         = var.platform.log_group_arn
  metrics_namespace     = var.platform.metrics_namespace
  session_manager       = var.platform.session_manager
}

locals {
  store_statements = flatten([for access in var.platform.store_access[*] : [
    {
      Sid      = "StoreObjects"
      Effect   = "Allow"
      Action   = concat(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], var.store_delete ? ["s3:DeleteObject"] : [])
      Resource = ["${access.bucket_arn}/${access.prefix}/*"]
    },
    {
      Sid       = "StoreList"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [access.bucket_arn]
      Condition = { StringLike = { "s3:prefix" = ["${access.prefix}/*"] } }
    },
    {
      Sid       = "StoreKey"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource  = [access.kms_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.store.region}.amazonaws.com" } }
    },
  ]])
}

resource "aws_iam_role" "this" {
  name               = "${local.name}-${var.platform.region}"
  assume_role_policy = module.policy.assume_role
}

resource "aws_iam_role_policy" "this" {
  name = var.role
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(module.policy.statements, local.store_statements, var.statements)
  })
}

resource "aws_iam_instance_profile" "this" {
  name = "${local.name}-${var.platform.region}"
  role = aws_iam_role.this.name
}
