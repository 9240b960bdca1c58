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

variable "hosts_per_az" {
  description = "Hosts in each zone."
  type        = number
}

variable "instance_type" {
  description = "Instance type."
  type        = string
}

variable "memory_percent" {
  description = "Share of a host's memory that nodes may have in all."
  type        = number
}

variable "root_volume_size" {
  description = "GiB of the root disk: binaries, logs, and the files of snapshots in the making."
  type        = number
}

variable "ports" {
  description = "Ports that nodes may serve on, both ends included."
  type        = object({ first = number, last = number })
}

variable "template_arn" {
  description = "Certificate template of hosts, when they have a private CA."
  type        = string
  default     = null
}

variable "client_security_group_ids" {
  description = "Security groups that Redis clients are in."
  type        = list(string)
}

variable "client_cidrs" {
  description = "Address ranges that Redis clients are in."
  type        = list(string)
}

variable "drain_seconds" {
  description = "Seconds that a host gets to hand over its shards before auto scaling ends it."
  type        = number
}

variable "engines" {
  description = "Versions of redoubt that nodes can run, by version; none: that of the agent, and platform.binary must not change until it is named here."
  type        = map(object({ url = string, sha256 = string }))
}

variable "prometheus_security_group_ids" {
  description = "Security groups that may scrape the agents' metrics port; none: it listens on the loopback interface only."
  type        = list(string)
  default     = []
}
