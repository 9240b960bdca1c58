variable "name" {
  description = "Name of the deployment; every resource carries it."
  type        = string
}

variable "bucket_name" {
  description = "Name of the bucket."
  type        = string
}

variable "prefix" {
  description = "Where in the bucket Redoubt's data is, without slashes at its ends."
  type        = string
}

variable "noncurrent_version_days" {
  description = "Days that a deleted or overwritten object can still be brought back."
  type        = number
}

variable "force_destroy" {
  description = "Let terraform destroy delete the bucket with all that is in it."
  type        = bool
}

variable "account_id" {
  description = "Account that owns the key."
  type        = string
}

variable "region" {
  description = "Region of the key and the bucket."
  type        = string
}

variable "partition" {
  description = "AWS partition, for ARNs."
  type        = string
}
