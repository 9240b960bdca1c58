resource "redoubt_cluster" "shop" {
  name                     = "shop"
  node_memory              = "4GiB"
  num_replicas_per_shard   = 2
  acl_name                 = redoubt_acl.shop.name
  parameter_group_name     = redoubt_parameter_group.shop.name
  snapshot_retention_limit = 7
  snapshot_window          = "02:00-03:00"
  maintenance_window       = "sun:23:00-mon:01:30"
  final_snapshot_name      = "shop-final"

  tags = {
    team = "shop"
  }
}

# A cluster that begins with the data of a snapshot.
resource "redoubt_cluster" "copy" {
  name              = "shop-copy"
  node_memory       = "4GiB"
  acl_name          = "open-access"
  snapshot_name     = redoubt_snapshot.shop.name
  prevent_data_loss = false
}
