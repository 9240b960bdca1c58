output "endpoint" {
  description = "URL of the API."
  value       = "https://${var.host_name}:${local.port}"
}

output "security_group_id" {
  description = "Security group of the instances."
  value       = module.launch.security_group_id
}

output "autoscaling_group_name" {
  description = "Auto-scaling group."
  value       = aws_autoscaling_group.this.name
}

output "target_group_arn_suffix" {
  description = "Target group, as CloudWatch names it."
  value       = aws_lb_target_group.this.arn_suffix
}

output "load_balancer_arn_suffix" {
  description = "Load balancer, as CloudWatch names it."
  value       = aws_lb.this.arn_suffix
}

output "files" {
  description = "What the user data writes, by path."
  value       = module.launch.files
}
