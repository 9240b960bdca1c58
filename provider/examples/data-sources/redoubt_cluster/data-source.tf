data "redoubt_cluster" "shop" {
  name = "shop"
}
