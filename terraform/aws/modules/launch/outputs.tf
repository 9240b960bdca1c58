output "launch_template_id" {
  description = "Launch template."
  value       = aws_launch_template.this.id
}

output "launch_template_version" {
  description = "Newest version of it."
  value       = aws_launch_template.this.latest_version
}

output "security_group_id" {
  description = "Security group of the machines."
  value       = aws_security_group.this.id
}

output "files" {
  description = "What the user data writes, by path."
  value       = module.machine.files
}
