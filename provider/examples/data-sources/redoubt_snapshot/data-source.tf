data "redoubt_snapshot" "shop" {
  name = "shop"
}
