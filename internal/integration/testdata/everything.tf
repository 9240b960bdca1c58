terraform {
  required_version = ">= 1.11"
  required_providers {
    redoubt = {
      source = "terraform.local/redoubtdb/redoubt"
    }
  }
}

provider "redoubt" {}

variable "app_password" {
  type      = string
  ephemeral = true
}

resource "redoubt_user" "app" {
  user_name     = "orders-app"
  access_string = "on ~orders:* +@all -@dangerous"
  tags          = { team = "orders" }

  authentication_mode {
    type                 = "password"
    passwords_wo         = [var.app_password]
    passwords_wo_version = 1
  }
}

resource "redoubt_user" "guest" {
  user_name     = "guest"
  access_string = "on ~orders:* +@read"

  authentication_mode {
    type = "no-password-required"
  }
}

resource "redoubt_acl" "main" {
  name       = "orders"
  user_names = [redoubt_user.app.user_name, redoubt_user.guest.user_name]
  tags       = { team = "orders" }
}

resource "redoubt_parameter_group" "main" {
  name        = "orders"
  description = "Idle clients go after five minutes"

  parameter {
    name  = "timeout"
    value = "300"
  }

  parameter {
    name  = "slowlog-max-len"
    value = "256"
  }
}

resource "redoubt_cluster" "main" {
  name                     = "orders"
  description              = "The orders"
  node_memory              = "256MiB"
  num_replicas_per_shard   = 1
  acl_name                 = redoubt_acl.main.name
  parameter_group_name     = redoubt_parameter_group.main.name
  availability_zones       = ["a", "b"]
  snapshot_retention_limit = 3
  snapshot_window          = "02:00-03:00"
  maintenance_window       = "sun:23:00-mon:01:30"
  tags                     = { team = "orders" }
}

resource "redoubt_snapshot" "main" {
  name         = "orders-first"
  cluster_name = redoubt_cluster.main.name
  tags         = { keep = "yes" }
}

ephemeral "redoubt_connection" "app" {
  cluster_name = redoubt_cluster.main.id
  user_name    = redoubt_user.app.user_name
  password     = var.app_password
}

resource "terraform_data" "first_key" {
  triggers_replace = redoubt_cluster.main.id

  provisioner "local-exec" {
    command = "printf %s \"$CA\" >ca.pem && redis-cli -u \"$URI\" --cacert ca.pem set orders:first v"
    environment = {
      URI = ephemeral.redoubt_connection.app.uri
      CA  = ephemeral.redoubt_connection.app.ca_certificate
    }
  }
}

data "redoubt_user" "app" {
  user_name  = "orders-app"
  depends_on = [redoubt_user.app]
}

data "redoubt_acl" "main" {
  name       = "orders"
  depends_on = [redoubt_acl.main]
}

data "redoubt_parameter_group" "main" {
  name       = "orders"
  depends_on = [redoubt_parameter_group.main]
}

data "redoubt_cluster" "main" {
  name       = "orders"
  depends_on = [redoubt_cluster.main]
}

data "redoubt_snapshot" "main" {
  name       = "orders-first"
  depends_on = [redoubt_snapshot.main]
}
