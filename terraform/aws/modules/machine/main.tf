locals {
  scripts = {
    "/usr/local/lib/redoubt/fetch"       = file("${path.module}/files/fetch.sh")
    "/usr/local/lib/redoubt/certificate" = file("${path.module}/files/certificate.sh")
    "/usr/local/lib/redoubt/metadata"    = file("${path.module}/files/metadata.sh")
    "/usr/local/lib/redoubt/metrics"     = file("${path.module}/files/metrics.sh")
  }

  environment = merge({
    AWS_REGION         = var.region
    AWS_DEFAULT_REGION = var.region
    METRICS_NAMESPACE  = var.metrics_namespace
    CERTIFICATE_DAYS   = tostring(var.certificate.days)
    CERTIFICATE_NAMES  = join(" ", var.certificate.names)
    CERTIFICATE_OWNER  = var.user
    }, var.certificate.parameters == null ? {
    CA_ARN       = var.certificate.ca_arn
    TEMPLATE_ARN = var.certificate.template_arn
    } : {
    CA_PARAMETER          = var.certificate.parameters.ca
    CERTIFICATE_PARAMETER = var.certificate.parameters.certificate
    KEY_PARAMETER         = var.certificate.parameters.key
  }, var.environment)

  cloudwatch = jsonencode({
    agent = { metrics_collection_interval = 60, run_as_user = "root" }
    logs = { logs_collected = { files = { collect_list = [for stream, path in var.logs : {
      file_path       = path
      log_group_name  = var.log_group
      log_stream_name = "{instance_id}/${stream}"
      # Of several files that a pattern names only the newest is read otherwise. Each has
      # a stream of its own then, with its path behind the name.
      publish_multi_logs = strcontains(path, "*")
    }] } } }
    metrics = {
      namespace = var.metrics_namespace
      metrics_collected = {
        mem  = { measurement = ["mem_used_percent"] }
        disk = { measurement = ["used_percent"], resources = ["*"], ignore_file_system_types = ["tmpfs", "devtmpfs", "overlay", "squashfs"] }
      }
      append_dimensions      = { InstanceId = "$${aws:InstanceId}" }
      aggregation_dimensions = [["InstanceId"], []]
    }
  })

  files = merge(
    { for path, content in local.scripts : path => { content = content, mode = "0755" } },
    { "/etc/redoubt/machine.env" = {
      content = join("", [for key in sort(keys(local.environment)) : "${key}=\"${local.environment[key]}\"\n"])
      mode    = "0644"
    } },
    { "/etc/redoubt/cloudwatch.json" = { content = local.cloudwatch, mode = "0644" } },
    { "/etc/redoubt/logrotate.conf" = { content = file("${path.module}/files/logrotate.conf"), mode = "0644" } },
    { for unit in [
      "redoubt-certificate.service", "redoubt-certificate.timer", "redoubt-metrics.service", "redoubt-metrics.timer", "redoubt-logs.service", "redoubt-logs.timer",
    ] : "/etc/systemd/system/${unit}" => { content = file("${path.module}/files/${unit}"), mode = "0644" } },
    var.files,
  )

  # One step after the other; the first that fails ends the boot there, and what is
  # missing shows as a machine that never becomes healthy.
  boot = join("\n", concat(
    ["#!/bin/bash", "set -euo pipefail", "/usr/local/lib/redoubt/metadata"],
    [for name in sort(keys(var.binaries)) : format("/usr/local/lib/redoubt/fetch '%s' '%s' '%s' %s",
      "${var.binaries[name].folder}/${name}", var.binaries[name].url, var.binaries[name].sha256, join(" ", var.binaries[name].members))
    ],
    [
      "id -u ${var.user} >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin ${var.user}",
      "dnf -y -q install amazon-cloudwatch-agent logrotate",
      "systemctl daemon-reload",
      "systemctl enable --now redoubt-certificate.service",
      "systemctl enable --now redoubt-certificate.timer redoubt-metrics.timer redoubt-logs.timer",
      "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/redoubt/cloudwatch.json",
    ],
    [for unit in var.units : "systemctl enable --now ${unit}"],
    [""],
  ))

  cloud_config = "#cloud-config\n${yamlencode({
    write_files = concat(
      [for path in sort(keys(local.files)) : { path = path, content = local.files[path].content, permissions = local.files[path].mode }],
      [{ path = "/usr/local/lib/redoubt/boot", content = local.boot, permissions = "0755" }],
    )
    runcmd = [["/usr/local/lib/redoubt/boot"]]
  })}"
}
