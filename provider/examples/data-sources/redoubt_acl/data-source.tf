data "redoubt_acl" "shop" {
  name = "shop"
}
