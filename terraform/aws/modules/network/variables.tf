variable "name" {
  description = "Name of the deployment; every resource carries it."
  type        = string
}

variable "region" {
  description = "Region, for the names of the endpoints' services."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the VPC. Unused with existing_vpc."
  type        = string
}

variable "availability_zones" {
  description = "Zones to make a subnet in. Unused with existing_vpc."
  type        = list(string)
}

variable "nat_gateways" {
  description = "none, single or per_az. With none the machines reach AWS through endpoints only."
  type        = string
}

variable "interface_endpoints" {
  description = "Services that get an interface endpoint, by the last part of their names."
  type        = list(string)
}

variable "bucket_arn" {
  description = "Bucket that the S3 endpoint lets through."
  type        = string
}

variable "artifact_bucket_arns" {
  description = "Buckets that binaries may be read from through the S3 endpoint."
  type        = list(string)
}

variable "existing_vpc" {
  description = "A VPC to use instead of making one: its id, a private subnet for each zone, and the route tables that get the S3 endpoint (none: there is one already)."
  type = object({
    vpc_id          = string
    subnet_ids      = map(string)
    route_table_ids = optional(list(string), [])
  })
  default = null
}
