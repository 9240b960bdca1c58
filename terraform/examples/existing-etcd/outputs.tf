output "endpoint" {
  description = "Endpoint of the redoubt provider; its ca_certificate is the CA in etcd.parameters.ca."
  value       = module.control.endpoint
}
