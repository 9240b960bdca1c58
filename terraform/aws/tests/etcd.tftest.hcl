mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name       = "shop"
  region     = "eu-central-1"
  account_id = "123456789012"
  partition  = "aws"
  vpc_id     = "vpc-1"
  subnet_ids = { "eu-central-1c" = "subnet-3", "eu-central-1a" = "subnet-1", "eu-central-1b" = "subnet-2" }
  zone_id    = "Z1"
  zone_name  = "shop.internal"
  members    = 3

  instance_type = "m7g.large"
  ami_id        = "ami-1"
  storage = {
    kind            = "ebs"
    volume_type     = "gp3"
    wal_size        = 20
    wal_iops        = 6000
    wal_throughput  = 250
    data_size       = 40
    data_iops       = 3000
    data_throughput = 125
  }
  settings                      = { quota_bytes = 8589934592, election_timeout = 500, heartbeat = 50 }
  binary                        = { url = "s3://artifacts/etcd.tar.gz", sha256 = "00" }
  artifact_object_arns          = ["arn:aws:s3:::artifacts/etcd.tar.gz"]
  ca_arn                        = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1"
  template_arn                  = "arn:aws:acm-pca:::template/EndEntityCertificate/V1"
  kms_key_arn                   = "arn:aws:kms:eu-central-1:123456789012:key/1"
  client_security_group_ids     = { hosts = "sg-hosts", control = "sg-control" }
  prometheus_security_group_ids = []
  log_group_name                = "/redoubt/shop/machines"
  log_group_arn                 = "arn:aws:logs:eu-central-1:123456789012:log-group:/redoubt/shop/machines"
  metrics_namespace             = "Redoubt/shop"
  session_manager               = false
}

run "members" {
  module {
    source = "./modules/etcd"
  }
  assert {
    condition     = { for name, interface in aws_network_interface.member : name => interface.subnet_id } == { etcd-0 = "subnet-1", etcd-1 = "subnet-2", etcd-2 = "subnet-3" }
    error_message = "There is one member a zone, at an address of its own."
  }
  assert {
    condition = alltrue([for name, instance in aws_instance.member :
    instance.primary_network_interface[0].network_interface_id == aws_network_interface.member[name].id])
    error_message = "A member's instance uses the member's interface."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.member : instance.metadata_options[0].http_tokens == "required" && instance.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "The metadata service asks for tokens (IMDSv2)."
  }
  assert {
    condition     = alltrue([for volume in concat(values(aws_ebs_volume.wal), values(aws_ebs_volume.data)) : volume.encrypted && volume.kms_key_id == var.kms_key_arn])
    error_message = "Disks are encrypted with the deployment's key."
  }
  assert {
    condition     = aws_ebs_volume.wal["etcd-1"].availability_zone == "eu-central-1b" && aws_ebs_volume.wal["etcd-1"].iops == 6000 && aws_ebs_volume.wal["etcd-1"].throughput == 250
    error_message = "The log has a disk of its own, in the member's zone."
  }
  assert {
    condition     = length(aws_volume_attachment.wal) == 3 && length(aws_volume_attachment.data) == 3
    error_message = "Each member has its two volumes."
  }
  assert {
    condition     = alltrue([for record in aws_route53_record.member : record.type == "A"]) && aws_route53_record.member["etcd-2"].name == "etcd-2.shop.internal"
    error_message = "Each member has a name."
  }
  assert {
    condition = alltrue([for line in [
      "MEMBER_PEERS=\"etcd-0=https://etcd-0.shop.internal:2380,etcd-1=https://etcd-1.shop.internal:2380,etcd-2=https://etcd-2.shop.internal:2380\"",
      "MEMBER=\"etcd-1\"", "MEMBER_QUOTA_BYTES=\"8589934592\"", "MEMBER_ELECTION_TIMEOUT=\"500\"", "MEMBER_HEARTBEAT=\"50\"",
      "MEMBER_LISTEN_METRICS_URLS=\"http://127.0.0.1:2381\"", "STATE_PARAMETER=\"/redoubt/shop/etcd/etcd-1/state\"",
      "CERTIFICATE_NAMES=\"etcd-1.shop.internal\"",
    ] : contains(split("\n", module.machine["etcd-1"].files["/etc/redoubt/machine.env"]), line)])
    error_message = "A setting of etcd-1 is missing in ${module.machine["etcd-1"].files["/etc/redoubt/machine.env"]}"
  }
  assert {
    condition     = length(base64encode(module.machine["etcd-0"].user_data_base64)) > 0
    error_message = "There is user data."
  }
}

run "least_privilege" {
  module {
    source = "./modules/etcd"
  }
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]]))
    error_message = "An action is a wildcard."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
    !contains(statement.Resource, "*") || statement.Sid == "Metrics"])
    error_message = "A resource is everything."
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "MemberState"][0] == [
      for i in range(3) : "arn:aws:ssm:eu-central-1:123456789012:parameter/redoubt/shop/etcd/etcd-${i}/state"
    ]
    error_message = "Members write the parameters of members."
  }
  assert {
    condition     = { for what, rule in aws_vpc_security_group_ingress_rule.client : what => "${rule.referenced_security_group_id} ${rule.from_port}-${rule.to_port}" } == { hosts = "sg-hosts 2379-2379", control = "sg-control 2379-2379" }
    error_message = "Hosts and the control plane reach the client port, and nothing else."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.metrics) == 0
    error_message = "Nobody scrapes unless asked for."
  }
}

run "instance_store_five_and_prometheus" {
  module {
    source = "./modules/etcd"
  }
  variables {
    members                       = 5
    prometheus_security_group_ids = ["sg-prometheus"]
    storage = {
      kind            = "instance_store"
      volume_type     = "gp3"
      wal_size        = 20
      wal_iops        = 6000
      wal_throughput  = 250
      data_size       = 40
      data_iops       = 3000
      data_throughput = 125
    }
  }
  assert {
    condition     = length(aws_instance.member) == 5 && length(aws_ebs_volume.wal) == 0 && length(aws_ebs_volume.data) == 0
    error_message = "Five members without volumes."
  }
  assert {
    condition     = max([for subnet in values(var.subnet_ids) : length([for interface in values(aws_network_interface.member) : interface if interface.subnet_id == subnet])]...) == 2
    error_message = "No zone holds the majority."
  }
  assert {
    condition     = contains(split("\n", module.machine["etcd-0"].files["/etc/redoubt/machine.env"]), "MEMBER_LISTEN_METRICS_URLS=\"http://0.0.0.0:2381\"")
    error_message = "Prometheus reaches the metrics."
  }
  assert {
    condition     = contains(split("\n", module.machine["etcd-0"].files["/etc/redoubt/machine.env"]), "WAL_VOLUME=\"\"")
    error_message = "There is no volume to wait for."
  }
}
