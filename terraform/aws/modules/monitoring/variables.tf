variable "name" {
  description = "Name of the deployment; every resource carries it."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace that the machines write."
  type        = string
}

variable "topic_arns" {
  description = "SNS topics that alarms go to; none: alarms are to be looked at."
  type        = list(string)
}

variable "clusters" {
  description = "Names of clusters that must have a primary at all times."
  type        = list(string)
}

variable "etcd" {
  description = "Members by name with their instances, and whether they run on EBS; null: etcd is elsewhere."
  type        = object({ instance_ids = map(string) })
  default     = null
}

variable "autoscaling_groups" {
  description = "Auto-scaling groups that must have as many machines as they should, by what they are."
  type        = map(string)
}

variable "control" {
  description = "Target group and load balancer of the control plane, as CloudWatch names them."
  type        = object({ target_group = string, load_balancer = string })
}

variable "thresholds" {
  description = "Where alarms begin."
  type = object({
    etcd_sync_ms       = number
    etcd_quota_percent = number
    head_fill_percent  = number
    memory_percent     = number
    disk_percent       = number
  })
}
