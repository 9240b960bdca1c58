variable "region" {
  description = "Region of the machines."
  type        = string
}

variable "name" {
  description = "Name of the deployment."
  type        = string
  default     = "redoubt"
}

variable "vpc_id" {
  description = "VPC of the machines."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnet for each of three zones; they must reach AWS, etcd and the storage."
  type        = map(string)
  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "A subnet in each of at least three zones is needed."
  }
}

variable "ami_id" {
  description = "Amazon Linux 2023 image (arm64)."
  type        = string
}

variable "redoubt_binary" {
  description = "The redoubt program (arm64): an https:// URL and its SHA-256."
  type        = object({ url = string, sha256 = string })
}

variable "etcd" {
  description = "etcd: its URLs, the addresses and port it is at, and SSM parameters (SecureString, written by you) with the CA, a certificate for Redoubt's machines and its key. The control plane serves with that certificate, too: it must name control_host_name."
  type = object({
    endpoints  = list(string)
    cidrs      = list(string)
    port       = optional(number, 2379)
    parameters = object({ ca = string, certificate = string, key = string })
  })
}

variable "store" {
  description = "Storage: redoubt's --store, --region, --store-endpoint and --store-path-style, the addresses and port it is at, and SSM parameters (SecureString, written by you) with the keys."
  type = object({
    url         = string
    region      = string
    endpoint    = string
    path_style  = optional(bool, true)
    cidrs       = list(string)
    port        = optional(number, 443)
    credentials = object({ access_key_parameter = string, secret_key_parameter = string })
  })
}

variable "secret_key_arn" {
  description = "KMS key that the parameters are encrypted with; null: AWS's own."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Private hosted zone for the control plane's name."
  type        = string
}

variable "control_host_name" {
  description = "The control plane's name, in that zone."
  type        = string
}

variable "client_cidrs" {
  description = "Address ranges of Redis clients and of where terraform runs."
  type        = list(string)
}
