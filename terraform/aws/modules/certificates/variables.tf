variable "name" {
  description = "Name of the deployment; the CA's common name has it."
  type        = string
}

variable "partition" {
  description = "AWS partition, for ARNs."
  type        = string
}

variable "existing_ca_arn" {
  description = "A private CA (ACM PCA) to issue from, instead of a new one."
  type        = string
  default     = null
}
