variable "region" {
  description = "Region to build in."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "Name of the deployment."
  type        = string
  default     = "redoubt"
}

variable "redoubt_binary" {
  description = "The redoubt program (arm64): URL and SHA-256."
  type        = object({ url = string, sha256 = string })
}

variable "etcd_binary" {
  description = "etcd's release archive (arm64): URL and SHA-256."
  type        = object({ url = string, sha256 = string })
}

variable "client_cidrs" {
  description = "Address ranges of Redis clients and of where terraform runs."
  type        = list(string)
}

variable "clusters" {
  description = "Databases whose lack of a primary is an alarm; add them once they are there."
  type        = list(string)
  default     = []
}

variable "alarm_email" {
  description = "Address that alarms are mailed to."
  type        = string
  default     = null
}
