locals {
  port         = 8443
  metrics_port = 9121
}

module "launch" {
  source            = "../launch"
  platform          = var.platform
  role              = "control"
  instance_type     = var.instance_type
  root_volume_size  = var.root_volume_size
  template_arn      = var.template_arn
  certificate_names = [var.host_name]
  store_delete      = true # retention of snapshots, and what no snapshot needs any more
  units             = ["redoubt-credentials.service", "redoubt-control.service"]
  logs              = { control = "/var/log/redoubt/control.log" }
  environment = {
    CONTROL_LISTEN         = ":${local.port}"
    CONTROL_METRICS_LISTEN = length(var.prometheus_security_group_ids) > 0 ? "0.0.0.0:${local.metrics_port}" : "127.0.0.1:${local.metrics_port}"
    CONTROL_METRICS_OPEN   = length(var.prometheus_security_group_ids) > 0 # to those groups alone
    METRICS_URLS           = "http://127.0.0.1:${local.metrics_port}/metrics"
  }
  files = {
    "/usr/local/bin/redoubt-first-token"          = { content = file("${path.module}/files/first-token.sh"), mode = "0755" }
    "/etc/systemd/system/redoubt-control.service" = { content = file("${path.module}/files/redoubt-control.service") }
  }
}

resource "aws_autoscaling_group" "this" {
  name                = "${var.platform.name}-control"
  vpc_zone_identifier = values(var.platform.subnet_ids)
  min_size            = var.instances
  max_size            = var.instances + 1
  desired_capacity    = var.instances
  # Not the balancer's check: that fails on all instances while etcd is away, and new
  # ones would not help.
  health_check_type = "EC2"
  target_group_arns = [aws_lb_target_group.this.arn]
  enabled_metrics   = ["GroupInServiceInstances", "GroupDesiredCapacity"]

  launch_template {
    id      = module.launch.launch_template_id
    version = module.launch.launch_template_version
  }

  # Nothing of a database runs here: a new version can roll by itself.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 50
    }
  }

  tag {
    key                 = "Name"
    value               = "${var.platform.name}-control"
    propagate_at_launch = true
  }
}

resource "aws_security_group" "balancer" {
  name        = "${var.platform.name}-control-lb"
  description = "Load balancer of the control plane of ${var.platform.name}"
  vpc_id      = var.platform.vpc_id
  tags        = { Name = "${var.platform.name}-control-lb" }
}

resource "aws_vpc_security_group_ingress_rule" "client_groups" {
  count                        = length(var.client_security_group_ids)
  security_group_id            = aws_security_group.balancer.id
  description                  = "API clients"
  referenced_security_group_id = var.client_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "client_cidrs" {
  for_each          = toset(var.client_cidrs)
  security_group_id = aws_security_group.balancer.id
  description       = "API clients"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = local.port
  to_port           = local.port
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "control plane"
  referenced_security_group_id = module.launch.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "control" {
  security_group_id            = module.launch.security_group_id
  description                  = "load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
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

# TCP: TLS is between the client and the control plane, with the latter's certificate.
resource "aws_lb" "this" {
  name                             = "${var.platform.name}-control"
  internal                         = true
  load_balancer_type               = "network"
  subnets                          = values(var.platform.subnet_ids)
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.deletion_protection
}

resource "aws_lb_target_group" "this" {
  name                 = "${var.platform.name}-control"
  vpc_id               = var.platform.vpc_id
  port                 = local.port
  protocol             = "TCP"
  target_type          = "instance"
  preserve_client_ip   = "false"
  deregistration_delay = 30
  health_check {
    protocol            = "HTTPS"
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = local.port
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_route53_record" "this" {
  zone_id = var.zone_id
  name    = var.host_name
  type    = "A"
  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
