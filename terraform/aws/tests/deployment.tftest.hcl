mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  redoubt_binary = {
    url    = "s3://shop-artifacts/redoubt/1.0.0/redoubt"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
  etcd_binary = {
    url    = "s3://shop-artifacts/etcd/etcd-v3.7.3-linux-arm64.tar.gz"
    sha256 = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
  }
}

run "defaults" {
  assert {
    condition     = output.endpoint == "https://control.redoubt.internal:8443"
    error_message = "The provider's endpoint is the control plane's name, is ${output.endpoint}."
  }
  assert {
    condition     = output.etcd_endpoints == ["https://etcd-0.redoubt.internal:2379", "https://etcd-1.redoubt.internal:2379", "https://etcd-2.redoubt.internal:2379"]
    error_message = "etcd is reached by the names of its members."
  }
  assert {
    condition     = keys(output.subnet_ids) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    error_message = "There is a subnet in each of the region's first three zones."
  }
  assert {
    condition     = keys(module.hosts.autoscaling_group_names) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    error_message = "There is an auto-scaling group a zone."
  }
  assert {
    condition     = output.store == "s3://redoubt-123456789012-eu-central-1/redoubt"
    error_message = "The bucket's name has the account and the region, is ${output.store}."
  }
  assert {
    condition     = output.ca_certificate != ""
    error_message = "The provider needs the CA."
  }
  assert {
    condition     = strcontains(module.hosts.files["/usr/local/lib/redoubt/boot"], "fetch '/usr/local/bin/redoubt' 's3://shop-artifacts/redoubt/1.0.0/redoubt' '0123456789abcdef")
    error_message = "Hosts fetch the program and check it."
  }
  assert {
    condition     = strcontains(module.hosts.files["/etc/redoubt/machine.env"], "--store=s3://redoubt-123456789012-eu-central-1/redoubt --region=eu-central-1")
    error_message = "Hosts know the store."
  }
  assert {
    condition     = alltrue([for content in concat(values(module.hosts.files), values(module.control.files)) : !strcontains(content, "PRIVATE KEY")])
    error_message = "There is a private key in user data."
  }
  assert {
    condition = alltrue([for name in ["head-fill", "etcd-sync", "etcd-quota", "etcd-leader", "host-memory", "disk", "control", "etcd-0", "missing-hosts-eu-central-1a"] :
    contains(output.alarm_names, "redoubt-${name}")])
    error_message = "An alarm is missing."
  }
}

run "five_members_on_local_disks" {
  variables {
    etcd_members       = 5
    etcd_instance_type = "i4g.xlarge"
    etcd_storage       = { kind = "instance_store" }
    nat_gateways       = "per_az"
    alarm_clusters     = ["shop"]
    engines = {
      "1.0.0" = { url = "https://example.com/redoubt-1.0.0", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    }
  }
  assert {
    condition     = length(output.etcd_endpoints) == 5
    error_message = "There are five members."
  }
  assert {
    condition     = length(module.etcd.volume_ids) == 0
    error_message = "Members on their instances' disks have no volumes."
  }
  assert {
    condition     = contains(output.alarm_names, "redoubt-no-primary-shop")
    error_message = "A named cluster without a primary is an alarm."
  }
  assert {
    condition     = strcontains(module.hosts.files["/usr/local/lib/redoubt/boot"], "fetch '/usr/local/lib/redoubt/engines/1.0.0' 'https://example.com/redoubt-1.0.0'")
    error_message = "Hosts fetch the engines."
  }
}

run "existing_vpc_and_ca" {
  variables {
    existing_vpc = {
      vpc_id     = "vpc-1"
      subnet_ids = { "eu-central-1a" = "subnet-1", "eu-central-1b" = "subnet-2", "eu-central-1c" = "subnet-3" }
    }
    interface_endpoints       = []
    certificate_authority_arn = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1"
  }
  assert {
    condition     = output.vpc_id == "vpc-1" && output.subnet_ids["eu-central-1b"] == "subnet-2"
    error_message = "The given VPC is used."
  }
  assert {
    condition     = module.certificates.ca_arn == "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1"
    error_message = "The given CA is used."
  }
}

# Each of these alone is refused: every one of the failures is expected.
run "refuses_what_cannot_work" {
  command = plan
  variables {
    name               = "Shop_"
    availability_zones = ["eu-central-1a", "eu-central-1b"]
    etcd_members       = 4
    etcd_storage       = { data_size = 10 }
    redoubt_binary     = { url = "http://example.com/redoubt", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    client_cidrs       = ["0.0.0.0/0"]
    control_instances  = 1
    hosts_per_az       = 0
    node_ports         = { first = 6479, last = 6379 }
    log_retention_days = 31
  }
  expect_failures = [
    var.name, var.availability_zones, var.etcd_members, var.etcd_storage, var.redoubt_binary,
    var.client_cidrs, var.control_instances, var.hosts_per_az, var.node_ports, var.log_retention_days,
  ]
}

# What other variables' checks look at is wrong alone.
run "refuses_binaries_out_of_reach_and_a_short_election" {
  command = plan
  variables {
    etcd_binary   = { url = "https://example.com/etcd.tar.gz", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
    etcd_settings = { election_timeout = 100, heartbeat = 50 }
  }
  expect_failures = [var.nat_gateways, var.etcd_settings]
}
