terraform {
  required_version = ">= 1.11"
  required_providers {
    redoubt = {
      source = "terraform.local/redoubtdb/redoubt"
    }
  }
}

provider "redoubt" {}

variable "writer_password" {
  type      = string
  ephemeral = true
}

variable "app_password" {
  type      = string
  ephemeral = true
}

variable "life" {
  type = object({
    cluster          = string
    snapshot         = optional(string)
    replicas         = number
    engine           = string
    memory           = number
    databases        = string
    timeout          = string
    access           = string
    password_version = number
    users            = list(string)
  })
}

resource "redoubt_user" "writer" {
  user_name     = "writer"
  access_string = "on ~* &* +@all"

  authentication_mode {
    type                 = "password"
    passwords_wo         = [var.writer_password]
    passwords_wo_version = 1
  }
}

resource "redoubt_user" "app" {
  user_name     = "app"
  access_string = var.life.access

  authentication_mode {
    type                 = "password"
    passwords_wo         = [var.app_password]
    passwords_wo_version = var.life.password_version
  }
}

resource "redoubt_acl" "main" {
  name       = "main"
  user_names = var.life.users
  depends_on = [redoubt_user.writer, redoubt_user.app]
}

resource "redoubt_parameter_group" "main" {
  name = "main"

  parameter {
    name  = "timeout"
    value = var.life.timeout
  }

  parameter {
    name  = "databases"
    value = var.life.databases
  }
}

resource "redoubt_cluster" "main" {
  name                   = var.life.cluster
  node_memory            = "${var.life.memory}MiB"
  num_replicas_per_shard = var.life.replicas
  engine_version         = var.life.engine
  acl_name               = redoubt_acl.main.name
  parameter_group_name   = redoubt_parameter_group.main.name
  snapshot_name          = var.life.snapshot
  final_snapshot_name    = "${var.life.cluster}-final"
}

data "redoubt_cluster" "main" {
  name       = var.life.cluster
  depends_on = [redoubt_cluster.main]
}

output "ca" {
  value = redoubt_cluster.main.ca_certificate
}

output "ca_of_data" {
  value = data.redoubt_cluster.main.ca_certificate
}
