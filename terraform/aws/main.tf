data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  count = var.existing_vpc == null && var.availability_zones == null ? 1 : 0
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ssm_parameter" "image" {
  count = var.ami_id == null ? 1 : 0
  name  = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region

  zones       = coalesce(var.availability_zones, try(slice(data.aws_availability_zones.available[0].names, 0, 3), []))
  ami_id      = var.ami_id != null ? var.ami_id : nonsensitive(data.aws_ssm_parameter.image[0].value)
  bucket_name = coalesce(var.bucket_name, "${var.name}-${local.account_id}-${local.region}")
  namespace   = "Redoubt/${var.name}"

  # s3://bucket/key of each binary that is in S3.
  redoubt_urls   = concat([var.redoubt_binary.url], [for engine in values(var.engines) : engine.url])
  s3_objects     = { for url in concat(local.redoubt_urls, [var.etcd_binary.url]) : url => trimprefix(url, "s3://") if startswith(url, "s3://") }
  object_arn     = { for url, path in local.s3_objects : url => "arn:${local.partition}:s3:::${path}" }
  artifact_arns  = distinct([for path in values(local.s3_objects) : "arn:${local.partition}:s3:::${split("/", path)[0]}"])
  redoubt_object = distinct([for url in local.redoubt_urls : local.object_arn[url] if contains(keys(local.object_arn), url)])
  etcd_object    = [for url in [var.etcd_binary.url] : local.object_arn[url] if contains(keys(local.object_arn), url)]
}

module "network" {
  source               = "./modules/network"
  name                 = var.name
  region               = local.region
  vpc_cidr             = var.vpc_cidr
  availability_zones   = local.zones
  existing_vpc         = var.existing_vpc
  nat_gateways         = var.nat_gateways
  interface_endpoints  = var.interface_endpoints
  bucket_arn           = module.storage.bucket_arn
  artifact_bucket_arns = local.artifact_arns
}

module "storage" {
  source                  = "./modules/storage"
  name                    = var.name
  account_id              = local.account_id
  region                  = local.region
  partition               = local.partition
  bucket_name             = local.bucket_name
  prefix                  = var.bucket_prefix
  noncurrent_version_days = var.noncurrent_version_days
  force_destroy           = var.force_destroy_bucket
}

module "certificates" {
  source          = "./modules/certificates"
  name            = var.name
  partition       = local.partition
  existing_ca_arn = var.certificate_authority_arn
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/redoubt/${var.name}/machines"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.storage.kms_key_arn
}

module "etcd" {
  source                        = "./modules/etcd"
  name                          = var.name
  region                        = local.region
  account_id                    = local.account_id
  partition                     = local.partition
  vpc_id                        = module.network.vpc_id
  subnet_ids                    = module.network.subnet_ids
  zone_id                       = module.network.zone_id
  zone_name                     = module.network.zone_name
  members                       = var.etcd_members
  instance_type                 = var.etcd_instance_type
  ami_id                        = local.ami_id
  storage                       = var.etcd_storage
  settings                      = var.etcd_settings
  binary                        = var.etcd_binary
  artifact_object_arns          = local.etcd_object
  ca_arn                        = module.certificates.ca_arn
  template_arn                  = module.certificates.template_arns.etcd
  kms_key_arn                   = module.storage.kms_key_arn
  client_security_group_ids     = { hosts = module.hosts.security_group_id, control = module.control.security_group_id }
  prometheus_security_group_ids = var.prometheus_security_group_ids
  log_group_name                = aws_cloudwatch_log_group.this.name
  log_group_arn                 = aws_cloudwatch_log_group.this.arn
  metrics_namespace             = local.namespace
  session_manager               = var.session_manager
}

locals {
  platform = {
    name                 = var.name
    region               = local.region
    account_id           = local.account_id
    partition            = local.partition
    vpc_id               = module.network.vpc_id
    subnet_ids           = module.network.subnet_ids
    ami_id               = local.ami_id
    binary               = var.redoubt_binary
    artifact_object_arns = local.redoubt_object
    etcd                 = { endpoints = module.etcd.endpoints, own = true, security_group_id = module.etcd.security_group_id }
    store                = { url = module.storage.store, region = local.region }
    store_access         = { bucket_arn = module.storage.bucket_arn, prefix = var.bucket_prefix, kms_key_arn = module.storage.kms_key_arn }
    certificate          = { ca_arn = module.certificates.ca_arn }
    kms_key_arn          = module.storage.kms_key_arn
    log_group_name       = aws_cloudwatch_log_group.this.name
    log_group_arn        = aws_cloudwatch_log_group.this.arn
    metrics_namespace    = local.namespace
    session_manager      = var.session_manager
  }
}

module "hosts" {
  source                    = "./modules/hosts"
  platform                  = local.platform
  hosts_per_az              = var.hosts_per_az
  instance_type             = var.host_instance_type
  memory_percent            = var.host_memory_percent
  root_volume_size          = var.host_root_volume_size
  ports                     = var.node_ports
  engines                   = var.engines
  template_arn              = module.certificates.template_arns.hosts
  client_security_group_ids = var.client_security_group_ids
  client_cidrs              = var.client_cidrs
  drain_seconds             = var.drain_seconds

  prometheus_security_group_ids = var.prometheus_security_group_ids
}

module "control" {
  source                    = "./modules/control"
  platform                  = local.platform
  instances                 = var.control_instances
  instance_type             = var.control_instance_type
  root_volume_size          = var.control_root_volume_size
  template_arn              = module.certificates.template_arns.control
  zone_id                   = module.network.zone_id
  host_name                 = "control.${module.network.zone_name}"
  client_security_group_ids = var.client_security_group_ids
  client_cidrs              = var.client_cidrs
  deletion_protection       = var.deletion_protection

  prometheus_security_group_ids = var.prometheus_security_group_ids
}

module "monitoring" {
  source            = "./modules/monitoring"
  name              = var.name
  metrics_namespace = local.namespace
  topic_arns        = var.alarm_topic_arns
  clusters          = var.alarm_clusters
  etcd              = { instance_ids = module.etcd.instance_ids }
  autoscaling_groups = merge(
    { control = module.control.autoscaling_group_name },
    { for zone, name in module.hosts.autoscaling_group_names : "hosts-${zone}" => name },
  )
  control    = { target_group = module.control.target_group_arn_suffix, load_balancer = module.control.load_balancer_arn_suffix }
  thresholds = var.alarm_thresholds
}
