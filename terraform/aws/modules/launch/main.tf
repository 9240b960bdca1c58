locals {
  name  = "${var.platform.name}-${var.role}"
  store = var.platform.store

  secrets = concat(
    var.platform.certificate.parameters == null ? [] : values(var.platform.certificate.parameters),
    local.store.credentials == null ? [] : values(local.store.credentials),
  )
  parameter_arn = "arn:${var.platform.partition}:ssm:${var.platform.region}:${var.platform.account_id}:parameter"

  # What every redoubt process on these machines is told.
  etcd_flags = [
    "--etcd=${join(",", var.platform.etcd.endpoints)}",
    "--etcd-ca=/etc/redoubt/tls/current/ca.pem",
    "--etcd-cert=/etc/redoubt/tls/current/cert.pem",
    "--etcd-key=/etc/redoubt/tls/current/key.pem",
  ]
  store_flags = concat(
    ["--store=${local.store.url}", "--region=${local.store.region}"],
    local.store.endpoint == null ? [] : ["--store-endpoint=${local.store.endpoint}"],
    local.store.path_style ? ["--store-path-style"] : [],
  )
}

module "machine" {
  source            = "../machine"
  region            = var.platform.region
  user              = "redoubt"
  binaries          = merge({ redoubt = var.platform.binary }, var.binaries)
  log_group         = var.platform.log_group_name
  logs              = var.logs
  metrics_namespace = var.platform.metrics_namespace
  units             = var.units
  certificate = {
    ca_arn       = var.platform.certificate.ca_arn
    template_arn = var.template_arn
    names        = var.certificate_names
    parameters   = var.platform.certificate.parameters
  }
  environment = merge({ ETCD_FLAGS = join(" ", local.etcd_flags), STORE_FLAGS = join(" ", local.store_flags) }, local.store.credentials == null ? {} : {
    ACCESS_KEY_PARAMETER = local.store.credentials.access_key_parameter
    SECRET_KEY_PARAMETER = local.store.credentials.secret_key_parameter
  }, var.environment)
  files = merge({
    "/usr/local/lib/redoubt/credentials"              = { content = file("${path.module}/files/credentials.sh"), mode = "0755" }
    "/etc/systemd/system/redoubt-credentials.service" = { content = file("${path.module}/files/redoubt-credentials.service"), mode = "0644" }
  }, var.files)
}

resource "aws_launch_template" "this" {
  name                   = local.name
  description            = "${var.role} of ${var.platform.name}"
  image_id               = var.platform.ami_id
  instance_type          = var.instance_type
  user_data              = module.machine.user_data_base64
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.this.id]

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume_size
      encrypted             = "true"
      kms_key_id            = var.platform.kms_key_arn
      delete_on_termination = "true"
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = local.name, Role = var.role }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = local.name }
  }

  depends_on = [aws_iam_role_policy.this]
}
