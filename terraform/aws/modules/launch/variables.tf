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

variable "role" {
  description = "hosts or control: part of names, and the system user's role."
  type        = string
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
  description = "Certificate template that the machines may use, when they have a private CA."
  type        = string
  default     = null
}

variable "certificate_names" {
  description = "Names in the certificate besides the machine's address."
  type        = list(string)
  default     = []
}

variable "statements" {
  description = "What the role may do beyond what all machines may, as policy statements."
  type        = any
  default     = []
}

variable "store_delete" {
  description = "Whether the role may delete objects of the store."
  type        = bool
  default     = false
}

variable "environment" {
  description = "Settings of the role's scripts and units."
  type        = map(string)
}

variable "files" {
  description = "The role's own files, by path."
  type        = map(object({ content = string, mode = optional(string, "0644") }))
}

variable "units" {
  description = "systemd units of the role."
  type        = list(string)
}

variable "logs" {
  description = "Log files to ship, by stream name suffix; or patterns with *, each file of which has a stream of its own."
  type        = map(string)
}

variable "binaries" {
  description = "Programs besides redoubt itself, by name."
  type        = map(object({ url = string, sha256 = string, folder = string }))
  default     = {}
}
