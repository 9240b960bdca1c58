output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Private subnets, by availability zone."
  value       = local.subnet_ids
}

output "zone_id" {
  description = "Private hosted zone."
  value       = aws_route53_zone.this.zone_id
}

output "zone_name" {
  description = "Name of the private hosted zone."
  value       = aws_route53_zone.this.name
}
