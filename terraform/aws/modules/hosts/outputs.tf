output "security_group_id" {
  description = "Security group of the hosts."
  value       = module.launch.security_group_id
}

output "autoscaling_group_names" {
  description = "Auto-scaling groups, by availability zone."
  value       = { for zone, group in aws_autoscaling_group.this : zone => group.name }
  precondition {
    condition     = length(var.engines) > 0 || terraform_data.first_binary.output == var.platform.binary.sha256
    error_message = "redoubt_binary has changed and engines is empty: hosts that auto scaling brings would have the new version alone, and no node of a cluster that is there could be placed on them. Name the old version in engines first, with the new one, and upgrade the clusters: terraform/README.md, A new version of redoubt. If no cluster needs the old version: terraform apply -replace=ADDRESS of this module's terraform_data.first_binary."
  }
}

output "files" {
  description = "What the user data writes, by path."
  value       = module.launch.files
}
