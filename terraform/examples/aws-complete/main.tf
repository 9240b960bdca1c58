# Redoubt's machines in a VPC of their own: etcd, hosts and control plane over three
# zones. Databases are made afterwards, with the redoubt provider (README).
provider "aws" {
  region = var.region
  default_tags {
    tags = { Deployment = "redoubt-${var.name}" }
  }
}

module "redoubt" {
  source = "../../aws"

  name           = var.name
  redoubt_binary = var.redoubt_binary
  etcd_binary    = var.etcd_binary

  # Who may use it: what peers with the VPC, or a VPN.
  client_cidrs = var.client_cidrs

  etcd_instance_type = "m7g.xlarge"
  etcd_storage = {
    volume_type = "io2" # syncs in less time than gp3
    wal_size    = 30
    wal_iops    = 8000
  }

  host_instance_type = "r7g.2xlarge"
  hosts_per_az       = 1

  alarm_topic_arns = [aws_sns_topic.alarms.arn]
  alarm_clusters   = var.clusters
}

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email == null ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
