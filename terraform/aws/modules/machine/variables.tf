variable "region" {
  description = "Region that the machine calls AWS in."
  type        = string
}


variable "binaries" {
  description = "Programs to fetch at first boot. url is s3:// or https://; sha256 is of what it names; a tar is unpacked and members are taken from it."
  type = map(object({
    url     = string
    sha256  = string
    members = optional(list(string), [])
    folder  = optional(string, "/usr/local/bin")
  }))
}

variable "certificate" {
  description = "Where /etc/redoubt/tls/current comes from: a private CA, or parameters (SecureString) that an operator wrote."
  type = object({
    ca_arn       = optional(string)
    template_arn = optional(string)
    days         = optional(number, 7)
    names        = optional(list(string), [])
    parameters   = optional(object({ ca = string, certificate = string, key = string }))
  })
}

variable "environment" {
  description = "Settings for the machine's scripts, in /etc/redoubt/machine.env. No secrets: user data is readable on the machine and in the API."
  type        = map(string)
}

variable "files" {
  description = "Files to write, by path."
  type        = map(object({ content = string, mode = optional(string, "0644") }))
}

variable "units" {
  description = "systemd units to enable and start, in this order, after the certificate is there."
  type        = list(string)
}

variable "log_group" {
  description = "CloudWatch log group for logs."
  type        = string
}

variable "logs" {
  description = "Log files to ship, by stream name suffix; or patterns with *, each file of which has a stream of its own. Those in /var/log/redoubt are kept within 64 MiB and four older ones."
  type        = map(string)
}

variable "metrics_namespace" {
  description = "CloudWatch namespace for memory and disk of the machine."
  type        = string
}

variable "user" {
  description = "System user to make; the certificate's key belongs to it."
  type        = string
}
