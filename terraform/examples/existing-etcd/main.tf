# Hosts and control plane on AWS, beside an etcd that is there already and any storage
# that speaks S3. The pieces of ../../aws are used one by one, without those for etcd,
# the bucket and the private CA.
provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_kms_key" "this" {
  description         = "Disks and logs of ${var.name}"
  enable_key_rotation = true
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/redoubt/${var.name}/machines"
  retention_in_days = 30
}

locals {
  platform = {
    name                 = var.name
    region               = var.region
    account_id           = data.aws_caller_identity.current.account_id
    partition            = data.aws_partition.current.partition
    vpc_id               = var.vpc_id
    subnet_ids           = var.subnet_ids
    ami_id               = var.ami_id
    binary               = var.redoubt_binary
    artifact_object_arns = []
    etcd                 = { endpoints = var.etcd.endpoints, own = false, cidrs = var.etcd.cidrs, port = var.etcd.port }
    store                = var.store
    certificate          = { parameters = var.etcd.parameters }
    secret_key_arn       = var.secret_key_arn
    kms_key_arn          = aws_kms_key.this.arn
    log_group_name       = aws_cloudwatch_log_group.this.name
    log_group_arn        = aws_cloudwatch_log_group.this.arn
    metrics_namespace    = "Redoubt/${var.name}"
    session_manager      = true
  }
}

module "hosts" {
  source                    = "../../aws/modules/hosts"
  platform                  = local.platform
  hosts_per_az              = 1
  instance_type             = "r7g.large"
  memory_percent            = 85
  root_volume_size          = 50
  ports                     = { first = 6379, last = 6479 }
  engines                   = {}
  client_security_group_ids = []
  client_cidrs              = var.client_cidrs
  drain_seconds             = 240
}

module "control" {
  source                    = "../../aws/modules/control"
  platform                  = local.platform
  instances                 = 2
  instance_type             = "r7g.large"
  root_volume_size          = 50
  zone_id                   = var.zone_id
  host_name                 = var.control_host_name
  client_security_group_ids = []
  client_cidrs              = var.client_cidrs
  deletion_protection       = false
}
