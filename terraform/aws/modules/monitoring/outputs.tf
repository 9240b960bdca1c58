output "alarm_names" {
  description = "Names of all alarms."
  value = concat(
    [for alarm in aws_cloudwatch_metric_alarm.shared : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.no_primary : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.etcd_instance : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.missing_machines : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.control.alarm_name],
  )
}
