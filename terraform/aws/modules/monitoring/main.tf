locals {
  # What the machines report without dimensions: the worst of them counts.
  shared = merge(
    {
      head-fill = {
        metric    = "HeadFill", threshold = var.thresholds.head_fill_percent, periods = 3, missing = "notBreaching"
        statistic = "Maximum", comparison = "GreaterThanThreshold"
        text      = "The log's head in etcd fills: object storage is slow or away. At 100 % writes are refused, none is lost."
      }
      host-memory = {
        metric    = "mem_used_percent", threshold = var.thresholds.memory_percent, periods = 5, missing = "missing"
        statistic = "Maximum", comparison = "GreaterThanThreshold"
        text      = "A machine runs out of memory."
      }
      disk = {
        metric    = "disk_used_percent", threshold = var.thresholds.disk_percent, periods = 5, missing = "missing"
        statistic = "Maximum", comparison = "GreaterThanThreshold"
        text      = "A disk fills. etcd without room for its log stops."
      }
    },
    var.etcd == null ? {} : {
      etcd-sync = {
        metric    = "EtcdWALSyncP99", threshold = var.thresholds.etcd_sync_ms, periods = 5, missing = "missing"
        statistic = "Maximum", comparison = "GreaterThanThreshold"
        text      = "A member of etcd syncs its log slowly: every write waits for the second-fastest member."
      }
      etcd-quota = {
        metric    = "EtcdQuotaUsed", threshold = var.thresholds.etcd_quota_percent, periods = 3, missing = "missing"
        statistic = "Maximum", comparison = "GreaterThanThreshold"
        text      = "etcd's file nears its quota. At the quota it refuses all writes."
      }
      etcd-leader = {
        metric    = "EtcdHasLeader", threshold = 1, periods = 2, missing = "breaching"
        statistic = "Minimum", comparison = "LessThanThreshold"
        text      = "A member of etcd sees no leader."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "shared" {
  for_each            = local.shared
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = var.metrics_namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns
}

# A node that is a primary says so each minute; silence is an alarm.
resource "aws_cloudwatch_metric_alarm" "no_primary" {
  for_each            = toset(var.clusters)
  alarm_name          = "${var.name}-no-primary-${each.key}"
  alarm_description   = "Cluster ${each.key} has no primary: it takes no writes."
  namespace           = var.metrics_namespace
  metric_name         = "Primaries"
  dimensions          = { Cluster = each.key }
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns
}

resource "aws_cloudwatch_metric_alarm" "etcd_instance" {
  for_each            = var.etcd == null ? {} : var.etcd.instance_ids
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "The machine of ${each.key} fails its checks. With two members of three gone nothing is written."
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  dimensions          = { InstanceId = each.value }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns
}

resource "aws_cloudwatch_metric_alarm" "missing_machines" {
  for_each            = var.autoscaling_groups
  alarm_name          = "${var.name}-missing-${each.key}"
  alarm_description   = "${each.key}: fewer machines run than should."
  comparison_operator = "LessThanThreshold"
  threshold           = 0
  evaluation_periods  = 5
  treat_missing_data  = "breaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns

  metric_query {
    id          = "missing"
    expression  = "running - wanted"
    label       = "machines more than wanted"
    return_data = true
  }
  metric_query {
    id = "running"
    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupInServiceInstances"
      dimensions  = { AutoScalingGroupName = each.value }
      stat        = "Minimum"
      period      = 60
    }
  }
  metric_query {
    id = "wanted"
    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupDesiredCapacity"
      dimensions  = { AutoScalingGroupName = each.value }
      stat        = "Maximum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "control" {
  alarm_name          = "${var.name}-control"
  alarm_description   = "No instance of the control plane is healthy. Clusters go on; nothing is replaced or changed."
  namespace           = "AWS/NetworkELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { TargetGroup = var.control.target_group, LoadBalancer = var.control.load_balancer }
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = var.topic_arns
  ok_actions          = var.topic_arns
}
