locals {
  # Names of the groups are known before they are, for the policy.
  metrics_port = 9121
  engines      = "/usr/local/lib/redoubt/engines"
  groups       = { for zone, _ in var.platform.subnet_ids : zone => "${var.platform.name}-hosts-${zone}" }
}

module "launch" {
  source           = "../launch"
  platform         = var.platform
  role             = "hosts"
  instance_type    = var.instance_type
  root_volume_size = var.root_volume_size
  template_arn     = var.template_arn
  units            = ["redoubt-credentials.service", "redoubt-agent.service", "redoubt-drain.service"]
  logs = {
    agent = "/var/log/redoubt/agent.log"
    nodes = "/var/lib/redoubt/nodes/*/log" # rotated by the agent, which keeps older ones beside it
  }

  binaries = { for version, engine in var.engines : version => merge(engine, { folder = local.engines }) }

  environment = {
    AGENT_FLAGS         = length(var.engines) == 0 ? "" : "--engines=${local.engines}"
    HOST_MEMORY_PERCENT = tostring(var.memory_percent)
    AGENT_PORTS         = "${var.ports.first}-${var.ports.last}"
    DRAIN_SECONDS       = tostring(var.drain_seconds)
    DRAIN_HOOK          = local.hook
    # Followed by the zone.
    AUTOSCALING_GROUP_PREFIX = "${var.platform.name}-hosts-"
    AGENT_METRICS_LISTEN     = length(var.prometheus_security_group_ids) > 0 ? "0.0.0.0:${local.metrics_port}" : "127.0.0.1:${local.metrics_port}"
    AGENT_METRICS_OPEN       = length(var.prometheus_security_group_ids) > 0 # to those groups alone
    METRICS_URLS_COMMAND     = "/usr/local/lib/redoubt/node-metrics-urls"
  }

  files = {
    "/usr/local/lib/redoubt/drain"              = { content = file("${path.module}/files/drain.sh"), mode = "0755" }
    "/usr/local/lib/redoubt/node-metrics-urls"  = { content = file("${path.module}/files/node-metrics-urls.sh"), mode = "0755" }
    "/etc/systemd/system/redoubt-agent.service" = { content = file("${path.module}/files/redoubt-agent.service") }
    "/etc/systemd/system/redoubt-drain.service" = { content = file("${path.module}/files/redoubt-drain.service") }
  }

  statements = [{
    Sid    = "EndOfDrain"
    Effect = "Allow"
    Action = ["autoscaling:CompleteLifecycleAction"]
    # The group's id in its ARN is made by AWS; its name is the limit.
    Resource = [for group in values(local.groups) :
    "arn:${var.platform.partition}:autoscaling:${var.platform.region}:${var.platform.account_id}:autoScalingGroup:*:autoScalingGroupName/${group}"]
  }]
}

locals {
  hook = "drain"
}

# The program that the first hosts had. Without engines it is the only version that there
# is, and clusters that exist need it on hosts to come: see the outputs' precondition.
resource "terraform_data" "first_binary" {
  input = var.platform.binary.sha256
  lifecycle {
    ignore_changes = [input]
  }
}

# One group a zone: a group over several zones would balance them by ending hosts.
resource "aws_autoscaling_group" "this" {
  for_each            = var.platform.subnet_ids
  name                = local.groups[each.key]
  vpc_zone_identifier = [each.value]
  min_size            = var.hosts_per_az
  max_size            = var.hosts_per_az + 1
  desired_capacity    = var.hosts_per_az
  health_check_type   = "EC2"
  enabled_metrics     = ["GroupInServiceInstances", "GroupDesiredCapacity"]

  launch_template {
    id      = module.launch.launch_template_id
    version = module.launch.launch_template_version
  }

  initial_lifecycle_hook {
    name                 = local.hook
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = var.drain_seconds + 60
    default_result       = "CONTINUE"
  }

  tag {
    key                 = "Name"
    value               = local.groups[each.key]
    propagate_at_launch = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "client_groups" {
  count                        = length(var.client_security_group_ids)
  security_group_id            = module.launch.security_group_id
  description                  = "Redis clients"
  referenced_security_group_id = var.client_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = var.ports.first
  to_port                      = var.ports.last
}

resource "aws_vpc_security_group_ingress_rule" "client_cidrs" {
  for_each          = toset(var.client_cidrs)
  security_group_id = module.launch.security_group_id
  description       = "Redis clients"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.ports.first
  to_port           = var.ports.last
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  count                        = length(var.prometheus_security_group_ids)
  security_group_id            = module.launch.security_group_id
  description                  = "Prometheus"
  referenced_security_group_id = var.prometheus_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = local.metrics_port
  to_port                      = local.metrics_port
}
