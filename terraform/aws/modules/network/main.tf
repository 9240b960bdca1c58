data "aws_partition" "current" {}

locals {
  create     = var.existing_vpc == null
  zones      = local.create ? { for i, zone in var.availability_zones : zone => i } : {}
  vpc_id     = local.create ? aws_vpc.this[0].id : var.existing_vpc.vpc_id
  subnet_ids = local.create ? { for zone, subnet in aws_subnet.private : zone => subnet.id } : var.existing_vpc.subnet_ids

  # Zones that hold a NAT gateway, and the one that each zone's machines go through.
  nat_zones = {
    none   = []
    single = slice(sort(keys(local.zones)), 0, min(1, length(local.zones)))
    per_az = keys(local.zones)
  }[local.create ? var.nat_gateways : "none"]
  nat_of = { for zone, _ in local.zones : zone => contains(local.nat_zones, zone) ? zone : one(local.nat_zones) if length(local.nat_zones) > 0 }

  route_table_ids = local.create ? [for table in aws_route_table.private : table.id] : var.existing_vpc.route_table_ids
}

resource "aws_vpc" "this" {
  count                = local.create ? 1 : 0
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# Nothing of Redoubt uses the default group; without rules nothing else can by accident.
resource "aws_default_security_group" "this" {
  count  = local.create ? 1 : 0
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "private" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, each.value)
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "private" {
  for_each = local.zones
  vpc_id   = aws_vpc.this[0].id
  tags     = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each       = local.zones
  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# Public subnets hold NAT gateways and nothing else.
resource "aws_internet_gateway" "this" {
  count  = length(local.nat_zones) > 0 ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each          = toset(local.nat_zones)
  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, 240 + local.zones[each.key])
  tags              = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count  = length(local.nat_zones) > 0 ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count                  = length(local.nat_zones) > 0 ? 1 : 0
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each       = toset(local.nat_zones)
  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  for_each   = toset(local.nat_zones)
  domain     = "vpc"
  tags       = { Name = "${var.name}-nat-${each.key}" }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each      = toset(local.nat_zones)
  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_route.public]
}

resource "aws_route" "nat" {
  for_each               = local.nat_of
  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}

# S3 without a NAT gateway, and to the buckets that are needed only. Amazon Linux's
# packages are in S3, too.
resource "aws_vpc_endpoint" "s3" {
  count             = local.create || length(local.route_table_ids) > 0 ? 1 : 0
  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids
  tags              = { Name = "${var.name}-s3" }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "Store"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket"]
        Resource  = [var.bucket_arn, "${var.bucket_arn}/*"]
      },
      {
        Sid       = "AmazonLinuxPackages"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = ["arn:${data.aws_partition.current.partition}:s3:::al2023-repos-${var.region}-de612dc2/*"]
      },
      ], [for arns in [var.artifact_bucket_arns] : {
        Sid       = "Binaries"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = [for arn in arns : "${arn}/*"]
    } if length(arns) > 0])
  })
}

resource "aws_security_group" "endpoints" {
  count       = length(var.interface_endpoints) > 0 ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "Interface endpoints of ${var.name}"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-endpoints" }
}

data "aws_subnet" "private" {
  for_each = local.create ? {} : local.subnet_ids
  id       = each.value
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = length(var.interface_endpoints) == 0 ? {} : (
    local.create ? { vpc = var.vpc_cidr } : { for zone, subnet in data.aws_subnet.private : zone => subnet.cidr_block }
  )
  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from the machines"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(var.interface_endpoints)
  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = values(local.subnet_ids)
  security_group_ids  = [aws_security_group.endpoints[0].id]
  tags                = { Name = "${var.name}-${each.key}" }
}

# Names that stay while machines come and go.
resource "aws_route53_zone" "this" {
  name    = "${var.name}.internal"
  comment = "Machines of ${var.name}"
  vpc {
    vpc_id = local.vpc_id
  }
}
