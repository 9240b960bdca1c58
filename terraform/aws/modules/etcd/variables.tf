variable "name" {
  description = "Name of the deployment; every resource carries it."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "account_id" {
  description = "Account, for ARNs."
  type        = string
}

variable "partition" {
  description = "AWS partition, for ARNs."
  type        = string
}

variable "vpc_id" {
  description = "VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnet by availability zone. Members are spread over them in order of the zones' names."
  type        = map(string)
}

variable "zone_id" {
  description = "Private hosted zone for the members' names."
  type        = string
}

variable "zone_name" {
  description = "Its name."
  type        = string
}

variable "members" {
  description = "3 or 5."
  type        = number
}

variable "instance_type" {
  description = "Instance type. A change reaches a member when it is replaced."
  type        = string
}

variable "ami_id" {
  description = "Amazon Linux 2023 image. A change reaches a member when it is replaced."
  type        = string
}

variable "storage" {
  description = "ebs: two volumes a member, log and data, that survive the instance; instance_store: the instance's own NVMe, emptied with it."
  type = object({
    kind            = string
    volume_type     = string
    wal_size        = number
    wal_iops        = number
    wal_throughput  = number
    data_size       = number
    data_iops       = number
    data_throughput = number
  })
}

variable "settings" {
  description = "etcd's own settings; docs/OPERATIONS.md says why these."
  type = object({
    quota_bytes      = number
    election_timeout = number
    heartbeat        = number
  })
}

variable "binary" {
  description = "Release archive with etcd and etcdctl."
  type        = object({ url = string, sha256 = string })
}

variable "artifact_object_arns" {
  description = "S3 objects that binaries are read from."
  type        = list(string)
}

variable "ca_arn" {
  description = "Private CA that issues the members' certificates."
  type        = string
}

variable "template_arn" {
  description = "Certificate template that members may use."
  type        = string
}

variable "kms_key_arn" {
  description = "Key for disks and parameters."
  type        = string
}

variable "client_security_group_ids" {
  description = "Security groups that may reach the client port, by what they are."
  type        = map(string)
}

variable "prometheus_security_group_ids" {
  description = "Security groups that may scrape the metrics port; none: it listens on the loopback interface only."
  type        = list(string)
}

variable "log_group_name" {
  description = "CloudWatch log group."
  type        = string
}

variable "log_group_arn" {
  description = "ARN of it."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace."
  type        = string
}

variable "session_manager" {
  description = "Let people with the right to it open shells by AWS Session Manager."
  type        = bool
}
