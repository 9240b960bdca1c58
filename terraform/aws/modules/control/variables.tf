variable "platform" {
  description = "Where the machines are and what they use, the same for hosts and control plane; its comments say what is what."
  type = object({
    name       = string
    region     = string
    account_id = string
    partition  = string

    vpc_id     = string
    subnet_ids = map(string) # private, by availability zone

    ami_id               = string
    binary               = object({ url = string, sha256 = string }) # the redoubt program
    artifact_object_arns = list(string)                              # S3 objects that binaries are read from

    # own: security_group_id is that of etcd; otherwise it is reached at cidrs.
    etcd = object({
      endpoints         = list(string)
      own               = bool
      security_group_id = optional(string)
      cidrs             = optional(list(string), [])
      port              = optional(number, 2379)
    })

    # As redoubt's flags. credentials: SSM parameters (SecureString) with the keys of a
    # service that is not AWS's, reached at cidrs and port.
    store = object({
      url         = string
      region      = string
      endpoint    = optional(string)
      path_style  = optional(bool, false)
      credentials = optional(object({ access_key_parameter = string, secret_key_parameter = string }))
      cidrs       = optional(list(string), [])
      port        = optional(number, 443)
    })
    store_access = optional(object({ bucket_arn = string, prefix = string, kms_key_arn = string })) # AWS's S3 only

    # A private CA, or SSM parameters (SecureString) by name.
    certificate = object({
      ca_arn     = optional(string)
      parameters = optional(object({ ca = string, certificate = string, key = string }))
    })
    secret_key_arn = optional(string) # KMS key of the parameters; null: AWS's own

    kms_key_arn       = string # for disks
    log_group_name    = string
    log_group_arn     = string
    metrics_namespace = string
    session_manager   = bool
  })
}

variable "instances" {
  description = "Instances of the control plane; one leads, the others stand by."
  type        = number
}

variable "instance_type" {
  description = "Instance type."
  type        = string
}

variable "root_volume_size" {
  description = "GiB of the root disk."
  type        = number
}

variable "template_arn" {
  description = "Certificate template of the control plane, when it has a private CA."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Private hosted zone for its name."
  type        = string
}

variable "host_name" {
  description = "Its name."
  type        = string
}

variable "client_security_group_ids" {
  description = "Security groups that may call the API."
  type        = list(string)
}

variable "client_cidrs" {
  description = "Address ranges that may call the API."
  type        = list(string)
}

variable "deletion_protection" {
  description = "Keep the load balancer from being deleted."
  type        = bool
}

variable "prometheus_security_group_ids" {
  description = "Security groups that may scrape the metrics port; none: it listens on the loopback interface only."
  type        = list(string)
  default     = []
}
