resource "redoubt_snapshot" "shop" {
  name         = "shop-before-sale"
  cluster_name = redoubt_cluster.shop.name
}
