mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  platform = {
    name                 = "shop"
    region               = "eu-central-1"
    account_id           = "123456789012"
    partition            = "aws"
    vpc_id               = "vpc-1"
    subnet_ids           = { "eu-central-1a" = "subnet-1", "eu-central-1b" = "subnet-2", "eu-central-1c" = "subnet-3" }
    ami_id               = "ami-1"
    binary               = { url = "s3://artifacts/redoubt", sha256 = "00" }
    artifact_object_arns = ["arn:aws:s3:::artifacts/redoubt"]
    etcd                 = { endpoints = ["https://etcd-0.shop.internal:2379"], own = true, security_group_id = "sg-etcd" }
    store                = { url = "s3://shop-redoubt/prod", region = "eu-central-1" }
    store_access         = { bucket_arn = "arn:aws:s3:::shop-redoubt", prefix = "prod", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
    certificate          = { ca_arn = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1" }
    kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/1"
    log_group_name       = "/redoubt/shop/machines"
    log_group_arn        = "arn:aws:logs:eu-central-1:123456789012:log-group:/redoubt/shop/machines"
    metrics_namespace    = "Redoubt/shop"
    session_manager      = true
  }
  role             = "hosts"
  instance_type    = "r7g.large"
  root_volume_size = 50
  template_arn     = "arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1"
  environment      = {}
  files            = {}
  units            = []
  logs             = { agent = "/var/log/redoubt/agent.log" }
}

run "least_privilege" {
  module {
    source = "./modules/launch"
  }
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]]))
    error_message = "An action is a wildcard."
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
    !contains(statement.Resource, "*") || contains(["Metrics", "SessionManager"], statement.Sid)])
    error_message = "A resource is everything."
  }
  assert {
    condition = one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if statement.Sid == "StoreObjects"]) == {
      Sid      = "StoreObjects"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
      Resource = ["arn:aws:s3:::shop-redoubt/prod/*"]
    }
    error_message = "Hosts read and write objects of their prefix, and delete none."
  }
  assert {
    condition = one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if statement.Sid == "IssueCertificate"]).Condition == {
      StringEquals = { "acm-pca:TemplateArn" = "arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1" }
    }
    error_message = "Hosts get client certificates only."
  }
  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "IMDSv2, and an encrypted disk."
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.etcd) == 1 && aws_vpc_security_group_egress_rule.etcd[0].from_port == 2379
    error_message = "Machines reach etcd."
  }
}

run "hosts" {
  module {
    source = "./modules/hosts"
  }
  variables {
    hosts_per_az              = 2
    memory_percent            = 85
    ports                     = { first = 6379, last = 6479 }
    engines                   = {}
    client_security_group_ids = ["sg-app"]
    client_cidrs              = ["10.9.0.0/16"]
    drain_seconds             = 240
  }
  assert {
    condition     = tomap({ for zone, group in aws_autoscaling_group.this : zone => one(group.vpc_zone_identifier) }) == var.platform.subnet_ids
    error_message = "There is a group a zone, in that zone's subnet."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.this : group.min_size == 2 && group.desired_capacity == 2])
    error_message = "Two hosts a zone."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.this : one(group.initial_lifecycle_hook).lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING"])
    error_message = "Hosts hand over before they end."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.client_groups[0].from_port == 6379 && aws_vpc_security_group_ingress_rule.client_groups[0].to_port == 6479
    error_message = "Clients reach the nodes' ports."
  }
  assert {
    condition     = strcontains(output.files["/etc/systemd/system/redoubt-agent.service"], "redoubt agent --host-id")
    error_message = "The agent runs as a unit."
  }
  assert {
    condition = { for file in jsondecode(output.files["/etc/redoubt/cloudwatch.json"]).logs.logs_collected.files.collect_list :
      file.log_stream_name => [file.file_path, file.publish_multi_logs] } == {
      "{instance_id}/agent" = ["/var/log/redoubt/agent.log", false]
      "{instance_id}/nodes" = ["/var/lib/redoubt/nodes/*/log", true]
    }
    error_message = "The logs of the agent and of each of its nodes are shipped."
  }
  assert {
    condition     = strcontains(output.files["/etc/redoubt/logrotate.conf"], "/var/log/redoubt/*.log") && strcontains(output.files["/usr/local/lib/redoubt/boot"], "redoubt-logs.timer")
    error_message = "Logs are kept within bounds."
  }
}

# Auto scaling may replace a host at any time: by one that cannot run what is there.
run "another_program_and_no_engines" {
  command = plan
  module {
    source = "./modules/hosts"
  }
  variables {
    platform                  = merge(var.platform, { binary = { url = "s3://artifacts/redoubt-2", sha256 = "02" } })
    hosts_per_az              = 2
    memory_percent            = 85
    ports                     = { first = 6379, last = 6479 }
    engines                   = {}
    client_security_group_ids = []
    client_cidrs              = []
    drain_seconds             = 240
  }
  expect_failures = [output.autoscaling_group_names]
}

run "another_program_beside_the_old_one" {
  module {
    source = "./modules/hosts"
  }
  variables {
    platform       = merge(var.platform, { binary = { url = "s3://artifacts/redoubt-2", sha256 = "02" } })
    hosts_per_az   = 2
    memory_percent = 85
    ports          = { first = 6379, last = 6479 }
    engines = {
      "v1" = { url = "s3://artifacts/redoubt", sha256 = "00" }
      "v2" = { url = "s3://artifacts/redoubt-2", sha256 = "02" }
    }
    client_security_group_ids = []
    client_cidrs              = []
    drain_seconds             = 240
  }
  assert {
    condition = alltrue([for version, url in { v1 = "s3://artifacts/redoubt", v2 = "s3://artifacts/redoubt-2" } :
    strcontains(output.files["/usr/local/lib/redoubt/boot"], "fetch '/usr/local/lib/redoubt/engines/${version}' '${url}'")])
    error_message = "Hosts have both versions."
  }
  assert {
    condition     = contains(split("\n", output.files["/etc/redoubt/machine.env"]), "AGENT_FLAGS=\"--engines=/usr/local/lib/redoubt/engines\"")
    error_message = "The agent offers both versions."
  }
}

run "control" {
  module {
    source = "./modules/control"
  }
  variables {
    instances                 = 2
    zone_id                   = "Z1"
    host_name                 = "control.shop.internal"
    client_security_group_ids = ["sg-app"]
    client_cidrs              = []
    deletion_protection       = true
  }
  assert {
    condition     = aws_lb.this.internal && aws_lb.this.load_balancer_type == "network"
    error_message = "The balancer is internal."
  }
  assert {
    condition     = aws_lb_listener.this.protocol == "TCP" && aws_lb_listener.this.port == 8443
    error_message = "TLS ends at the control plane."
  }
  assert {
    condition     = length(aws_autoscaling_group.this.vpc_zone_identifier) == 3
    error_message = "The control plane is spread over the zones."
  }
  assert {
    condition     = contains(split("\n", output.files["/etc/redoubt/machine.env"]), "CERTIFICATE_NAMES=\"control.shop.internal\"")
    error_message = "The certificate has the API's name."
  }
  assert {
    condition = alltrue([for line in ["CONTROL_METRICS_LISTEN=\"127.0.0.1:9121\"", "CONTROL_METRICS_OPEN=\"false\"", "METRICS_URLS=\"http://127.0.0.1:9121/metrics\""] :
    contains(split("\n", output.files["/etc/redoubt/machine.env"]), line)])
    error_message = "Metrics are for the machine itself."
  }
  assert {
    condition     = strcontains(output.files["/etc/systemd/system/redoubt-control.service"], " --metrics-listen $${CONTROL_METRICS_LISTEN} ") && length(aws_vpc_security_group_ingress_rule.metrics) == 0
    error_message = "The control plane serves metrics."
  }
}

run "control_for_prometheus" {
  module {
    source = "./modules/control"
  }
  variables {
    instances                     = 2
    zone_id                       = "Z1"
    host_name                     = "control.shop.internal"
    client_security_group_ids     = ["sg-app"]
    client_cidrs                  = []
    deletion_protection           = true
    prometheus_security_group_ids = ["sg-prometheus"]
  }
  assert {
    condition     = alltrue([for line in ["CONTROL_METRICS_LISTEN=\"0.0.0.0:9121\"", "CONTROL_METRICS_OPEN=\"true\""] : contains(split("\n", output.files["/etc/redoubt/machine.env"]), line)])
    error_message = "Prometheus reaches the metrics."
  }
  assert {
    condition     = one(aws_vpc_security_group_ingress_rule.metrics).from_port == 9121 && one(aws_vpc_security_group_ingress_rule.metrics).referenced_security_group_id == "sg-prometheus"
    error_message = "Prometheus is let in."
  }
}

run "secrets_from_parameters" {
  module {
    source = "./modules/launch"
  }
  variables {
    platform = {
      name                 = "shop"
      region               = "eu-central-1"
      account_id           = "123456789012"
      partition            = "aws"
      vpc_id               = "vpc-1"
      subnet_ids           = { "eu-central-1a" = "subnet-1" }
      ami_id               = "ami-1"
      binary               = { url = "https://example.com/redoubt", sha256 = "00" }
      artifact_object_arns = []
      etcd                 = { endpoints = ["https://etcd.example.com:2379"], own = false, cidrs = ["192.0.2.0/24"] }
      store = {
        url         = "s3://shop/prod"
        region      = "us-east-1"
        endpoint    = "https://objects.example.com:9000"
        path_style  = true
        cidrs       = ["198.51.100.0/24"]
        port        = 9000
        credentials = { access_key_parameter = "/shop/s3/access-key", secret_key_parameter = "/shop/s3/secret-key" }
      }
      certificate       = { parameters = { ca = "/shop/etcd/ca", certificate = "/shop/etcd/certificate", key = "/shop/etcd/key" } }
      secret_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/2"
      kms_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/1"
      log_group_name    = "/redoubt/shop/machines"
      log_group_arn     = "arn:aws:logs:eu-central-1:123456789012:log-group:/redoubt/shop/machines"
      metrics_namespace = "Redoubt/shop"
      session_manager   = false
    }
  }
  assert {
    condition = toset(one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "Secrets"])) == toset([
      for name in ["s3/access-key", "s3/secret-key", "etcd/ca", "etcd/certificate", "etcd/key"] : "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/${name}"
    ])
    error_message = "The machines read their secrets, by name."
  }
  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if contains(["IssueCertificate", "StoreObjects"], statement.Sid)]) == 0
    error_message = "There is no private CA and no bucket of AWS's."
  }
  assert {
    condition     = strcontains(output.files["/etc/redoubt/machine.env"], "--store-endpoint=https://objects.example.com:9000 --store-path-style")
    error_message = "The store's address is passed on."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.store["198.51.100.0/24"].from_port == 9000 && aws_vpc_security_group_egress_rule.etcd_elsewhere["192.0.2.0/24"].to_port == 2379
    error_message = "Machines reach etcd and the store where they are."
  }
}
