output "endpoint" {
  description = "URL of the control plane: endpoint of the redoubt provider. It resolves inside the VPC."
  value       = module.control.endpoint
}

output "ca_certificate" {
  description = "CA of the control plane's certificate, PEM: ca_certificate of the redoubt provider."
  value       = module.certificates.ca_certificate
}

output "etcd_endpoints" {
  description = "URLs of etcd's members."
  value       = module.etcd.endpoints
}

output "store" {
  description = "Where segments and snapshots are."
  value       = module.storage.store
}

output "kms_key_arn" {
  description = "Key of the bucket, the disks and the logs."
  value       = module.storage.kms_key_arn
}

output "vpc_id" {
  description = "VPC."
  value       = module.network.vpc_id
}

output "subnet_ids" {
  description = "Private subnets, by availability zone."
  value       = module.network.subnet_ids
}

output "security_group_ids" {
  description = "Security groups of the machines."
  value = {
    etcd    = module.etcd.security_group_id
    hosts   = module.hosts.security_group_id
    control = module.control.security_group_id
  }
}

output "etcd_instance_ids" {
  description = "Instances of etcd's members, by member."
  value       = module.etcd.instance_ids
}

output "alarm_names" {
  description = "CloudWatch alarms."
  value       = module.monitoring.alarm_names
}
