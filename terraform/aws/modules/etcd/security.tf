resource "aws_security_group" "this" {
  name        = "${var.name}-etcd"
  description = "etcd of ${var.name}"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-etcd" }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each                     = var.client_security_group_ids
  security_group_id            = aws_security_group.this.id
  description                  = "etcd clients: ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 2379
  to_port                      = 2379
}

# 2379 too: a member asks the others what they know of it.
resource "aws_vpc_security_group_ingress_rule" "member" {
  security_group_id            = aws_security_group.this.id
  description                  = "members"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 2379
  to_port                      = 2380
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  count                        = length(var.prometheus_security_group_ids)
  security_group_id            = aws_security_group.this.id
  description                  = "Prometheus"
  referenced_security_group_id = var.prometheus_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = 2381
  to_port                      = 2381
}

resource "aws_vpc_security_group_egress_rule" "member" {
  security_group_id            = aws_security_group.this.id
  description                  = "members"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 2379
  to_port                      = 2380
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
  source               = "../policy"
  region               = var.region
  artifact_object_arns = var.artifact_object_arns
  ca_arn               = var.ca_arn
  template_arn         = var.template_arn
  log_group_arn        = var.log_group_arn
  metrics_namespace    = var.metrics_namespace
  session_manager      = var.session_manager
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-etcd-${var.region}"
  assume_role_policy = module.policy.assume_role
}

resource "aws_iam_role_policy" "this" {
  name = "etcd"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(module.policy.statements, [{
      Sid      = "MemberState"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:PutParameter"]
      Resource = [for name in values(local.state_parameter) : "arn:${var.partition}:ssm:${var.region}:${var.account_id}:parameter${name}"]
    }])
  })
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name}-etcd-${var.region}"
  role = aws_iam_role.this.name
}
