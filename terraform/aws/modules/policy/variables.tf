variable "region" {
  description = "Region that metrics are put in."
  type        = string
}

variable "artifact_object_arns" {
  description = "S3 objects that binaries are read from."
  type        = list(string)
}

variable "ca_arn" {
  description = "Private CA to have certificates issued by; null: none."
  type        = string
  default     = null
}

variable "template_arn" {
  description = "Template that certificates may be issued by."
  type        = string
  default     = null
}

variable "issues_certificates" {
  description = "Whether ca_arn is given: it may not be known yet when this must be."
  type        = bool
  default     = true
}

variable "secret_parameter_arns" {
  description = "SSM parameters (SecureString) to read."
  type        = list(string)
  default     = []
}

variable "secret_key_arn" {
  description = "KMS key of those parameters; null: AWS's own."
  type        = string
  default     = null
}

variable "log_group_arn" {
  description = "Log group to write."
  type        = string
}

variable "metrics_namespace" {
  description = "Metrics namespace to write."
  type        = string
}

variable "session_manager" {
  description = "Let people with the right to it open shells by AWS Session Manager."
  type        = bool
}
