output "endpoint" {
  description = "Endpoint of the redoubt provider."
  value       = module.redoubt.endpoint
}

output "ca_certificate" {
  description = "CA certificate of the redoubt provider."
  value       = module.redoubt.ca_certificate
}

output "vpc_id" {
  description = "VPC to peer with."
  value       = module.redoubt.vpc_id
}
