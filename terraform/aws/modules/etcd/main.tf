locals {
  zones = sort(keys(var.subnet_ids))
  members = { for i in range(var.members) : "etcd-${i}" => {
    zone = local.zones[i % length(local.zones)]
    host = "etcd-${i}.${var.zone_name}"
  } }
  peers   = join(",", [for name, member in local.members : "${name}=https://${member.host}:2380"])
  clients = [for name, member in local.members : "https://${member.host}:2379"]

  ebs     = var.storage.kind == "ebs"
  metrics = length(var.prometheus_security_group_ids) > 0

  state_parameter = { for name, _ in local.members : name => "/redoubt/${var.name}/etcd/${name}/state" }
}

# A member is its network interface (address and name) and its volumes. The instance
# between them can be replaced: the member comes back as who it was.
resource "aws_network_interface" "member" {
  for_each        = local.members
  subnet_id       = var.subnet_ids[each.value.zone]
  security_groups = [aws_security_group.this.id]
  description     = "${var.name} ${each.key}"
  tags            = { Name = "${var.name}-${each.key}" }
}

resource "aws_route53_record" "member" {
  for_each = local.members
  zone_id  = var.zone_id
  name     = each.value.host
  type     = "A"
  ttl      = 60
  records  = [aws_network_interface.member[each.key].private_ip]
}

resource "aws_ebs_volume" "wal" {
  for_each          = local.ebs ? local.members : {}
  availability_zone = each.value.zone
  type              = var.storage.volume_type
  size              = var.storage.wal_size
  iops              = var.storage.wal_iops
  throughput        = var.storage.volume_type == "gp3" ? var.storage.wal_throughput : null
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  tags              = { Name = "${var.name}-${each.key}-wal" }
}

resource "aws_ebs_volume" "data" {
  for_each          = local.ebs ? local.members : {}
  availability_zone = each.value.zone
  type              = var.storage.volume_type
  size              = var.storage.data_size
  iops              = var.storage.data_iops
  throughput        = var.storage.volume_type == "gp3" ? var.storage.data_throughput : null
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  final_snapshot    = true
  tags              = { Name = "${var.name}-${each.key}-data" }
}

resource "aws_volume_attachment" "wal" {
  for_each                       = aws_ebs_volume.wal
  device_name                    = "/dev/sdf"
  volume_id                      = each.value.id
  instance_id                    = aws_instance.member[each.key].id
  stop_instance_before_detaching = true
}

resource "aws_volume_attachment" "data" {
  for_each                       = aws_ebs_volume.data
  device_name                    = "/dev/sdg"
  volume_id                      = each.value.id
  instance_id                    = aws_instance.member[each.key].id
  stop_instance_before_detaching = true
}

# "new" until the member first starts, then "bootstrapped": written by the machine, so
# that a member whose disk is empty knows whether it may found the cluster or must
# join it anew. An empty member that took part in votes as its old self could undo
# acknowledged writes.
resource "aws_ssm_parameter" "state" {
  for_each    = local.members
  name        = local.state_parameter[each.key]
  description = "Whether ${each.key} has ever started (new, bootstrapped)"
  type        = "String"
  value       = "new"
  lifecycle {
    ignore_changes = [value]
  }
}

module "machine" {
  source   = "../machine"
  for_each = local.members

  region            = var.region
  user              = "etcd"
  binaries          = { etcd = { url = var.binary.url, sha256 = var.binary.sha256, members = ["etcd", "etcdctl"] } }
  certificate       = { ca_arn = var.ca_arn, template_arn = var.template_arn, names = [each.value.host] }
  log_group         = var.log_group_name
  logs              = { etcd = "/var/log/redoubt/etcd.log" }
  metrics_namespace = var.metrics_namespace
  units             = ["redoubt-disks.service", "etcd.service"]

  environment = {
    METRICS_URLS               = "http://127.0.0.1:2381/metrics"
    STATE_PARAMETER            = local.state_parameter[each.key]
    WAL_VOLUME                 = local.ebs ? aws_ebs_volume.wal[each.key].id : ""
    DATA_VOLUME                = local.ebs ? aws_ebs_volume.data[each.key].id : ""
    MEMBER                     = each.key
    MEMBER_PEERS               = local.peers
    MEMBER_CLIENTS             = join(",", [for name, member in local.members : "${name}=https://${member.host}:2379"])
    MEMBER_CLUSTER_TOKEN       = var.name
    MEMBER_QUOTA_BYTES         = format("%d", var.settings.quota_bytes)
    MEMBER_ELECTION_TIMEOUT    = format("%d", var.settings.election_timeout)
    MEMBER_HEARTBEAT           = format("%d", var.settings.heartbeat)
    MEMBER_LISTEN_CLIENT_URLS  = "https://0.0.0.0:2379"
    MEMBER_LISTEN_PEER_URLS    = "https://0.0.0.0:2380"
    MEMBER_LISTEN_METRICS_URLS = local.metrics ? "http://0.0.0.0:2381" : "http://127.0.0.1:2381"
  }

  files = {
    "/usr/local/lib/redoubt/disks"              = { content = file("${path.module}/files/disks.sh"), mode = "0755" }
    "/usr/local/lib/redoubt/etcd-start"         = { content = file("${path.module}/files/etcd-start.sh"), mode = "0755" }
    "/etc/systemd/system/redoubt-disks.service" = { content = file("${path.module}/files/redoubt-disks.service") }
    "/etc/systemd/system/etcd.service"          = { content = file("${path.module}/files/etcd.service") }
  }
}

resource "aws_instance" "member" {
  for_each             = local.members
  ami                  = var.ami_id
  instance_type        = var.instance_type
  iam_instance_profile = aws_iam_instance_profile.this.name
  user_data_base64     = module.machine[each.key].user_data_base64
  ebs_optimized        = true
  monitoring           = true
  tags                 = { Name = "${var.name}-${each.key}", Role = "etcd" }

  primary_network_interface {
    network_interface_id = aws_network_interface.member[each.key].id
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    encrypted   = true
    kms_key_id  = var.kms_key_arn
  }

  # AWS applies these by stopping the instance, and Terraform would do so to all
  # members at once. Replace one member at a time instead (README).
  lifecycle {
    ignore_changes = [ami, instance_type, user_data_base64]
  }

  # What the first boot needs.
  depends_on = [aws_iam_role_policy.this, aws_ssm_parameter.state, aws_route53_record.member]
}
