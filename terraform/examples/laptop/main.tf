# A cluster with a user of its own, by the control plane on this machine. See README.md.

terraform {
  required_version = ">= 1.11"
  required_providers {
    redoubt = {
      source = "terraform.local/redoubtdb/redoubt"
    }
  }
}

# Where the control plane is comes from REDOUBT_API, REDOUBT_TOKEN and REDOUBT_API_CA.
provider "redoubt" {}

variable "password" {
  description = "The user's password, 16 to 128 characters. It is in no plan and in no state."
  type        = string
  ephemeral   = true
}

variable "replicas" {
  description = "Replicas beside the primary."
  type        = number
  default     = 1
}

resource "redoubt_user" "app" {
  user_name     = "app"
  access_string = "on ~* &* +@all -@dangerous"

  authentication_mode {
    type                 = "password"
    passwords_wo         = [var.password]
    passwords_wo_version = 1 # another number whenever the password is another
  }
}

resource "redoubt_acl" "app" {
  name       = "laptop"
  user_names = [redoubt_user.app.user_name]
}

resource "redoubt_cluster" "laptop" {
  name                   = "laptop"
  description            = "A second cluster beside that of redoubt dev"
  node_memory            = "256MiB"
  num_replicas_per_shard = var.replicas
  acl_name               = redoubt_acl.app.name
  tls_enabled            = false # clients are on this machine
  final_snapshot_name    = "laptop-final"
}

output "endpoint" {
  description = "Where clients connect to."
  value       = "${redoubt_cluster.laptop.cluster_endpoint[0].address}:${redoubt_cluster.laptop.cluster_endpoint[0].port}"
}

output "redis_cli" {
  description = "How to look at it."
  value = join(" ", [
    "redis-cli", "-h", redoubt_cluster.laptop.cluster_endpoint[0].address, "-p", redoubt_cluster.laptop.cluster_endpoint[0].port,
    "--user", redoubt_user.app.user_name, "--askpass",
  ])
}

output "nodes" {
  description = "Its nodes and where they are."
  value       = { for n in redoubt_cluster.laptop.shards[0].nodes : n.name => "${n.role} in ${n.availability_zone}" }
}
