output "security_group_id" {
  description = "Security group of the hosts."
  value       = module.launch.security_group_id
}

output "autoscaling_group_names" {
  description = "Auto-scaling groups, by availability zone."
  value       = { for zone, group in aws_autoscaling_group.this : zone => group.name }
}

output "files" {
  description = "What the user data writes, by path."
  value       = module.launch.files
}
